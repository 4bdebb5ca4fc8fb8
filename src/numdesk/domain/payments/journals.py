"""Journals of top-ups."""

from __future__ import annotations

from collections.abc import Iterable

from numdesk.domain.ledger.chart import (
    TOPUP_CLAWBACK,
    TOPUP_CREDIT,
    gateway_clearing,
    gateway_fee,
    receivable,
    topup_discount,
    unapplied,
    wallet,
)
from numdesk.domain.ledger.journals import AccountName, Journal, Transfer
from numdesk.domain.money import Money
from numdesk.domain.payments.topups import Share


def topup(  # noqa: PLR0913 - who, where, what was and what is to be
    *,
    customer_id: int,
    provider: str,
    currency: str,
    ref: str,
    was: tuple[Share, int],
    becomes: tuple[Share, int],
) -> Journal:
    """Return the journal that moves the booking of a payment from one share to another, each with
    the customer's debt of it.

    A credit and what takes it back are the same act with other signs: each account moves by the
    difference, so that whatever was booked before, and however often it went to and fro, the ledger
    holds exactly the last share.
    """
    (old, owed_before), (new, owed_after) = was, becomes
    gain = new.credit - old.credit + owed_after - owed_before
    gains = (
        (gateway_clearing(provider, currency=currency), old.net - new.net),
        (gateway_fee(provider, currency=currency), old.fee - new.fee),
        (topup_discount(currency), old.discount - new.discount),
        (receivable(customer_id, currency=currency), owed_before - owed_after),
        (unapplied(currency), new.suspense - old.suspense),
        (wallet(customer_id, currency=currency), gain),
    )
    reason = TOPUP_CLAWBACK if gain < 0 or new.credit < old.credit else TOPUP_CREDIT
    return Journal(reason, ref, _pair(gains, currency=currency))


def _pair(gains: Iterable[tuple[AccountName, int]], *, currency: str) -> tuple[Transfer, ...]:
    """Return the transfers by which each account gains what it should, in the order in which they
    are named; the sum must be zero."""
    left = dict(gains)
    assert sum(left.values()) == 0, "what accounts gain sums to zero"
    transfers: list[Transfer] = []
    for credit in [name for name, gain in left.items() if gain > 0]:
        for debit in [name for name, gain in left.items() if gain < 0]:
            units = min(left[credit], -left[debit])
            if units:
                transfers.append(Transfer(debit, credit, Money(units, currency)))
                left[credit] -= units
                left[debit] += units
    return tuple(transfers)
