"""Routing: who is a candidate, in which order, and why not."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.fx import PriceCap
from numdesk.domain.stock.numbers import Offer
from numdesk.domain.stock.routing import (
    NEUTRAL_BUCKET,
    SCORE_ORDERS_MIN,
    Policy,
    Ranking,
    Tally,
    Wish,
    buckets,
    rank,
)

PROVIDERS = ("alpha", "beta", "gamma")
HEALTHY = frozenset(PROVIDERS)
BASE = Offer(1, 1, 6, 3, None, "alpha", "IDR", 1000, 500, 10, active=True)
offers = st.lists(
    st.builds(
        Offer, st.integers(1, 10**6), st.just(1), st.just(6), st.just(3), st.sampled_from([None, 1, 2]),
        st.sampled_from((*PROVIDERS, "sick")),
        st.just("IDR"), st.integers(0, 5), st.just(0), st.integers(0, 2), st.booleans(),
    ),
    max_size=12, unique_by=lambda offer: offer.id,
)  # fmt: skip
wishes = st.builds(
    Wish, st.sampled_from(Policy), st.sampled_from([None, 1]), st.none() | st.builds(PriceCap, st.integers(0, 3)),
    st.none() | st.builds(PriceCap, st.integers(2, 6)), st.sampled_from([None, *PROVIDERS]),
)  # fmt: skip
scorings = st.dictionaries(st.sampled_from(PROVIDERS), st.integers(0, 10))


def ranked(
    given_offers: Sequence[Offer],
    wish: Wish,
    scores: dict[str, int] | None = None,
    neutral: int = 5,
) -> Ranking:
    """Ranks with every known provider healthy."""
    return rank(given_offers, wish, healthy=HEALTHY, scores=scores or {}, neutral=neutral)


def ids(ranking: Ranking) -> list[int]:
    """Returns the candidates' ids, best first."""
    return [offer.id for offer in ranking.candidates]


class TestBuckets:
    """Success in steps of ten percent."""

    @pytest.mark.parametrize(
        ("total", "received", "bucket"),
        [(20, 0, 0), (20, 1, 0), (20, 2, 1), (29, 28, 9), (20, 20, 10), (1000, 999, 9)],
    )
    def test_round_down(self, total: int, received: int, bucket: int) -> None:
        """A step is reached only in full."""
        assert buckets({"alpha": Tally(total, received)}) == ({"alpha": bucket}, bucket)

    def test_leave_out_whoever_sold_too_little(self) -> None:
        """With fewer than twenty orders a provider has no score of its own and does not colour the
        neutral one."""
        few = Tally(SCORE_ORDERS_MIN - 1, SCORE_ORDERS_MIN - 1)
        assert buckets({"alpha": few}) == ({}, NEUTRAL_BUCKET)
        assert buckets({"alpha": few, "beta": Tally(20, 4)}) == ({"beta": 2}, 2)

    @given(
        st.dictionaries(
            st.sampled_from(PROVIDERS),
            st.integers(0, 100).flatmap(lambda t: st.builds(Tally, st.just(t), st.integers(0, t))),
        )
    )
    def test_pool_between_best_and_worst(self, tallies: dict[str, Tally]) -> None:
        """The neutral score lies between the worst and the best provider, all within 0 to 10."""
        scores, neutral = buckets(tallies)
        known = list(scores.values()) or [NEUTRAL_BUCKET]
        assert 0 <= min(known) <= neutral <= max(known) <= 10


class TestCandidates:
    """Who may serve."""

    @pytest.mark.parametrize(("changes", "wish", "reason"), [
        ({}, Wish(), None),
        ({"active": False}, Wish(), "inactive"),
        ({"provider": "sick"}, Wish(), "provider unhealthy"),
        ({"available": 0}, Wish(), "no stock"),
        ({}, Wish(operator_id=1), "other operator"),
        ({"operator_id": 1}, Wish(operator_id=1), None),
        ({"operator_id": 1}, Wish(), None),
        ({}, Wish(min_price=PriceCap(1001)), "below min price"),
        ({}, Wish(max_price=PriceCap(999)), "above max price"),
        ({}, Wish(min_price=PriceCap(1000), max_price=PriceCap(1000)), None),
        ({"price": 16_251}, Wish(max_price=PriceCap(shown=Decimal("1.0001")), rate=16_250), None),
        ({"price": 16_252}, Wish(max_price=PriceCap(shown=Decimal("1.0000")), rate=16_250), "above max price"),
    ])  # fmt: skip
    def test_are_left_out_for_one_reason(
        self, changes: dict[str, object], wish: Wish, reason: str | None
    ) -> None:
        """Each reason is told in the explanation."""
        ranking = ranked([replace(BASE, **changes)], wish)
        assert ranking.explanation[0]["left_out"] == reason
        assert len(ranking.candidates) == int(reason is None)

    @given(offers, wishes, scorings)
    def test_are_explained_one_by_one(
        self, given_offers: list[Offer], wish: Wish, scores: dict[str, int]
    ) -> None:
        """Every offer has its line, and candidates are exactly those without a reason against
        them."""
        ranking = ranked(given_offers, wish, scores)
        assert ranking.considered == len(ranking.explanation) == len(given_offers)
        kept = [line["offer"] for line in ranking.explanation if line["left_out"] is None]
        assert set(ids(ranking)) == set(kept)
        assert len(ids(ranking)) == len(kept)


class TestOrder:
    """Who comes first."""

    @given(offers, wishes, scorings, st.randoms())
    def test_does_not_depend_on_the_order_of_asking(
        self, given_offers: list[Offer], wish: Wish, scores: dict[str, int], chance: object
    ) -> None:
        """Shuffled offers rank the same."""
        shuffled = list(given_offers)
        chance.shuffle(shuffled)  # type: ignore[attr-defined] - random.Random
        assert ids(ranked(shuffled, wish, scores)) == ids(ranked(given_offers, wish, scores))

    @given(offers, wishes, scorings)
    def test_follows_the_policy(
        self, given_offers: list[Offer], wish: Wish, scores: dict[str, int]
    ) -> None:
        """Cheapest never puts a dearer offer first.

        Best success puts the preferred first and then never a worse score.
        """
        found = ranked(given_offers, wish, scores).candidates
        for first, second in pairwise(found):
            one, two = (scores.get(offer.provider, 5) for offer in (first, second))
            other_one, other_two = (
                offer.provider != wish.prefer_provider for offer in (first, second)
            )
            if wish.policy is Policy.CHEAPEST:
                assert (first.price, other_one, -one) <= (second.price, other_two, -two)
            else:
                assert (other_one, -one, first.price) <= (other_two, -two, second.price)

    def test_prefers_softly_under_cheapest(self) -> None:
        """A preferred provider wins a tie of prices and loses to a cheaper one."""
        cheap, dear, tied = (
            replace(BASE, id=1, price=900),
            replace(BASE, id=2, provider="beta"),
            replace(BASE, id=3),
        )
        assert ids(ranked([dear, tied, cheap], Wish(prefer_provider="beta"))) == [1, 2, 3]

    def test_prefers_firmly_under_best_success(self) -> None:
        """A preferred provider stands first although it is dearer and worse."""
        best, preferred = replace(BASE, id=1), replace(BASE, id=2, provider="beta", price=9000)
        wish = Wish(Policy.BEST_SUCCESS, prefer_provider="beta")
        assert ids(ranked([best, preferred], wish, {"alpha": 10, "beta": 0})) == [2, 1]

    def test_puts_an_unknown_provider_in_the_middle(self) -> None:
        """Without a score of its own a provider counts as neutral: neither buried nor ahead."""
        good, new, bad = (
            replace(BASE, id=1),
            replace(BASE, id=2, provider="beta"),
            replace(BASE, id=3, provider="gamma"),
        )
        assert ids(
            ranked([bad, new, good], Wish(Policy.BEST_SUCCESS), {"alpha": 8, "gamma": 3})
        ) == [1, 2, 3]
