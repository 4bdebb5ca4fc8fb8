"""Rules of looking names up for many at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.kit.names import FakeResolver, HangingResolver

from numdesk.kit.clock import FakeClock
from numdesk.kit.outgoing import lookups
from numdesk.kit.outgoing.lookups import (
    DOMAIN_LOOKUPS_MAX,
    FOUND_S,
    LOOKUPS_MAX,
    MISSED_S,
    NAMES_MAX,
    SHARE,
    Lookups,
    on_account_of,
)


def still() -> FakeClock:
    """Make a clock that stands still."""
    return FakeClock(datetime(2026, 1, 1, tzinfo=UTC))


@asynccontextmanager
async def opened(resolver: FakeResolver, clock: FakeClock | None = None) -> AsyncIterator[Lookups]:
    """Give look-ups that are closed at the end."""
    found = Lookups(resolver, clock or still())
    yield found
    await found.close()


async def begin(found: Lookups, *hosts: str) -> list[asyncio.Task[list[str]]]:
    """Begin look-ups and let them get under way."""
    tasks = [asyncio.create_task(found.resolve(host, 443)) for host in hosts]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


class TestMemory:
    async def test_remembers_for_a_while(self) -> None:
        """A name is asked for once, and again when the answer is old."""
        resolver, clock = FakeResolver(a_test=[["8.8.8.8"], ["8.8.4.4"]]), still()
        async with opened(resolver, clock) as found:
            assert (
                await found.resolve("a.test", 443)
                == await found.resolve("a.test", 443)
                == ["8.8.8.8"]
            )
            clock.advance(FOUND_S)
            assert await found.resolve("a.test", 443) == ["8.8.4.4"]

    async def test_remembers_what_was_not_found(self) -> None:
        """A name that is not there is not asked for by every request, and is found once it is
        there."""
        resolver, clock = FakeResolver(), still()
        async with opened(resolver, clock) as found:
            for _ in range(3):
                with pytest.raises(OSError, match="not known"):
                    await found.resolve("a.test", 443)
            assert resolver.asked["a.test"] == 1
            clock.advance(MISSED_S)
            with pytest.raises(OSError, match="not known"):
                await found.resolve("a.test", 443)
            assert resolver.asked["a.test"] == 2

    async def test_forgets_the_oldest(self) -> None:
        """The memory has a bound, and what was used last stays."""
        resolver = FakeResolver(**{f"n{n}_test": [["8.8.8.8"]] for n in range(NAMES_MAX + 1)})
        async with opened(resolver) as found:
            for n in range(NAMES_MAX + 1):
                await found.resolve(f"n{n}.test", 443)
            await found.resolve(f"n{NAMES_MAX}.test", 443)
            await found.resolve("n0.test", 443)
        assert resolver.asked[f"n{NAMES_MAX}.test"] == 1
        assert resolver.asked["n0.test"] == 2

    async def test_asks_anew_where_the_present_counts(self) -> None:
        """A name that is judged for its writer is not judged by what it was."""
        resolver = FakeResolver(a_test=[["8.8.8.8"], ["10.0.0.1"]])
        async with opened(resolver) as found:
            await found.resolve("a.test", 443)
            assert await found.fresh.resolve("a.test", 443) == ["10.0.0.1"]


class TestShares:
    async def test_who_asks_for_one_name_shares_one_look_up(self) -> None:
        """However many wait for a name, it is asked for once, and one who gives up does not end it
        for the others."""
        resolver = HangingResolver()
        async with opened(resolver) as found:
            first, *others = await begin(found, *["hanging.test"] * 50)
            first.cancel()
            await asyncio.sleep(0)
            assert resolver.asked["hanging.test"] == 1
            assert not any(task.done() for task in others)

    async def test_a_domain_has_a_share(self) -> None:
        """Whose name servers hang fills its own share.

        The next of its names fails at once, and others are found.
        """
        async with opened(HangingResolver(good_test=[["8.8.8.8"]])) as found:
            hanging = await begin(found, *(f"h{n}.hanging.test" for n in range(440)))
            assert sum(not task.done() for task in hanging) == DOMAIN_LOOKUPS_MAX
            assert await found.resolve("good.test", 443) == ["8.8.8.8"]
            await asyncio.gather(*(task for task in hanging if task.done()), return_exceptions=True)

    async def test_an_account_has_a_share_of_each_domain(self) -> None:
        """An account with many hanging names below a shared domain leaves places there for other
        accounts."""
        async with opened(HangingResolver()) as found:
            with on_account_of(1):
                many = await begin(found, *(f"a{n}.hanging.test" for n in range(200)))
            with on_account_of(2):
                (one,) = await begin(found, "b.hanging.test")
            assert 1 < sum(not task.done() for task in many) <= DOMAIN_LOOKUPS_MAX / SHARE
            assert not one.done()
            await asyncio.gather(*(task for task in many if task.done()), return_exceptions=True)

    async def test_accounts_that_hog_leave_places(self) -> None:
        """However many domains each of fifty accounts has whose name servers hang, the next account
        and the house are served."""
        async with opened(
            HangingResolver(good_test=[["8.8.8.8"]], house_test=[["8.8.4.4"]])
        ) as found:
            hanging: list[asyncio.Task[list[str]]] = []
            for account in range(50):
                with on_account_of(account):
                    hanging += await begin(
                        found, *(f"h.{n}-{account}-hanging.test" for n in range(200))
                    )
            with on_account_of(99):
                assert await found.resolve("good.test", 443) == ["8.8.8.8"]
            assert await found.resolve("house.test", 443) == ["8.8.4.4"]
            await asyncio.gather(*(task for task in hanging if task.done()), return_exceptions=True)

    async def test_all_together_have_a_bound(self) -> None:
        """Even names of hundreds of domains take no more than so many places."""
        async with opened(HangingResolver()) as found:
            hanging = await begin(found, *(f"h.{n}-hanging.test" for n in range(LOOKUPS_MAX + 5)))
            assert sum(task.done() for task in hanging) == 5
            await asyncio.gather(*(task for task in hanging if task.done()), return_exceptions=True)

    async def test_a_place_is_freed_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A look-up that nobody answers ends, and its name servers' owner has the place again."""
        monkeypatch.setattr(lookups, "LOOKUP_S", 0.01)
        async with opened(HangingResolver()) as found:
            hanging = await begin(found, *(f"h{n}.hanging.test" for n in range(DOMAIN_LOOKUPS_MAX)))
            ended = await asyncio.gather(*hanging, return_exceptions=True)
            assert all("did not answer in time" in str(error) for error in ended)
            (again,) = await begin(found, "another.hanging.test")
            assert not again.done()
            again.cancel()
