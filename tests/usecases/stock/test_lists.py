"""Price lists: of lines that contradict each other none is loaded."""

from __future__ import annotations

import random
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from numdesk.usecases.stock.lists import BadLine, Fact, Loaded, PriceList, Stated

#: (offer, price, cost or None)
SAID = st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2]), st.sampled_from([None, 1, 2]))


def stated(number: int, said: tuple[str, int, int | None]) -> Stated[str]:
    """Returns a line that gives an offer a price and perhaps a cost."""
    offer, price, cost = said
    facts: dict[Hashable, Fact] = {("price", offer): Fact("price", price, str(price))}
    return Stated(
        number, facts | ({("cost", offer): Fact("cost", cost, str(cost))} if cost else {}), offer
    )


class TestPriceList:
    @given(st.lists(SAID, max_size=8), st.randoms(use_true_random=False))
    def test_keeps_only_lines_that_agree_with_all_others(
        self, said: list[tuple[str, int, int | None]], luck: random.Random
    ) -> None:
        """A line is refused when another one gives a different value for one of its facts, in
        whatever order they stand."""
        lines = [stated(number, one) for number, one in enumerate(said)]
        expected = {
            mine.number
            for mine in lines
            for subject, fact in mine.facts.items()
            if any(
                subject in theirs.facts and theirs.facts[subject].value != fact.value
                for theirs in lines
            )
        }
        refused: list[BadLine] = []
        total = Loaded()
        listed: PriceList[str] = PriceList(refused.append, total)
        listed.add(luck.sample(lines, len(lines)))
        agreed, values = listed.agreed()
        assert {bad.line for bad in refused} == expected
        assert {(one.line, one.facts["price", one.line].value) for one in agreed} == {
            (offer, price)
            for number, (offer, price, _) in enumerate(said)
            if number not in expected
        }
        assert len(agreed) + total.present + total.bad == len(said)
        assert values == {
            subject: fact.value
            for one in lines
            if one.number not in expected
            for subject, fact in one.facts.items()
        }
