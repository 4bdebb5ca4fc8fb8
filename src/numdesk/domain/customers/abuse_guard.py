"""The abuse guard: closes ordering for a while when too many of a customer's orders end without a
message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: How many orders a customer may cancel in one UTC day.
CANCELS_PER_DAY_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Tier:
    """The trigger of the guard: at least `orders_min` orders ended within `window`, fewer than
    `percent_min` of them with a message."""

    name: str
    window: timedelta
    orders_min: int
    percent_min: int
    ban: timedelta


#: The hardest tier first: the first that applies decides.
TIERS = (
    Tier("HARD", timedelta(hours=24), 300, 5, timedelta(hours=4)),
    Tier("SOFT", timedelta(hours=1), 100, 5, timedelta(minutes=15)),
)


@dataclass(frozen=True, slots=True)
class Hour:
    """The endings of a customer's orders in one hour."""

    hour: datetime
    received: int
    canceled: int
    expired: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ordering is closed until then, by this tier."""

    until: datetime
    tier: str


def judge(
    hours: Iterable[Hour], *, now: datetime, tiers: tuple[Tier, ...] = TIERS
) -> Verdict | None:
    """Return the ban that a customer's last hours call for, or None."""
    known = list(hours)
    for tier in tiers:
        recent = [hour for hour in known if hour.hour > now - tier.window - timedelta(hours=1)]
        received = sum(hour.received for hour in recent)
        total = received + sum(hour.canceled + hour.expired for hour in recent)
        if total >= tier.orders_min and received * 100 < tier.percent_min * total:
            return Verdict(now + tier.ban, tier.name)
    return None


def cancels_today(hours: Iterable[Hour], *, now: datetime) -> int:
    """Return how many orders the customer cancelled in the UTC day of `now`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(hour.canceled for hour in hours if hour.hour >= midnight)
