"""Journals and holds of orders."""

from __future__ import annotations

from numdesk.domain.ledger.chart import ORDER_EARN, cost_of_sales, order_revenue, payable, wallet
from numdesk.domain.ledger.journals import Hold, Journal, Transfer
from numdesk.domain.money import Money

ORDER_HOLD = "order"


def hold_for_order(order_id: int, *, wallet_id: int, price: Money) -> Hold:
    """Return the hold of an order's price.

    When the order ends unearned the hold is voided or expires, and no journal is written.
    """
    return Hold(ORDER_HOLD, order_id, wallet_id, price)


def earn_order(
    order_id: int, *, customer_id: int, provider: str, price: Money, cost: Money
) -> Journal:
    """Return the journal that posts an order's hold: the price becomes revenue, the cost is owed to
    the provider."""
    sides = (
        (wallet(customer_id, currency=price.currency), order_revenue(price.currency), price),
        (
            cost_of_sales(provider, currency=cost.currency),
            payable(provider, currency=cost.currency),
            cost,
        ),
    )
    return Journal(
        ORDER_EARN, f"ord:{order_id}", tuple(Transfer(*side) for side in sides if side[2].units > 0)
    )
