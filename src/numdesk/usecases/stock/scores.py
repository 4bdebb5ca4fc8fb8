"""Scores of providers: how many of their orders got a message, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from numdesk.domain.stock.routing import FINAL_AFTER, SCORE_DAYS, buckets
from numdesk.storage.stock import catalogue as rows

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


#: The last finished day is counted anew this often, because a late first message still counts.
SCORES_AGE_MAX_S = 600.0


@dataclass(frozen=True, slots=True)
class _Scores:
    """The success buckets that hold on a day."""

    day: date
    buckets: dict[str, int]
    neutral: int


async def refresh_scores(rt: Runtime) -> None:
    """Count the orders of finished UTC days that are not final yet.

    A day is final when the last of its orders has run out.
    """
    now = rt.clock.now()
    today = now.date()
    final_through = (now - FINAL_AFTER).date() - timedelta(days=1)

    async def work(tx: Tx) -> None:
        known = await rows.scored_through(tx)
        first = today - timedelta(days=SCORE_DAYS)
        if known is not None and known >= first:
            first = min(known + timedelta(days=1), today)
        if first < today:
            await rows.tally_days(
                tx, since=_midnight(first), until=_midnight(today), final_through=final_through
            )

    await rt.run("catalogue.refresh_scores", work)


async def _scores(rt: Runtime) -> _Scores:
    """Return the scores of the desk's day, counted anew when the day has changed."""
    day = rt.clock.now().date()
    known: _Scores | None = rt.memory.peek("provider_scores")
    if known is not None and known.day != day:
        rt.memory.forget("provider_scores")
    return await rt.memory.get(
        "provider_scores", lambda: _load_scores(rt, day), age_max_s=SCORES_AGE_MAX_S
    )


async def _load_scores(rt: Runtime, day: date) -> _Scores:
    await refresh_scores(rt)
    first, last = day - timedelta(days=SCORE_DAYS), day - timedelta(days=1)
    tallies = await rt.repeat(
        "catalogue.tallies", lambda tx: rows.tallies(tx, first=first, last=last)
    )
    scores, neutral = buckets(tallies)
    return _Scores(day, scores, neutral)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
