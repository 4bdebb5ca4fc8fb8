"""The HTTP server as the settings want it."""

from __future__ import annotations

from dataclasses import replace

from numdesk.cli.listening import connection_limits
from numdesk.config import Settings
from numdesk.kit.limits import ConnectionLimits
from numdesk.kit.proxies import TrustedProxies


class TestConnectionLimits:
    def test_are_those_of_the_guard_where_nothing_is_set(self) -> None:
        """The defaults that the documents tell are the defaults that hold."""
        proxies = TrustedProxies(())
        assert replace(connection_limits(Settings()), proxies=proxies) == ConnectionLimits(proxies=proxies)

    def test_are_what_was_set(self) -> None:
        """Each setting reaches its own bound."""
        limits = connection_limits(Settings(connections_max=9, connections_per_peer_max=8, head_s=7, body_s=6, idle_s=5))
        assert (limits.connections_max, limits.connections_per_peer_max) == (9, 8)
        assert (limits.head_s, limits.body_s, limits.idle_s) == (7, 6, 5)
