"""The URL of an external database: what is understood, what is refused, and that no part of it is
ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.storage.database import url as database_url
from numdesk.storage.database.faults import DatabaseUrlRefused
from numdesk.storage.database.url import place_of, read_database_url, split_password


class TestSplitPassword:
    @pytest.mark.parametrize(
        ("url", "bare", "password"),
        [
            (
                "postgresql://me:p%40ss:w@db:5433/x?sslmode=require",
                "postgresql://me@db:5433/x?sslmode=require",
                "p@ss:w",
            ),
            (
                "postgres://me@/x?host=%2Ftmp&password=a%2Fb&port=1",
                "postgres://me@/x?host=%2Ftmp&port=1",
                "a/b",
            ),
            (
                "postgresql://numdesk@/numdesk?host=/tmp/s",
                "postgresql://numdesk@/numdesk?host=/tmp/s",
                None,
            ),
            ("postgresql:///x", "postgresql:///x", None),
        ],
    )
    def test_leaves_the_rest_of_the_url_alone(
        self, url: str, bare: str, password: str | None
    ) -> None:
        """What a program is given as an argument names the same database, without the secret."""
        assert split_password(url) == (bare, password)


class TestReadDatabaseUrl:
    @pytest.mark.parametrize(
        ("given", "read"),
        [
            (
                "postgresql://me:p%40ss@db:5433/x?sslmode=require",
                "postgresql://me:p%40ss@db:5433/x?sslmode=require",
            ),
            ("postgres://db/numdesk", "postgresql://db/numdesk"),
            ("  postgresql:///x?host=/tmp&port=1 ", "postgresql:///x?host=/tmp&port=1"),
            ("postgresql://[::1]:5432/x", "postgresql://[::1]:5432/x"),
            (
                "postgresql://a:1,b:2/x?target_session_attrs=read-write",
                "postgresql://a:1,b:2/x?target_session_attrs=read-write",
            ),
            (
                "postgresql://db/x?connect_timeout=10&channel_binding=prefer&keepalives=1",
                "postgresql://db/x",
            ),
            (
                "postgresql://db/x?gssencmode=disable&application_name=a%20b",
                "postgresql://db/x?application_name=a%20b",
            ),
        ],
    )
    def test_leaves_out_what_changes_nothing(self, given: str, read: str) -> None:
        """Parameters of libpq that asyncpg would hand to the server are dropped where they change
        nothing; the rest stays."""
        assert read_database_url(given) == read

    def test_finds_the_certificates_of_the_system(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """sslrootcert=system means what it means to libpq: the system's certificates and a checked
        host name."""
        bundle = tmp_path / "ca.pem"
        bundle.touch()
        monkeypatch.setattr(database_url, "_system_certificates", lambda: str(bundle))
        assert (
            read_database_url("postgresql://db/x?sslrootcert=system")
            == f"postgresql://db/x?sslrootcert={bundle}&sslmode=verify-full"
        )
        with pytest.raises(DatabaseUrlRefused, match="needs sslmode=verify-full"):
            read_database_url("postgresql://db/x?sslmode=require&sslrootcert=system")

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("'postgresql://me:hush@db/x'", "has quotes around it"),
            ('"postgresql://me:hush@db/x"', "has quotes around it"),
            ("host=db user=me password=hush", "has blanks"),
            ("password=hush", "does not begin with postgresql://"),
            ("mysql://me:hush@db/x", "does not begin with postgresql://"),
            ("me:hush@db/x", "does not begin with postgresql://"),
            ("postgresql://me:hush@db:99999/x", "port that is not a number from 1 to 65535"),
            ("postgresql://me:hush@db:0/x", "port that is not a number from 1 to 65535"),
            ("postgresql://me:hush@db:port/x", "port that is not"),
            ("postgresql://me:hush@db:٥/x", "port that is not"),
            ("postgresql://db/x?port=99999&password=hush", "port that is not"),
            ("postgresql://me:hu/sh@db/x", "has a # or @ where none can be"),
            ("postgresql://me:hu#sh@db/x", "has a # or @ where none can be"),
            ("postgresql://me:hu?sh@db/x", "has a # or @ where none can be"),
            ("postgresql://me:1?sh@db/x", "has a # or @ where none can be"),
            ("postgresql://me:hu@sh@db/x", "has a # or @ where none can be"),
            ("postgresql://me:hu%sh@db/x", "has a %"),
            ("postgresql://me:hu%00sh@db/x", "has a %"),
            ("postgresql://me:hush%ff@db/x", "has a %"),
            ("postgresql://me:hush@[::1/x", "brackets"),
            ("postgresql://me:hush@db/x?sslmode", "not NAME=VALUE"),
            ("postgresql://me:hush@db/x?hush=1", "a parameter that PostgreSQL does not know"),
            (
                "postgresql://me:hush@db/x?sslpassword=hush",
                "the parameter sslpassword, which numdesk does not support",
            ),
            (
                "postgresql://me:hush@db/x?channel_binding=require",
                "the parameter channel_binding, which numdesk does not support \\(only",
            ),
            ("postgresql://me:hush@db/x?service=hush", "the parameter service"),
            ("postgresql://me:hu sh@db/x", "has blanks"),
        ],
    )
    def test_says_what_is_wrong_and_shows_nothing(self, text: str, reason: str) -> None:
        """Every refusal names the fault, and no part of a text whose parts cannot be told from its
        password."""
        with pytest.raises(DatabaseUrlRefused, match=reason) as refusal:
            read_database_url(text)
        assert not any(part in str(refusal.value) for part in ("hush", "hu@", "sh@", "me:"))

    @given(
        st.from_regex("[a-z]{1,9}", fullmatch=True),
        st.text(min_size=8, alphabet="Zq9#@/?:%& '=+[]"),
        st.sampled_from(["postgresql://", "postgres:", "", "'postgresql://"]),
    )
    def test_never_shows_the_password(self, user: str, password: str, scheme: str) -> None:
        """Whatever stands where a password may stand is in no sentence and in no description of the
        place."""
        assert password not in self.shown(f"{scheme}{user}:{password}@db:5432/numdesk")

    def shown(self, text: str) -> str:
        """Returns what people and the list of processes are shown of a text."""
        try:
            read = read_database_url(text)
        except DatabaseUrlRefused as refused:
            return str(refused)
        return f"{place_of(read)} {split_password(read)[0]}"


class TestPlaceOf:
    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("postgresql://me:hush@db:5433/x", "db:5433/x"),
            ("postgresql://db/x", "db:5432/x"),
            ("postgresql://[::1]/x", "[::1]:5432/x"),
            ("postgresql://me@/x?host=/run/s&password=hush", "/run/s/x"),
            ("postgresql:///x", "the local socket:5432/x"),
            ("postgresql://?host=db&dbname=y&port=7", "db:7/y"),
        ],
    )
    def test_names_host_port_and_database(self, url: str, place: str) -> None:
        """People see which server is meant, and neither user nor password."""
        assert place_of(url) == place
