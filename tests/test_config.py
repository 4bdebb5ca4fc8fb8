"""Settings: what the environment may say, and how a mistake in it is told."""

from pathlib import Path

import pytest

from numdesk.config import (
    Address,
    SettingRefused,
    describe_settings,
    parse_address,
    provider_settings,
    read_settings,
)


class TestReadSettings:
    """read_settings()."""

    def test_needs_nothing(self) -> None:
        """An empty environment gives working defaults: a loopback listener, limits on, a data
        folder of its own."""
        settings = read_settings({})
        assert settings.listen == Address("127.0.0.1", 8080)
        assert settings.rate_limits is True
        assert settings.database_url is None
        assert settings.key_path == settings.data / "secret.key"

    def test_reads_every_setting(self) -> None:
        """Each variable ends in its own field."""
        settings = read_settings(
            {
                "NUMDESK_DATABASE_URL": "postgresql://db/numdesk",
                "NUMDESK_DATA": "/srv/numdesk",
                "NUMDESK_LISTEN": "[::1]:9000",
                "NUMDESK_RATE_LIMITS": "off",
                "NUMDESK_SANDBOX_WEBHOOK_TARGETS": "127.0.0.1:9001, localhost:9002",
                "NUMDESK_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::7",
                "NUMDESK_CONNECTIONS_MAX": "5000",
                "NUMDESK_CONNECTIONS_PER_PEER_MAX": "64",
                "NUMDESK_HEAD_TIMEOUT_S": "5",
                "NUMDESK_BODY_TIMEOUT_S": "20",
                "NUMDESK_IDLE_TIMEOUT_S": "120",
                "NUMDESK_TEXTS_KEPT_DAYS": "7",
                "NUMDESK_LOG": "json",
                "NUMDESK_LOG_LEVEL": "debug",
                "NUMDESK_KEY_FILE": "/etc/numdesk/key",
            }
        )
        assert settings.database_url == "postgresql://db/numdesk"
        assert settings.data == Path("/srv/numdesk")
        assert settings.listen == Address("::1", 9000)
        assert settings.rate_limits is False
        assert settings.sandbox_webhook_targets == (
            Address("127.0.0.1", 9001),
            Address("localhost", 9002),
        )
        assert [str(network) for network in settings.trusted_proxies] == [
            "10.0.0.0/8",
            "2001:db8::7/128",
        ]
        assert (settings.connections_max, settings.connections_per_peer_max) == (5000, 64)
        assert (settings.head_s, settings.body_s, settings.idle_s) == (5, 20, 120)
        assert settings.texts_kept_days == 7
        assert (settings.log, settings.log_level) == ("json", "debug")
        assert settings.key_path == Path("/etc/numdesk/key")

    def test_takes_an_empty_value_for_not_set(self) -> None:
        """A line `NUMDESK_LISTEN=` in a unit file must not stop the server."""
        assert read_settings({"NUMDESK_LISTEN": " "}).listen.port == 8080

    @pytest.mark.parametrize(
        ("name", "value", "wanted"),
        [
            ("NUMDESK_LISTEN", "8080", "HOST:PORT"),
            ("NUMDESK_LISTEN", "localhost:99999", "HOST:PORT"),
            ("NUMDESK_RATE_LIMITS", "no", "on or off"),
            ("NUMDESK_SANDBOX_WEBHOOK_TARGETS", "127.0.0.1:1,here", "HOST:PORT, several of them"),
            ("NUMDESK_TRUSTED_PROXIES", "10.0.0.1/8", "addresses or networks such as"),
            ("NUMDESK_CONNECTIONS_MAX", "0", "a whole number from 1 to 1000000"),
            ("NUMDESK_HEAD_TIMEOUT_S", "1.5", "a whole number from 1 to 3600"),
            ("NUMDESK_IDLE_TIMEOUT_S", "9" * 5000, "a whole number from 1 to 3600"),
            ("NUMDESK_LOG", "xml", "one of json, text"),
            (
                "NUMDESK_TOPUP_DISCOUNTS",
                "100:5,0100:7",
                "a list that names each thing before a colon once",
            ),
            (
                "NUMDESK_TOPUP_MINIMUMS",
                "cryptomus:5,cryptomus:7",
                "a list that names each thing before a colon once",
            ),
        ],
    )
    def test_refuses_a_mistake_in_one_sentence(self, name: str, value: str, wanted: str) -> None:
        """The sentence names the variable, the value and what is allowed."""
        with pytest.raises(SettingRefused) as refusal:
            read_settings({name: value})
        assert str(refusal.value).startswith(
            f"{name}={value!r} cannot be used: it must be {wanted}"
        )

    def test_keeps_the_database_password_out_of_its_own_text(self) -> None:
        """Settings are logged at the start; the URL of the database holds a password."""
        assert "hush" not in repr(
            read_settings({"NUMDESK_DATABASE_URL": "postgresql://me:hush@db/numdesk"})
        )


class TestAddress:
    """HOST:PORT."""

    @pytest.mark.parametrize("text", ["127.0.0.1:8080", "[::1]:80", "desk.example:0"])
    def test_is_written_as_it_was_read(self, text: str) -> None:
        """The address that is printed can be given back."""
        assert str(parse_address(text)) == text


def test_every_setting_has_a_help_text() -> None:
    """The help lists all variables, each with a sentence."""
    described = describe_settings()
    assert all(env.startswith("NUMDESK_") and text for env, text in described)


def test_a_provider_gets_its_own_variables_alone() -> None:
    """One provider's secrets never reach another."""
    environ = {
        "NUMDESK_PROVIDER_SMPP_HOST": "10.0.0.1",
        "NUMDESK_PROVIDER_SMPP_SYSTEM_ID": "me",
        "NUMDESK_PROVIDER_CRYPTOMUS_KEY": "k",
    }
    assert provider_settings("smpp", environ) == {"host": "10.0.0.1", "system_id": "me"}
