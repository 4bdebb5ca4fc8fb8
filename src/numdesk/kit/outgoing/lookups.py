"""Looks names up for all: each name once at a time, remembered for a while, and no customer and no
domain more than its share."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.resolver import Resolver

#: Look-ups under way at one time.
LOOKUPS_MAX = 512

#: Of these, look-ups of names below one domain (its last two labels): dead name servers of one
#: owner leave room for all others. Owners below a shared suffix such as co.uk share this, too.
DOMAIN_LOOKUPS_MAX = 128

#: An account has at most one place for so many that are still free, of all and below one domain. So
#: an account that takes all it can get leaves room for the next, however many names it has, and
#: dozens of them do together.
SHARE = 16

#: A look-up that takes longer is ended and has failed.
LOOKUP_S = 3.0

#: An answer is cached for so long, whatever the name server allows: a name is checked again soon.
FOUND_S = 10.0

#: ... and so is that nothing was found, so that a name server that hangs is not waited for by every
#: request.
MISSED_S = 10.0

#: Names remembered.
NAMES_MAX = 4096


#: Whose share a look-up takes; None: the installation's own, which has any free place.
_account: ContextVar[int | None] = ContextVar("account", default=None)


@contextmanager
def on_account_of(account: int) -> Iterator[None]:
    """Count look-ups that begin within the block towards the share of an account."""
    mark = _account.set(account)
    try:
        yield
    finally:
        _account.reset(mark)


class _Known(NamedTuple):
    """The addresses known of a name: its addresses, or why there are none."""

    until: float
    addresses: list[str]
    missed: str | None


class _Places:
    """A number of places, which accounts share."""

    def __init__(self, size: int) -> None:
        self._free = size
        self.taken: Counter[int | None] = Counter()

    def has_room(self, account: int | None) -> bool:
        """Return whether an account may take one more place."""
        return self._free > 0 if account is None else self.taken[account] < self._free // SHARE

    def take(self, account: int | None) -> None:
        """Take a place."""
        self._free -= 1
        self.taken[account] += 1

    def give_back(self, account: int | None) -> None:
        """Give a place back."""
        self._free += 1
        self.taken[account] -= 1
        if not self.taken[account]:
            del self.taken[account]


class Lookups:
    """A resolver on top of another one."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        """Ask `resolver`; `clock` says how old answers are."""
        self._resolver = resolver
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._under_way: dict[str, asyncio.Task[list[str]]] = {}
        self._places = _Places(LOOKUPS_MAX)
        self._by_domain: dict[str, _Places] = {}
        #: Asks again each time, within the same bounds.
        self.fresh: Resolver = _Fresh(self)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`, which may be some seconds old.

        Raise OSError when it has none.
        """
        known = self._known.get(host)
        if known is not None and known.until > self._clock.monotonic():
            if known.missed is not None:
                raise OSError(known.missed)
            return known.addresses
        try:
            found = await self.look_up(host, port)
        except _Crowded:
            raise  # says nothing about the name
        except (OSError, UnicodeError) as error:
            self._remember(host, _Known(self._clock.monotonic() + MISSED_S, [], str(error)))
            raise
        self._remember(host, _Known(self._clock.monotonic() + FOUND_S, found, None))
        return found

    async def look_up(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host` as they are now.

        Who asks while somebody else does shares the answer.
        """
        task = self._under_way.get(host)
        if task is None:
            task = self._begin(host, port)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the look-ups under way and let go of the resolver."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._resolver.close()

    def _begin(self, host: str, port: int) -> asyncio.Task[list[str]]:
        """Begin a look-up; raise OSError when there are too many."""
        account, domain = _account.get(), ".".join(host.rstrip(".").split(".")[-2:])
        below = self._by_domain.get(domain) or _Places(DOMAIN_LOOKUPS_MAX)
        shared = (self._places, below)
        if not all(places.has_room(account) for places in shared):
            raise _Crowded(f"too many look-ups are under way to ask for {host}")
        self._by_domain[domain] = below
        for places in shared:
            places.take(account)
        task = self._under_way[host] = asyncio.get_running_loop().create_task(self._ask(host, port))

        def end(_: asyncio.Task[list[str]]) -> None:
            del self._under_way[host]
            for places in shared:
                places.give_back(account)
            if not below.taken:
                del self._by_domain[domain]
            if not task.cancelled():
                task.exception()  # looked at, also when nobody waits any more

        task.add_done_callback(end)
        return task

    async def _ask(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await self._resolver.resolve(host, port)
        except TimeoutError as error:
            raise OSError(f"the name servers of {host} did not answer in time") from error

    def _remember(self, host: str, known: _Known) -> None:
        self._known.pop(host, None)
        if len(self._known) >= NAMES_MAX:
            del self._known[next(iter(self._known))]
        self._known[host] = known


@dataclass(frozen=True)
class _Fresh:
    """The same look-ups without memory."""

    lookups: Lookups

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host` as they are now."""
        return await self.lookups.look_up(host, port)

    async def close(self) -> None:
        """Leave the look-ups to their owner."""


class _Crowded(OSError):
    """A look-up was not begun."""
