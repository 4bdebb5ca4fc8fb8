"""Routing: ranks the offers for one catalogue product, and says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from numdesk.domain.fx import PriceCap, at_least, at_most
from numdesk.domain.stock.numbers import Offer

#: A provider counts in the score only with this many orders in the window.
SCORE_ORDERS_MIN = 20
#: The bucket of a provider without enough orders when no provider has enough.
NEUTRAL_BUCKET = 5
#: The score looks at this many whole UTC days before today.
SCORE_DAYS = 30
#: A day counts as final this long after its end: no use of a number runs longer.
FINAL_AFTER = timedelta(minutes=20)
#: How many offers one number's attempt tries before it gives up.
ATTEMPTS_MAX = 4


class Policy(StrEnum):
    """The order of offers."""

    CHEAPEST = "cheapest"
    BEST_SUCCESS = "best_success"


@dataclass(frozen=True, slots=True)
class Wish:
    """The wish of a customer. `operator_id` None means any.

    `rate` is needed when a cap is shown in another currency.
    """

    policy: Policy = Policy.CHEAPEST
    operator_id: int | None = None
    min_price: PriceCap | None = None
    max_price: PriceCap | None = None
    prefer_provider: str | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """A provider's orders of the window: how many got a number, how many of those a message."""

    total: int
    received: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates, best first, and a line for each offer that was looked at (for the explanation
    that is kept)."""

    candidates: tuple[Offer, ...]
    considered: int
    explanation: tuple[dict[str, object], ...]


def buckets(tallies: Mapping[str, Tally]) -> tuple[dict[str, int], int]:
    """Return each qualifying provider's score in steps of ten percent (0..10), and the neutral
    score of all others."""
    qualified = {slug: tally for slug, tally in tallies.items() if tally.total >= SCORE_ORDERS_MIN}
    scores = {slug: 10 * tally.received // tally.total for slug, tally in qualified.items()}
    pooled = sum(tally.total for tally in qualified.values())
    neutral = (
        10 * sum(tally.received for tally in qualified.values()) // pooled
        if pooled
        else NEUTRAL_BUCKET
    )
    return scores, neutral


def rank(
    offers: Iterable[Offer],
    wish: Wish,
    *,
    healthy: frozenset[str],
    scores: Mapping[str, int],
    neutral: int,
) -> Ranking:
    """Return the offers that satisfy the wish, best first, with the reason for every one that was
    left out."""
    kept: list[tuple[tuple[object, ...], Offer]] = []
    lines: list[dict[str, object]] = []
    considered = 0
    for offer in offers:
        considered += 1
        score = scores.get(offer.provider, neutral)
        reason = _left_out(offer, wish, healthy)
        if reason is None:
            kept.append((_sort_key(offer, wish, score), offer))
        lines.append(
            {
                "offer": offer.id,
                "provider": offer.provider,
                "price": offer.price,
                "score": score,
                "scored": offer.provider in scores,
                "left_out": reason,
            }
        )
    kept.sort(key=lambda pair: pair[0])
    return Ranking(tuple(offer for _, offer in kept), considered, tuple(lines))


def _left_out(offer: Offer, wish: Wish, healthy: frozenset[str]) -> str | None:
    """Return why the offer is no candidate, or None."""
    if not offer.active or offer.provider not in healthy:
        return "inactive" if not offer.active else "provider unhealthy"
    if offer.available <= 0:
        return "no stock"
    if wish.operator_id is not None and offer.operator_id != wish.operator_id:
        return "other operator"
    if not at_least(offer.price, wish.min_price, rate=wish.rate):
        return "below min price"
    return None if at_most(offer.price, wish.max_price, rate=wish.rate) else "above max price"


def _sort_key(offer: Offer, wish: Wish, score: int) -> tuple[object, ...]:
    """A preferred provider breaks price ties under `cheapest`, and stands first under
    `best_success`."""
    other = offer.provider != wish.prefer_provider
    if wish.policy is Policy.CHEAPEST:
        return (offer.price, other, -score, offer.provider, offer.id)
    return (other, -score, offer.price, offer.provider, offer.id)
