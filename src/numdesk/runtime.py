"""Runtime: what a use case is given.

The clock, the ports by slug, named transactions and batched commands; never the pool.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from numdesk.config import Settings
from numdesk.domain.errors import Unavailable
from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.seal import Sealer
from numdesk.storage.database.batcher import Batcher
from numdesk.storage.database.pool import OUTAGES, Database, Tx

if TYPE_CHECKING:
    from numdesk.ports.payments import PaymentGateway
    from numdesk.ports.rates import RateSource
    from numdesk.ports.rendering import EventRenderer
    from numdesk.ports.suppliers import NumberSupplier

T = TypeVar("T")
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Memory:
    """Values that are loaded once and kept until told otherwise.

    Callers that arrive meanwhile wait for the one load.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Any]] = {}
        self._loading: dict[str, asyncio.Task[Any]] = {}

    async def get(
        self, name: str, load: Callable[[], Awaitable[T]], *, age_max_s: float = float("inf")
    ) -> T:
        """Return the kept value of `name`, loading it when there is none or it is older than
        `age_max_s`."""
        kept = self._kept.get(name)
        if kept is not None and time.monotonic() - kept[0] <= age_max_s:
            return kept[1]
        task = self._loading.get(name)
        if task is None:
            task = asyncio.ensure_future(self._load(name, load))
            self._loading[name] = task
        return await asyncio.shield(task)

    async def _load(self, name: str, load: Callable[[], Awaitable[T]]) -> T:
        started = time.monotonic()
        task = asyncio.current_task()
        try:
            value = await load()
            if (
                self._loading.get(name) is task
            ):  # else it was told to forget meanwhile: what was read may be old
                self._kept[name] = (started, value)
            return value
        finally:
            if self._loading.get(name) is task:
                del self._loading[name]

    def peek(self, name: str, *, age_max_s: float = float("inf")) -> Any:
        """Return the kept value of `name` when there is one that is young enough, else None.

        For hot paths that must not await.
        """
        kept = self._kept.get(name)
        return kept[1] if kept is not None and time.monotonic() - kept[0] <= age_max_s else None

    def forget(self, prefix: str) -> None:
        """Drop every value whose name begins with `prefix`."""
        for known in (self._kept, self._loading):
            for name in [name for name in known if name.startswith(prefix)]:
                del known[name]


@dataclass(slots=True)
class Runtime:
    """Everything that a use case may reach. Built by `bootstrap.py`, one per process."""

    settings: Settings
    clock: Clock
    http: OutgoingHttp
    keys: Sealer
    suppliers: Mapping[str, NumberSupplier]
    renderers: Mapping[str, EventRenderer]
    rate_sources: Mapping[str, RateSource]
    database: Database
    payments: Mapping[str, PaymentGateway] = field(default_factory=dict)
    #: How the companies behind the ports are called, by slug.
    provider_titles: Mapping[str, str] = field(default_factory=dict)
    #: "live" or "test": what the tokens that are made here say about themselves.
    environment: str = "live"
    #: No other process serves or works on this database, so nobody else needs word of changes.
    alone: bool = False
    memory: Memory = field(default_factory=Memory)
    #: The batchers of this process.
    batchers: dict[Batch[Any, Any], Batcher[Any, Any]] = field(default_factory=dict)
    #: Values that modules keep in this process between calls (counters, waiters for orders).
    states: dict[ProcessState[Any], Any] = field(default_factory=dict)

    @asynccontextmanager
    async def transaction(self, name: str, *, snapshot: bool = False) -> AsyncIterator[Tx]:
        """Open a named transaction; only use cases may.

        Raises Unavailable when the database is away. See `storage/database/pool.py`.
        """
        try:
            async with self.database.transaction(name, snapshot=snapshot) as tx:
                yield tx
        except OUTAGES as error:
            raise Unavailable from error

    async def run(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` in a named transaction once, whatever happens to the connection.

        Raises Unavailable or OutcomeUnknown.
        """
        return await self.database.run(name, work)

    async def repeat(
        self, name: str, work: Callable[[Tx], Awaitable[T]], *, books: bool = False
    ) -> T:
        """Run statements that may be repeated, through conflicts and short outages.

        Raises Unavailable (OutcomeUnknown if it `books`).
        """
        return await self.database.repeat(name, work, books=books)

    async def read(self, name: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Read everything as of one moment, through short outages. Raises Unavailable."""
        return await self.database.read(name, work)


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Generic[Item, Answer]):
    """A command for many callers at once, made once by the module that has it.

    `run` answers one for each item, in order, and may be repeated.
    """

    run: Callable[[Runtime, list[Item]], Awaitable[list[Answer]]]
    batch_max: int

    def submit(self, rt: Runtime, item: Item) -> asyncio.Future[Answer]:
        """Return a future of the item's answer, which comes with the batch that leaves next."""
        batcher = rt.batchers.get(self)
        if batcher is None:
            batcher = rt.batchers[self] = Batcher(partial(self.run, rt), batch_max=self.batch_max)
        return batcher.submit(item)


@dataclass(slots=True, eq=False)
class ProcessState(Generic[T]):
    """A value that a module keeps in each process between calls, declared once at module level.

    `make` builds it at the first use.
    """

    make: Callable[[Runtime], T]

    def of(self, rt: Runtime) -> T:
        """Return the value of this process."""
        if self not in rt.states:
            rt.states[self] = self.make(rt)
        return rt.states[self]
