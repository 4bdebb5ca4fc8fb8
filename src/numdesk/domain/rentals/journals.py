"""Journals of rentals."""

from __future__ import annotations

from numdesk.domain.ledger.chart import RENTAL_CHARGE, RENTAL_REFUND, bonus, rental_revenue, wallet
from numdesk.domain.ledger.journals import Journal, Transfer
from numdesk.domain.money import Money


def charge_rental(
    charge_id: int, *, customer_id: int, from_bonus: Money, from_wallet: Money
) -> Journal:
    """Return the journal of a rent or an extension: the rest of the bonus pays first, the wallet
    the rest."""
    return Journal(RENTAL_CHARGE, str(charge_id), _paid_by(customer_id, from_bonus, from_wallet))


def refund_rental(term_id: int, *, customer_id: int, to_bonus: Money, to_wallet: Money) -> Journal:
    """Return the journal that gives back what a term's charges took, each part to where it came
    from. A term is refunded once."""
    paid = _paid_by(customer_id, to_bonus, to_wallet)
    return Journal(
        RENTAL_REFUND,
        str(term_id),
        tuple(Transfer(one.credit, one.debit, one.amount) for one in paid),
    )


def _paid_by(customer_id: int, bonus_part: Money, wallet_part: Money) -> tuple[Transfer, ...]:
    currency = wallet_part.currency
    sides = (
        (bonus(customer_id, currency=currency), bonus_part),
        (wallet(customer_id, currency=currency), wallet_part),
    )
    return tuple(
        Transfer(account, rental_revenue(currency), part)
        for account, part in sides
        if part.units > 0
    )
