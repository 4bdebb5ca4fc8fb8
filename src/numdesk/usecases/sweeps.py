"""Sweeps: what is due is done in batches, and an item that cannot be done never stops the others.

A batch that fails is done again item by item. The bad one is set aside with its reason, tried again by itself after a minute, then less and
less often, and named by `numdesk doctor`. An outage of the database is nobody's fault: it ends the sweep, and nothing is set aside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from prometheus_client import Counter

from numdesk.domain.errors import Unavailable
from numdesk.kit.log import get_logger
from numdesk.storage import set_aside as rows
from numdesk.storage.set_aside import Aside

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.pool import Tx

Done = TypeVar("Done")
#: Items shown by `doctor`.
SHOWN_MAX = 100

_log = get_logger(__name__, "item", "work")
_failures = Counter("numdesk_set_aside_total", "Items that background work could not do and went on without", ["name"])


class Due(Protocol):
    """Finds and locks what is due."""

    def __call__(self, tx: Tx, /, *, limit: int, without: Sequence[int], only: Sequence[int] | None) -> Awaitable[list[int]]:
        """Return up to `limit` ids that are due, leaving some out, or only of those named."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep(Generic[Done]):
    """What is due, and what does it; both in one transaction."""

    name: str
    limit: int
    due: Due
    do: Callable[[Tx, list[int]], Awaitable[Sequence[Done]]]


async def sweep(rt: Runtime, work: Sweep[Done]) -> list[Done]:
    """Does everything that is due, batch after batch, and returns what came of it. Raises Unavailable when the database is away."""
    done: list[Done] = []
    while True:
        aside = await of_sweep(rt, work.name)
        without = [int(one.item) for one in aside]
        try:
            ids, results = await _batch(rt, work, without=without, only=None)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one item is to blame: the others are done by themselves
            _log.warning("a batch failed and is done item by item", work=work.name, error=type(error).__name__, reason=str(error))
            ids = await rt.run(work.name, lambda tx, left_out=without: work.due(tx, limit=work.limit, without=left_out, only=None))
            results = []
            for item in ids:
                results += await _alone(rt, work, item)
        done += results
        if len(ids) < work.limit:
            break
    for one in again(rt, aside):
        done += await _alone(rt, work, int(one.item), is_aside=True)
    return done


async def of_sweep(rt: Runtime, name: str) -> list[Aside]:
    """Returns what a sweep has set aside."""
    return await rt.repeat("sweeps.aside", lambda tx: rows.of_sweep(tx, name))


def again(rt: Runtime, aside: Sequence[Aside]) -> list[Aside]:
    """Returns those of the items that it is time to try again."""
    now = rt.clock.now()
    return [one for one in aside if one.again_at <= now]


async def every(rt: Runtime) -> list[Aside]:
    """Returns what is set aside by any sweep, the longest first, at most SHOWN_MAX."""
    return await rt.repeat("sweeps.every", lambda tx: rows.listed(tx, limit=SHOWN_MAX))


async def attempt(rt: Runtime, name: str, item: str, work: Callable[[], Awaitable[Done]], *, is_aside: bool) -> Done | None:
    """Does one item and returns what came of it; one that cannot be done is set aside, and None returned.

    `is_aside` says that it was set aside before: then it is taken back when it is done. Raises Unavailable when the database is away.
    """
    try:
        result = await work()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's and stops no other
        reason = f"{type(error).__name__}: {error}"
        now = rt.clock.now()
        failures = await rt.run("sweeps.put", lambda tx: rows.put(tx, sweep=name, item=item, reason=reason, now=now))
        _failures.labels(name).inc()
        _log.error("background work went on without an item", work=name, item=item, count=failures, reason=reason, exc_info=error)
        return None
    if is_aside:
        await rt.run("sweeps.drop", lambda tx: rows.drop(tx, sweep=name, item=item))
    return result


async def _alone(rt: Runtime, work: Sweep[Done], item: int, *, is_aside: bool = False) -> Sequence[Done]:
    """Does one item in a transaction of its own, if it is due still."""

    async def do() -> Sequence[Done]:
        return (await _batch(rt, work, without=[], only=[item]))[1]

    return await attempt(rt, work.name, str(item), do, is_aside=is_aside) or []


async def _batch(rt: Runtime, work: Sweep[Done], *, without: Sequence[int], only: Sequence[int] | None) -> tuple[list[int], Sequence[Done]]:
    """Does what is due in one transaction; returns the ids, and what came of them."""

    async def run(tx: Tx) -> tuple[list[int], Sequence[Done]]:
        ids = await work.due(tx, limit=work.limit, without=without, only=only)
        return ids, await work.do(tx, ids) if ids else []

    return await rt.run(work.name, run)
