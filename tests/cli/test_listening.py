"""The HTTP server as the settings want it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from numdesk.cli.listening import connection_limits
from numdesk.config import Settings
from numdesk.kit.limits import ConnectionLimits
from numdesk.kit.proxies import TrustedProxies


class TestConnectionLimits:
    def test_are_those_of_the_guard_where_nothing_is_set(self) -> None:
        """The defaults that the documents tell are the defaults that hold."""
        proxies = TrustedProxies(())
        assert replace(connection_limits(Settings(), descriptors=100_000), proxies=proxies) == ConnectionLimits(proxies=proxies)

    def test_are_what_was_set(self) -> None:
        """Each setting reaches its own bound."""
        limits = connection_limits(
            Settings(connections_max=9, connections_per_peer_max=8, head_s=7, body_s=6, idle_s=5), descriptors=100_000
        )
        assert (limits.connections_max, limits.connections_per_peer_max) == (9, 8)
        assert (limits.head_s, limits.body_s, limits.idle_s) == (7, 6, 5)

    @pytest.mark.parametrize(("descriptors", "most"), [(1024, 768), (64, 32), (100_000, 20_000)])
    def test_promise_what_the_descriptors_allow(self, descriptors: int, most: int) -> None:
        """No more connections are promised than the process has descriptors for, less those that it needs itself."""
        assert connection_limits(Settings(), descriptors=descriptors).connections_max == most
