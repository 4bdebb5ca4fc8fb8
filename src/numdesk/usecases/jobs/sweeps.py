"""Sweeps: due items are done in batches, and an item that cannot be done never stops the others.

A batch that fails is done again in halves, until the bad items stand alone. Each is set aside with
its reason, tried again by itself after a minute, then less and less often, and named by `numdesk
doctor`. An outage of the database is nobody's fault: it ends the sweep, and nothing is set aside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from prometheus_client import Counter

from numdesk.domain.errors import Unavailable
from numdesk.kit.log import get_logger
from numdesk.storage.jobs import set_aside as rows
from numdesk.storage.jobs.set_aside import Aside

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

#: What names an item: a number or text, alone or with others in a tuple. Its text is unique in the
#: sweep.
Key = TypeVar("Key")
Done = TypeVar("Done")
#: Items shown by `doctor`.
SHOWN_MAX = 100
#: When one sweep has set so many items aside, no item is to blame: the next batch that fails ends
#: the sweep.
ASIDE_MAX = 10_000

_log = get_logger(__name__, "item", "work")
_failures = Counter(
    "numdesk_set_aside_total",
    "Items that background work could not do and went on without",
    ["name"],
)
_unnoted = Counter(
    "numdesk_set_aside_unnoted_total",
    "Items of background work of which nothing could be written down",
    ["name"],
)


class Due(Protocol[Key]):
    """Finds and locks the due items."""

    def __call__(
        self, tx: Tx, /, *, limit: int, without: Sequence[Key], only: Sequence[Key] | None
    ) -> Awaitable[list[Key]]:
        """Return up to `limit` keys of due items, leaving some out, or only of those named."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep(Generic[Key, Done]):
    """The due items and the act on each; both in one transaction."""

    name: str
    limit: int
    due: Due[Key]
    do: Callable[[Tx, list[Key]], Awaitable[Sequence[Done]]]
    #: Returns the key that a text stands for.
    key: Callable[[str], Key]
    #: Notes, with a batch that was done whole, that it need not be looked at again.
    passed: Callable[[Tx, list[Key]], Awaitable[None]] | None = None
    #: Does what must stay shorten a batch? Then only an empty one is the last.
    may_be_short: bool = False


async def sweep(rt: Runtime, work: Sweep[Key, Done]) -> list[Done]:
    """Do everything that is due, batch after batch, and return the results.

    Raises Unavailable when the database is away.
    """
    done: list[Done] = []
    aside = await of_sweep(rt, work.name)
    while True:
        keys, results, aside = await _round(rt, work, aside)
        done += results
        if len(keys) < (1 if work.may_be_short else work.limit):
            break
    for one in again(rt, aside):
        done += (
            await attempt(
                rt,
                work.name,
                one.item,
                partial(only, rt, work, [work.key(one.item)]),
                is_aside=True,
            )
            or []
        )
    return done


async def once(rt: Runtime, work: Sweep[Key, Done]) -> list[Done]:
    """Do one batch of due items, except those set aside, and return the results.

    Raises Unavailable likewise.
    """
    _, results, _ = await _round(rt, work, await of_sweep(rt, work.name))
    return results


async def only(rt: Runtime, work: Sweep[Key, Done], keys: Sequence[Key]) -> Sequence[Done]:
    """Do some items in a transaction of their own, if they are due still."""
    return (await _batch(rt, work, without=[], only=keys))[1]


async def of_sweep(rt: Runtime, name: str) -> list[Aside]:
    """Return what a sweep has set aside."""
    return await rt.repeat("sweeps.aside", lambda tx: rows.of_sweep(tx, name))


def again(rt: Runtime, aside: Sequence[Aside]) -> list[Aside]:
    """Return those of the items that it is time to try again."""
    now = rt.clock.now()
    return [one for one in aside if one.again_at <= now]


async def every(rt: Runtime) -> list[Aside]:
    """Return the items set aside by any sweep, the longest first, at most SHOWN_MAX."""
    return await rt.repeat("sweeps.every", lambda tx: rows.listed(tx, limit=SHOWN_MAX))


async def attempt(
    rt: Runtime, name: str, item: str, work: Callable[[], Awaitable[Done]], *, is_aside: bool
) -> Done | None:
    """Do one item and return its result; one that cannot be done is set aside, and None returned.

    `is_aside` says that it was set aside before: then that is forgotten when it is done. What
    cannot be written down about it stops nothing either. Raises Unavailable when the database is
    away.
    """
    try:
        result = await work()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's and stops no other
        reason = f"{type(error).__name__}: {error}"
        now = rt.clock.now()
        _failures.labels(name).inc()
        put = partial(
            rt.run,
            "sweeps.put",
            lambda tx: rows.put(tx, sweep=name, item=item, reason=reason, now=now),
        )
        failures = await _note(name, item, put)
        _log.error(
            "background work went on without an item",
            work=name,
            item=item,
            count=failures,
            reason=reason,
            exc_info=error,
        )
        return None
    if is_aside:
        await forget(rt, name, item)
    return result


async def forget(rt: Runtime, name: str, item: str) -> None:
    """Forget that an item was set aside. Raises Unavailable when the database is away."""
    await _note(
        name, item, partial(rt.run, "sweeps.drop", lambda tx: rows.drop(tx, sweep=name, item=item))
    )


async def apart(
    rt: Runtime,
    name: str,
    items: Sequence[Key],
    work: Callable[[Sequence[Key]], Awaitable[Sequence[Done]]],
    *,
    text: Callable[[Key], str] = str,
) -> list[Done]:
    """Do items that failed together in halves, until those that fail stand alone and are set aside.

    Return the results of all others.

    `text` names an item. Raises Unavailable when the database is away.
    """
    if len(items) < 2:
        return [
            one
            for item in items
            for one in await attempt(rt, name, text(item), partial(work, [item]), is_aside=False)
            or []
        ]
    done: list[Done] = []
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        try:
            done += (
                await work(half) if len(half) > 1 else await apart(rt, name, half, work, text=text)
            )
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - the halves of it tell which item is to blame
            done += await apart(rt, name, half, work, text=text)
    return done


async def _note(name: str, item: str, write: Callable[[], Awaitable[Done]]) -> Done | None:
    """Write down what became of an item.

    A failure of that is logged and counted, and None returned.
    """
    try:
        return await write()
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - the next failure of the item, or its next success, writes it down
        _unnoted.labels(name).inc()
        _log.exception("what became of an item could not be written down", work=name, item=item)
        return None


async def _round(
    rt: Runtime, work: Sweep[Key, Done], aside: list[Aside]
) -> tuple[list[Key], list[Done], list[Aside]]:
    """Do one batch, in parts when it fails.

    Return the keys, their results, and the items set aside now.

    When what failed could not be set aside it returns no keys: the next batch would be the same.
    """
    without = [work.key(one.item) for one in aside]
    try:
        keys, results = await _batch(rt, work, without=without, only=None)
    except Unavailable:
        raise
    except Exception as error:
        if len(aside) >= ASIDE_MAX:
            raise
        _log.warning(
            "a batch failed and is done in parts",
            work=work.name,
            error=type(error).__name__,
            reason=str(error),
        )
    else:
        return keys, list(results), aside
    keys = await rt.run(
        work.name, lambda tx: work.due(tx, limit=work.limit, without=without, only=None)
    )
    results = await apart(rt, work.name, keys, lambda some: only(rt, work, some))
    now_aside = await of_sweep(rt, work.name)
    return keys if len(now_aside) > len(aside) else [], results, now_aside


async def _batch(
    rt: Runtime, work: Sweep[Key, Done], *, without: Sequence[Key], only: Sequence[Key] | None
) -> tuple[list[Key], Sequence[Done]]:
    """Do the due items in one transaction; return the keys and their results."""

    async def run(tx: Tx) -> tuple[list[Key], Sequence[Done]]:
        keys = await work.due(
            tx, limit=work.limit if only is None else len(only), without=without, only=only
        )
        done = await work.do(tx, keys) if keys else []
        if keys and only is None and work.passed is not None:
            await work.passed(tx, keys)
        return keys, done

    return await rt.run(work.name, run)
