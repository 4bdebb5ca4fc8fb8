"""The command line as an operator meets it: a real process, an answer, an exit code, and never a
traceback."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import asyncpg
import cyclopts
import pytest
from tests.support.server import TestServer

from numdesk.cli import _COMMANDS, database, main

pytestmark = pytest.mark.xdist_group("commands")


def numdesk(
    database_url: str, folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command against an external database and returns what it said."""
    environment = {
        **os.environ,  # noqa: TID251 - a child needs its PATH
        "NUMDESK_DATABASE_URL": database_url,
        "NUMDESK_DATA": str(folder),
        "NUMDESK_OPS_LISTEN": "off",
        **(env or {}),
    }
    done = subprocess.run(
        [sys.executable, "-m", "numdesk", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def facts(done: subprocess.CompletedProcess[str]) -> dict:
    """Returns the one JSON document of an answer."""
    return json.loads(done.stdout)


class TestTerminal:
    @pytest.mark.parametrize(
        "arguments", [("customer", "list"), ("customer", "list", "--json"), ("stock", "countries")]
    )
    def test_shows_what_its_encoding_cannot(
        self, database_url: str, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        """Where the terminal is not UTF-8, characters that it lacks are written as escapes, and
        JSON stays JSON."""
        assert numdesk(database_url, tmp_path, "customer", "add", "Зоя 😀 é").returncode == 0
        ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
        done = numdesk(database_url, tmp_path, *arguments, env=ascii_only)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
        if "--json" in arguments:
            assert facts(done)[0]["name"] == "Зоя 😀 é"


class TestCustomer:
    """Customers and their money."""

    def test_adds_credits_and_lists(self, database_url: str, tmp_path: Path) -> None:
        """A customer gets a token and money; the same reference never counts twice."""
        made = facts(
            numdesk(database_url, tmp_path, "customer", "add", "Ann", "--credit", "5000", "--json")
        )
        assert made["token"].startswith("nd_")
        credit = (
            "customer",
            "credit",
            str(made["customer_id"]),
            "250",
            "--reference",
            "r",
            "--json",
        )
        found = [facts(numdesk(database_url, tmp_path, *credit))["available"] for _ in range(2)]
        assert found == [5250, 5250]
        (listed,) = facts(numdesk(database_url, tmp_path, "customer", "list", "--json"))
        assert listed["wallets"]["IDR"]["balance"] == 5250

    @pytest.mark.parametrize(
        "arguments",
        [
            ("customer", "approve", "99"),
            ("customer", "add", "x", "--dialect", "nope"),
            ("customer", "add", "x", "--credit", "1.5"),
            ("customer", "credit", "99", "5"),
            ("customer", "credit", "99", "9" * 30),
            ("frobnicate",),
            ("rate", "set", "USD", "1"),
            ("stock", "load", "no-such-file.csv"),
            ("restore", "no-such-file"),
            ("serve", "--listen", "nonsense"),
            ("serve", "--workers", "0"),
        ],
    )
    def test_refuses_in_one_sentence(
        self, database_url: str, tmp_path: Path, arguments: tuple[str, ...]
    ) -> None:
        """What cannot be done exits with 2 and says why on one line."""
        done = numdesk(database_url, tmp_path, *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("numdesk: ")
        assert done.stderr.count("\n") == 1


class TestStock:
    """Numbers and prices from files."""

    def test_loads_prices_lists_and_withdraws(self, database_url: str, tmp_path: Path) -> None:
        """A shop is made of two files."""
        (tmp_path / "n.csv").write_text(
            "msisdn,country,operator\n628110000001,ID,telkomsel\n628110000002,ID,\nx,ID,\n"
        )
        (tmp_path / "p.csv").write_text(
            "country,service,operator,currency,price\nID,whatsapp,,IDR,3000\n"
        )
        loaded = numdesk(database_url, tmp_path, "stock", "load", str(tmp_path / "n.csv"), "--json")
        assert loaded.returncode == 1
        assert (facts(loaded)["changed"], facts(loaded)["bad"]) == (2, 1)
        assert (
            facts(
                numdesk(database_url, tmp_path, "stock", "price", str(tmp_path / "p.csv"), "--json")
            )["changed"]
            == 1
        )
        (tmp_path / "q.csv").write_text(
            "country,service,operator,currency,price,provider\nID,whatsapp,,IDR,3000,nobody\n"
        )
        unknown = numdesk(
            database_url, tmp_path, "stock", "price", str(tmp_path / "q.csv"), "--json"
        )
        assert (unknown.returncode, facts(unknown)["errors"][0]["value"]) == (1, "nobody")
        withdrawn = numdesk(database_url, tmp_path, "stock", "withdraw", "628110000001", "--json")
        assert facts(withdrawn)["changed"] == 1
        assert numdesk(database_url, tmp_path, "rate", "set", "usd/idr", "16250").returncode == 0
        again = numdesk(database_url, tmp_path, "stock", "price", str(tmp_path / "p.csv"))
        assert again.stdout.startswith("1 line: 0 prices set, 1 as before.")
        listed = facts(numdesk(database_url, tmp_path, "stock", "list", "--json"))
        assert sum(line["free"] for line in listed) == 1


class TestDatabase:
    """The database as a whole."""

    def test_is_restored_as_it_was(
        self, database_url: str, empty_database_url: str, tmp_path: Path
    ) -> None:
        """A backup brings customers back, keys only when they were put in, and never onto
        somebody's data."""
        numdesk(database_url, tmp_path / "a", "customer", "add", "Ann", "--credit", "5000")
        file = str(tmp_path / "backup")
        assert numdesk(database_url, tmp_path / "a", "backup", file, "--with-keys").returncode == 0
        assert numdesk(database_url, tmp_path / "a", "backup", file).returncode == 2
        assert numdesk(database_url, tmp_path / "a", "restore", file).returncode == 2
        (tmp_path / "b").mkdir()
        assert numdesk(empty_database_url, tmp_path / "b", "restore", file).returncode == 0
        (listed,) = facts(numdesk(empty_database_url, tmp_path / "b", "customer", "list", "--json"))
        assert listed["wallets"]["IDR"]["balance"] == 5000

    def test_is_restored_into_a_folder_that_is_not_there_yet(
        self, database_url: str, empty_database_url: str, tmp_path: Path
    ) -> None:
        """The folder of the key file is made first.

        Where it cannot be, nothing is restored and the next try can succeed.
        """
        numdesk(database_url, tmp_path / "a", "customer", "add", "Ann")
        file = str(tmp_path / "backup")
        numdesk(database_url, tmp_path / "a", "backup", file, "--with-keys")
        (tmp_path / "file").write_text("in the way")
        refused = numdesk(empty_database_url, tmp_path / "file" / "b", "restore", file)
        assert (refused.returncode, "nothing was restored" in refused.stderr) == (2, True)
        assert numdesk(empty_database_url, tmp_path / "new" / "b", "restore", file).returncode == 0
        assert (tmp_path / "new" / "b" / "secret.key").read_bytes() == (
            tmp_path / "a" / "secret.key"
        ).read_bytes()

    async def test_is_never_restored_over_what_is_not_ours(
        self, database_url: str, empty_database_url: str, tmp_path: Path
    ) -> None:
        """Another program's tables, even beside ours or under our names, are refused and stay.

        A desk never used gives way.
        """
        file = str(tmp_path / "backup")
        numdesk(database_url, tmp_path / "a", "customer", "add", "Ann")
        numdesk(database_url, tmp_path / "a", "backup", file)
        connection = await asyncpg.connect(empty_database_url)
        try:
            for theirs in (
                "create table theirs ()",
                "create table schema_migrations (version text)",
                "create function theirs() returns int return 1",
            ):
                await connection.execute(theirs)
                refused = await asyncio.to_thread(
                    numdesk, empty_database_url, tmp_path / "b", "restore", file
                )
                assert (
                    refused.returncode,
                    refused.stderr.count("\n"),
                    "not empty" in refused.stderr,
                ) == (2, 1, True)
                await connection.execute(
                    f"drop {' '.join(theirs.split()[1:3])}"
                )  # which fails if it is gone
            assert (
                await asyncio.to_thread(numdesk, empty_database_url, tmp_path / "b", "migrate")
            ).returncode == 0
            await connection.execute("create table theirs ()")
            assert (
                await asyncio.to_thread(
                    numdesk, empty_database_url, tmp_path / "b", "restore", file
                )
            ).returncode == 2
            await connection.execute("drop table theirs")
        finally:
            await connection.close()
        assert (
            await asyncio.to_thread(numdesk, empty_database_url, tmp_path / "b", "restore", file)
        ).returncode == 0

    async def test_has_a_password_that_nobody_sees(
        self, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The programs that dump and restore are told the password by their environment: arguments
        are public."""
        (tmp_path / "pg_dump").write_text(
            f'#!/bin/sh\necho "$@" "[$PGPASSWORD]" > {tmp_path}/said\nexit 1\n'
        )
        (tmp_path / "pg_dump").chmod(0o755)
        monkeypatch.setattr(database, "binaries", lambda: tmp_path)
        monkeypatch.setenv(
            "NUMDESK_DATABASE_URL",
            f"{database_url}{'&' if '?' in database_url else '?'}password=not%2Ffor%2Feyes",
        )
        monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
        assert await asyncio.to_thread(main, ["backup", str(tmp_path / "backup")]) == 2
        arguments, _, secret = (tmp_path / "said").read_text().rpartition(" ")
        assert secret == "[not/for/eyes]\n"
        assert "eyes" not in arguments.partition("--dbname")[2]

    def test_is_the_one_that_numdesk_names(self, database_url: str, tmp_path: Path) -> None:
        """Variables that steer PostgreSQL's own programs change neither which database is read nor
        which is dumped."""
        steering = {
            "PGHOSTADDR": "192.0.2.1",
            "PGPORT": "1",
            "PGSSLMODE": "require",
            "PGTARGETSESSIONATTRS": "standby",
            "PGSERVICE": "none",
        }
        assert numdesk(database_url, tmp_path, "customer", "list", env=steering).returncode == 0
        done = numdesk(
            database_url,
            tmp_path,
            "backup",
            str(tmp_path / "backup"),
            env=steering | {"PGSERVICE": "none"},
        )
        assert done.returncode == 0, done.stderr

    def test_says_why_it_cannot_be_dumped(self) -> None:
        """The reason is the program's first error with its detail, not its last line, and holds no
        password."""
        said = (
            "pg_dump: last built-in OID is 16383\n"
            "pg_dump: error: aborting because of server version mismatch\n"
            "pg_dump: detail: server version: 99; postgresql://me:hush@db/x\n"
        )
        reason = database._reason(said)
        assert reason.startswith(
            "pg_dump: error: aborting because of server version mismatch; pg_dump: detail: server "
            "version: 99"
        )
        assert "hush" not in reason
        assert database._reason("") == "no reason given"

    @pytest.mark.parametrize(
        "url",
        [
            "'postgresql://me:hush@db/x'",
            "host=db password=hush",
            "postgresql://me:hush@db:99999/x",
            "postgresql://me:hush@db/x?hush=1",
        ],
    )
    @pytest.mark.parametrize(
        "arguments", [("migrate",), ("doctor",), ("customer", "list"), ("backup", "file")]
    )
    async def test_is_named_by_a_url_that_nobody_sees(
        self,
        url: str,
        arguments: tuple[str, ...],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A malformed URL is one sentence in every command, which shows no part of it and is never
        called an internal error."""
        monkeypatch.setenv("NUMDESK_DATABASE_URL", url)
        monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
        assert await asyncio.to_thread(main, list(arguments)) in (1, 2)
        said = capsys.readouterr()
        assert (
            "NUMDESK_DATABASE_URL cannot be used: it has"
            in (said.out + said.err).replace("\n", " ")
            or "does not begin" in said.err
        )
        assert "hush" not in said.out + said.err
        assert "Internal error" not in said.out + said.err

    async def test_must_be_utf8(self, server: TestServer, tmp_path: Path) -> None:
        """`migrate` and `doctor` refuse a database in another encoding, and say how to make one."""
        async with server.create_database("latin1") as url:
            for command in ("migrate", "doctor"):
                done = await asyncio.to_thread(numdesk, url, tmp_path, command)
                assert done.returncode != 0
                assert "encoding LATIN1" in done.stdout + done.stderr

    def test_is_migrated_when_asked(self, empty_database_url: str, tmp_path: Path) -> None:
        """A database that is too old is refused with the command that mends it, and that command
        mends it."""
        refused = numdesk(empty_database_url, tmp_path, "customer", "list")
        assert (refused.returncode, "numdesk migrate" in refused.stderr) == (2, True)
        assert facts(numdesk(empty_database_url, tmp_path, "migrate", "--json"))["applied"]
        assert facts(numdesk(empty_database_url, tmp_path, "migrate", "--json"))["applied"] == []
        assert numdesk(empty_database_url, tmp_path, "customer", "list").returncode == 0

    def test_says_when_it_cannot_be_reached(self, tmp_path: Path) -> None:
        """A database that is not there is told with the address that was tried, and without the
        password."""
        done = numdesk("postgresql://me:secret@127.0.0.1:1/x", tmp_path, "customer", "list")
        assert (done.returncode, "127.0.0.1:1" in done.stderr, "secret" in done.stderr) == (
            2,
            True,
            False,
        )


class TestDoctor:
    """Looking at everything."""

    def test_looks_at_a_dozen_things(self, database_url: str, tmp_path: Path) -> None:
        """Every check has a finding.

        An empty shop is a warning, switched-off durability a fault.
        """
        numdesk(database_url, tmp_path, "customer", "list")
        done = numdesk(database_url, tmp_path, "doctor", "--json")
        found = {check["name"]: check["state"] for check in facts(done)["checks"]}
        assert len(found) >= 12
        assert found["stock"] == "warn"
        assert found["ledger"] == "ok"
        assert found["durability"] == "fail"
        assert done.returncode == 1


class TestNoDesk:
    """Where no desk was ever made."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("ledger", "check"),
            ("customer", "list"),
            ("stock", "list"),
            ("rate", "list"),
            ("backup", "b.numdesk"),
        ],
    )
    def test_is_told_and_none_is_made(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        """A command in the wrong folder says so; it makes no desk to find that desk in order."""
        folder = tmp_path / "nothing"
        done = numdesk("", folder, *arguments)
        assert (done.returncode, done.stderr.count("\n"), str(folder) in done.stderr) == (
            2,
            1,
            True,
        )
        assert not folder.exists()

    def test_is_a_fault_to_the_doctor(self, tmp_path: Path) -> None:
        """The doctor finds no desk, and leaves the folder as it was."""
        done = numdesk("", tmp_path / "nothing", "doctor", "--json")
        found = {check["name"]: check for check in facts(done)["checks"]}
        assert (done.returncode, found["database"]["state"]) == (1, "fail")
        assert "numdesk migrate" in found["database"]["text"]
        assert not (tmp_path / "nothing").exists()

    def test_is_the_same_in_a_database_elsewhere(
        self, empty_database_url: str, tmp_path: Path
    ) -> None:
        """An external database without any migration is named by its setting."""
        done = numdesk(empty_database_url, tmp_path, "ledger", "check")
        assert (
            done.returncode,
            "There is no desk" in done.stderr,
            "NUMDESK_DATABASE_URL" in done.stderr,
        ) == (2, True, True)

    def test_makes_no_key_file(self, database_url: str, tmp_path: Path) -> None:
        """Looking at a new desk leaves its folder as it was."""
        done = numdesk(database_url, tmp_path / "new", "doctor", "--json")
        assert {check["name"]: check["state"] for check in facts(done)["checks"]}["ledger"] == "ok"
        assert not (tmp_path / "new" / "secret.key").exists()


class TestHelp:
    """Finding one's way."""

    async def test_says_of_each_command_what_it_does(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The list has one true line per command: the first of its docstring, or its group's
        help."""
        assert await asyncio.to_thread(main, ["--help"]) == 0
        shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
        for name, (place, line) in _COMMANDS.items():
            module, _, what = place.partition(":")
            found = getattr(import_module(module), what)
            assert line == (
                found.help if isinstance(found, cyclopts.App) else found.__doc__.partition("\n")[0]
            ), name
            assert " ".join(line.replace("`", "").split()) in shown

    async def test_names_all_commands_where_one_is_not_known(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A word that is no command is answered with those that are."""
        assert await asyncio.to_thread(main, ["frobnicate"]) == 2
        said = capsys.readouterr().err
        assert all(name in said for name in _COMMANDS)
        assert await asyncio.to_thread(main, ["serve", "--help"]) == 0
        assert "--no-work" in capsys.readouterr().out

    @pytest.mark.parametrize(("what", "code"), [("services", "whatsapp"), ("countries", "ID")])
    async def test_lists_the_words_of_a_price_list(
        self, capsys: pytest.CaptureFixture[str], what: str, code: str
    ) -> None:
        """Codes can be looked up, without a desk."""
        assert await asyncio.to_thread(main, ["stock", what, "--json"]) == 0
        assert code in {
            one[{"services": "service", "countries": "country"}[what]]
            for one in json.loads(capsys.readouterr().out)
        }


class TestServe:
    """Refusing to start."""

    def test_says_that_the_port_is_taken(self, database_url: str, tmp_path: Path) -> None:
        """Two servers never share a port by accident."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = numdesk(database_url, tmp_path, "serve", "--listen", address)
        assert (done.returncode, address in done.stderr, "--listen" in done.stderr) == (
            2,
            True,
            True,
        )

    @pytest.mark.parametrize("command", [("serve", "--listen", "127.0.0.1:0"), ("work",)])
    async def test_never_serves_a_sandbox_in_earnest(
        self, database_url: str, pool: asyncpg.Pool, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        """A sandbox's database without --sandbox is refused in one sentence.

        Commands that only look at it go on working.
        """
        await pool.execute("""insert into settings (name, value) values ('mode', '"sandbox"')""")
        done = await asyncio.to_thread(numdesk, database_url, tmp_path, *command)
        assert (done.returncode, done.stderr.count("\n"), "--sandbox" in done.stderr) == (
            2,
            1,
            True,
        )
        listed = await asyncio.to_thread(
            numdesk, database_url, tmp_path, "customer", "list", "--json"
        )
        assert (listed.returncode, facts(listed)) == (0, [])
