"""Exchange rates: the one that counts now, setting it, fetching it from its sources."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from numdesk.domain.errors import InvalidInput, RateUnavailable
from numdesk.domain.fx import Rate
from numdesk.domain.money import AMOUNT_MAX, DECIMALS
from numdesk.ports.errors import ProviderError
from numdesk.storage import rates as rows
from numdesk.usecases.desk.provider_calls import answered

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: A rate older than this is no rate: showing money at yesterday's price is worse than showing none.
AGE_MAX = timedelta(hours=24)
#: How soon a customer may ask again for a rate that there is not.
RETRY_AFTER_S = 30
#: What is remembered is dropped when the version changes; this bounds the harm of a change that
#: went unnoticed.
REMEMBERED_S = 30.0


async def current(rt: Runtime, pair: str) -> Rate:
    """Return the rate of a pair. Raises RateUnavailable when there is none or it is too old."""

    async def load() -> Rate | None:
        return await rt.repeat("rates.read", lambda tx: rows.read(tx, pair=pair))

    rate = await rt.memory.get(f"rates:{pair}", load, age_max_s=REMEMBERED_S)
    if rate is None or not is_fresh(rate, rt.clock.now()):
        raise RateUnavailable(pair=pair, retry_after_s=RETRY_AFTER_S)
    return rate


def remembered(rt: Runtime, pair: str) -> Rate | None:
    """Return the rate of a pair when it is fresh and in memory, else None (which says nothing about
    whether there is one)."""
    rate: Rate | None = rt.memory.peek(f"rates:{pair}", age_max_s=REMEMBERED_S)
    return rate if rate is not None and is_fresh(rate, rt.clock.now()) else None


async def every(rt: Runtime) -> list[Rate]:
    """Return all rates, fresh or not."""
    return await rt.repeat("rates.every", rows.every)


async def set_rate(rt: Runtime, pair: str, value: int | None) -> None:
    """Set the rate of a pair as of now, or takes it away. Raises InvalidInput."""
    base, _, quote = pair.partition("/")
    if base not in DECIMALS or quote not in DECIMALS or base == quote:
        raise InvalidInput(
            field="pair", reason="must be two different known currencies, such as USD/IDR"
        )
    if value is None:
        await rt.run("rates.remove", lambda tx: rows.remove(tx, pair=pair))
    elif 0 < value <= AMOUNT_MAX:
        rate = Rate(pair, value, rt.clock.now())
        await rt.run("rates.set", lambda tx: rows.write(tx, rate=rate))
    else:
        raise InvalidInput(field="rate", reason=f"must be a whole number from 1 to {AMOUNT_MAX}")
    rt.memory.forget(f"rates:{pair}")


async def refresh(rt: Runtime, *, pairs: tuple[str, ...] = ("USD/IDR",)) -> int:
    """Ask the sources for each pair, the first that knows it wins, and return how many rates were
    set.

    A pair that no source knows keeps its last rate, which ages.
    """
    found = 0
    for pair in pairs:
        value = await _ask(rt, pair)
        if value is not None:
            await set_rate(rt, pair, value)
            found += 1
    return found


async def _ask(rt: Runtime, pair: str) -> int | None:
    for source in rt.rate_sources.values():
        try:
            value = await answered(source.rate(pair))
        except ProviderError:
            continue
        if value is not None:
            return value
    return None


def is_fresh(rate: Rate, now: datetime) -> bool:
    """Return whether the rate is young enough to be used."""
    return rate.as_of is not None and now - rate.as_of <= AGE_MAX
