"""A moment of the catalogue fills in stock when it is looked at, and never another moment's."""

from numdesk.domain.stock.catalogue import LOCAL, Shelf, Stock, Tiers
from numdesk.domain.stock.numbers import Offer


def offer(offer_id: int, *, provider: str = LOCAL, operator_id: int | None = None) -> Offer:
    """Returns an offer of one product with seven in stock, as a supplier would have told it."""
    return Offer(offer_id, 1, 6, 3, operator_id, provider, "IDR", 3000, 100, 7, active=True)


class TestStock:
    """What an offer could sell."""

    def test_is_never_below_zero(self) -> None:
        """A count of cooling numbers that is newer than the count of free ones does no harm."""
        stock = Stock({(6, None): 1}, {(6, None, 3): 5})
        assert stock.available(offer(1)) == 0

    def test_has_none_where_nothing_was_counted(self) -> None:
        """No count is no stock."""
        assert Stock({}, {}).available(offer(1)) == 0


class TestShelf:
    """Offers with their stock."""

    def test_counts_ours_and_believes_others(self) -> None:
        """Our own stock comes from the count, a supplier's from what it told."""
        shelf = Shelf({1: offer(1), 2: offer(2, provider="other")}, Stock({(6, None): 4}, {}))
        assert (shelf[1].available, shelf[2].available) == (4, 7)

    def test_keeps_moments_apart(self) -> None:
        """Two moments of one structure share offers and each shows its own stock."""
        known = {1: offer(1)}
        old, new = Shelf(known, Stock({(6, None): 4}, {})), Shelf(known, Stock({(6, None): 2}, {}))
        assert [old[1].available, new[1].available, old[1].available] == [4, 2, 4]

    def test_groups_by_product(self) -> None:
        """A product's tiers are the shelf's offers."""
        shelf = Shelf(
            {1: offer(1), 2: offer(2, operator_id=9)}, Stock({(6, None): 4, (6, 9): 1}, {})
        )
        tiers = Tiers({1: (1, 2)}, shelf)
        assert [tier.available for tier in tiers[1]] == [4, 1]
        assert (len(tiers), list(tiers), len(shelf)) == (1, [1], 2)
