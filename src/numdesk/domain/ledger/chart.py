"""The chart of accounts and the journal of each business act. SQL uses the same words; docs/ledger.md has an example of each."""

from __future__ import annotations

from collections.abc import Iterable

from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.ledger.journals import AccountKind, AccountName, Hold, Journal, Transfer
from numdesk.domain.money import AMOUNT_MAX, Money
from numdesk.domain.payments.topups import Share

ORDER_HOLD = "order"
ORDER_EARN = "order.earn"
ADJUSTMENT = "adjustment"
REVERSAL = "reversal"
BONUS_GIVEN = "bonus.given"
RENTAL_CHARGE = "rental.charge"
RENTAL_REFUND = "rental.refund"
TOPUP_CREDIT = "topup.credit"
TOPUP_CLAWBACK = "topup.clawback"

#: What no reversal undoes.
IRREVERSIBLE = frozenset({REVERSAL, RENTAL_CHARGE, RENTAL_REFUND, TOPUP_CREDIT, TOPUP_CLAWBACK})
#: A reference is typed by people and kept for ever; longer ones belong in the note.
REF_LENGTH_MAX = 200


def wallet(customer_id: int, *, currency: str) -> AccountName:
    """Names a customer's wallet: what we owe them."""
    return AccountName(AccountKind.WALLET, currency, owner=customer_id)


def bonus(customer_id: int, *, currency: str) -> AccountName:
    """Names what we gave a customer to spend; it is spent before the wallet."""
    return AccountName(AccountKind.BONUS, currency, owner=customer_id)


def bonus_given(currency: str) -> AccountName:
    """Names the other side of what we gave away; its balance is minus that."""
    return AccountName(AccountKind.FUNDING, currency, label="bonus")


def order_revenue(currency: str) -> AccountName:
    """Names the account of what orders earned."""
    return AccountName(AccountKind.REVENUE, currency, label="orders")


def rental_revenue(currency: str) -> AccountName:
    """Names the account of what rentals earned."""
    return AccountName(AccountKind.REVENUE, currency, label="rentals")


def cost_of_sales(provider: str, *, currency: str) -> AccountName:
    """Names the account of what a provider's numbers cost us; its balance is negative."""
    return AccountName(AccountKind.COST_OF_SALES, currency, label=provider)


def payable(provider: str, *, currency: str) -> AccountName:
    """Names the account of what we owe a provider."""
    return AccountName(AccountKind.PAYABLE, currency, label=provider)


def manual_funding(currency: str) -> AccountName:
    """Names the other side of an operator's adjustments; its balance is minus what came in by hand."""
    return AccountName(AccountKind.FUNDING, currency, label="manual")


def gateway_clearing(provider: str, *, currency: str) -> AccountName:
    """Names what a payment gateway holds for us; minus its balance must be what the gateway says."""
    return AccountName(AccountKind.CLEARING, currency, label=provider)


def gateway_fee(provider: str, *, currency: str) -> AccountName:
    """Names the account of what a payment gateway keeps of what customers pay."""
    return AccountName(AccountKind.EXPENSE, currency, label=f"fee:{provider}")


def topup_discount(currency: str) -> AccountName:
    """Names the account of what customers got for their top-ups beyond what they paid."""
    return AccountName(AccountKind.EXPENSE, currency, label="topup_discount")


def unapplied(currency: str) -> AccountName:
    """Names the account of money that a gateway holds for us and that belongs to no wallet yet."""
    return AccountName(AccountKind.SUSPENSE, currency, label="unapplied")


def receivable(customer_id: int, *, currency: str) -> AccountName:
    """Names the account of what a customer owes us."""
    return AccountName(AccountKind.RECEIVABLE, currency, label=f"customer:{customer_id}")


def hold_for_order(order_id: int, *, wallet_id: int, price: Money) -> Hold:
    """Returns the hold of an order's price. When the order ends unearned the hold is voided or expires, and no journal is written."""
    return Hold(ORDER_HOLD, order_id, wallet_id, price)


def earn_order(
    order_id: int, *, customer_id: int, provider: str, price: Money, cost: Money
) -> Journal:
    """Returns the journal that posts an order's hold: the price becomes revenue, the cost is owed to the provider."""
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


def charge_rental(
    charge_id: int, *, customer_id: int, from_bonus: Money, from_wallet: Money
) -> Journal:
    """Returns the journal of a rent or an extension: what is left of the bonus pays first, the wallet the rest."""
    return Journal(RENTAL_CHARGE, str(charge_id), _paid_by(customer_id, from_bonus, from_wallet))


def refund_rental(term_id: int, *, customer_id: int, to_bonus: Money, to_wallet: Money) -> Journal:
    """Returns the journal that gives back what a term's charges took, each part to where it came from. A term is refunded once."""
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


def adjustment(
    *, customer_id: int, currency: str, units: int, ref: str, note: str | None = None
) -> Journal:
    """Returns the operator's credit (positive units) or debit (negative ones) of a wallet.

    One reason for both, so that one reference cannot be used once for each. Refuses with InvalidInput.
    """
    if not 0 < abs(units) <= AMOUNT_MAX:
        raise InvalidInput(
            field="units", reason="must not be zero, nor larger than any wallet may hold"
        )
    if not 0 < len(ref) <= REF_LENGTH_MAX or not ref.isprintable():
        raise InvalidInput(
            field="reference", reason=f"must be 1 to {REF_LENGTH_MAX} printable characters"
        )
    customer, funding = wallet(customer_id, currency=currency), manual_funding(currency)
    debit, credit = (funding, customer) if units > 0 else (customer, funding)
    return Journal(ADJUSTMENT, ref, (Transfer(debit, credit, Money(abs(units), currency)),), note)


def gift(
    *, customer_id: int, currency: str, units: int, ref: str, note: str | None = None
) -> Journal:
    """Returns the operator's gift (positive units) of bonus, or the taking back of what is left of it. Refuses with InvalidInput."""
    journal = adjustment(
        customer_id=customer_id, currency=currency, units=units, ref=ref, note=note
    )
    swap = {
        wallet(customer_id, currency=currency): bonus(customer_id, currency=currency),
        manual_funding(currency): bonus_given(currency),
    }
    transfers = tuple(
        Transfer(swap[one.debit], swap[one.credit], one.amount) for one in journal.transfers
    )
    return Journal(BONUS_GIVEN, ref, transfers, note)


def topup(  # noqa: PLR0913 - who, where, what was and what is to be
    *,
    customer_id: int,
    provider: str,
    currency: str,
    ref: str,
    was: tuple[Share, int],
    becomes: tuple[Share, int],
) -> Journal:
    """Returns the journal that takes what is booked of a payment from one share to another, each with what the customer owes of it.

    A credit and what takes it back are the same act with other signs: each account moves by the difference, so that whatever was
    booked before, and however often it went to and fro, the ledger holds exactly the last share.
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


def reversal(journal_id: int, journal: Journal, *, note: str | None = None) -> Journal:
    """Returns the journal that undoes another: its transfers in the opposite direction. At most one exists per journal.

    A reversal is not reversed (book the act anew instead), nor is what a rental or a payment moved: those have an undo of their own
    (cancel the rental, decide the payment), which would move the money once more. Refuses with StateForbids.
    """
    if journal.reason in IRREVERSIBLE:
        raise StateForbids(state=journal.reason)
    back = tuple(
        Transfer(transfer.credit, transfer.debit, transfer.amount)
        for transfer in reversed(journal.transfers)
    )
    return Journal(REVERSAL, str(journal_id), back, note)


def _pair(gains: Iterable[tuple[AccountName, int]], *, currency: str) -> tuple[Transfer, ...]:
    """Returns the transfers by which each account gains what it should, in the order in which they are named; the sum must be zero."""
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
