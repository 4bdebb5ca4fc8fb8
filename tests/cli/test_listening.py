"""The HTTP server as the settings want it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from numdesk.cli.listening import connection_limits, is_loopback, reached_by_others
from numdesk.config import Address, Settings
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.proxies import TrustedProxies


class TestConnectionLimits:
    def test_are_those_of_the_guard_where_nothing_is_set(self) -> None:
        """The defaults that the documents tell are the defaults that hold."""
        proxies = TrustedProxies(())
        assert replace(
            connection_limits(Settings(), descriptors=100_000), proxies=proxies
        ) == ConnectionLimits(proxies=proxies)

    def test_are_what_was_set(self) -> None:
        """Each setting reaches its own bound."""
        limits = connection_limits(
            Settings(connections_max=9, connections_per_peer_max=8, head_s=7, body_s=6, idle_s=5),
            descriptors=100_000,
        )
        assert (limits.connections_max, limits.connections_per_peer_max) == (9, 8)
        assert (limits.head_s, limits.body_s, limits.idle_s) == (7, 6, 5)

    @pytest.mark.parametrize(("descriptors", "most"), [(1024, 768), (64, 32), (100_000, 20_000)])
    def test_promise_what_the_descriptors_allow(self, descriptors: int, most: int) -> None:
        """No more connections are promised than the process has descriptors for, less those that it
        needs itself."""
        assert connection_limits(Settings(), descriptors=descriptors).connections_max == most


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        (str(IPv4Address(0)), False),
        ("::", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    """Every address of 127.0.0.0/8 and ::1 is; the addresses that stand for all are not."""
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, None),
        ("127.0.0.1", "http://localhost:9000/desk", None),
        ("127.0.0.1", "http://[::1]:9000", None),
        ("127.0.0.1", "https://desk.example", "https://desk.example"),
        ("127.0.0.1", "http://192.0.2.1", "http://192.0.2.1"),
        (str(IPv4Address(0)), None, "0.0.0.0:8080"),
    ],
)
def test_a_public_url_is_reached_by_others(
    host: str, public_url: str | None, expected: str | None
) -> None:
    """A server behind a public URL is reached by other machines, though it listens on loopback
    only."""
    assert (
        reached_by_others(Settings(listen=Address(host, 8080), public_url=public_url)) == expected
    )
