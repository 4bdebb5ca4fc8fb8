"""Rules of the mark that forbids network calls."""

import asyncio

import pytest

from numdesk.kit.outgoing.network import (
    NetworkForbidden,
    assert_network_allowed,
    forbid_network,
    network_forbidden_by,
)


class TestForbidNetwork:
    def test_forbids_inside_and_allows_after(self) -> None:
        """The call is forbidden in the block's name and allowed again after it, whatever ended the
        block."""
        with (
            pytest.raises(NetworkForbidden, match=r"orders\.create"),
            forbid_network("orders.create"),
        ):
            assert_network_allowed()
        assert_network_allowed()

    def test_nests(self) -> None:
        """An inner block gives back the outer one's name."""
        with forbid_network("outer"):
            with forbid_network("inner"):
                assert network_forbidden_by() == "inner"
            assert network_forbidden_by() == "outer"

    async def test_reaches_tasks_started_inside_but_not_others(self) -> None:
        """A task started inside inherits the mark; one started before does not see it."""
        entered, done = asyncio.Event(), asyncio.Event()

        async def look() -> str | None:
            await entered.wait()
            return network_forbidden_by()

        before = asyncio.create_task(look())
        with forbid_network("tx"):
            inside = asyncio.create_task(look())
            entered.set()
            assert (await before, await inside) == (None, "tx")
            done.set()
