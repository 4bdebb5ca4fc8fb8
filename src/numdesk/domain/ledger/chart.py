"""The chart of accounts and the journals of no product. SQL uses the same words.

Docs/ledger.md has an example of each.
"""

from __future__ import annotations

from numdesk.domain.errors import InvalidInput, StateForbids
from numdesk.domain.ledger.journals import AccountKind, AccountName, Journal, Transfer
from numdesk.domain.money import AMOUNT_MAX, Money

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
    """Name a customer's wallet: what we owe them."""
    return AccountName(AccountKind.WALLET, currency, owner=customer_id)


def bonus(customer_id: int, *, currency: str) -> AccountName:
    """Name what we gave a customer to spend; it is spent before the wallet."""
    return AccountName(AccountKind.BONUS, currency, owner=customer_id)


def bonus_given(currency: str) -> AccountName:
    """Name the other side of what we gave away; its balance is minus that."""
    return AccountName(AccountKind.FUNDING, currency, label="bonus")


def order_revenue(currency: str) -> AccountName:
    """Name the account of what orders earned."""
    return AccountName(AccountKind.REVENUE, currency, label="orders")


def rental_revenue(currency: str) -> AccountName:
    """Name the account of what rentals earned."""
    return AccountName(AccountKind.REVENUE, currency, label="rentals")


def cost_of_sales(provider: str, *, currency: str) -> AccountName:
    """Name the account of what a provider's numbers cost us; its balance is negative."""
    return AccountName(AccountKind.COST_OF_SALES, currency, label=provider)


def payable(provider: str, *, currency: str) -> AccountName:
    """Name the account of what we owe a provider."""
    return AccountName(AccountKind.PAYABLE, currency, label=provider)


def manual_funding(currency: str) -> AccountName:
    """Name the other side of an operator's adjustments.

    Its balance is minus the money that came in by hand.
    """
    return AccountName(AccountKind.FUNDING, currency, label="manual")


def gateway_clearing(provider: str, *, currency: str) -> AccountName:
    """Name what a payment gateway holds for us; minus its balance must be what the gateway says."""
    return AccountName(AccountKind.CLEARING, currency, label=provider)


def gateway_fee(provider: str, *, currency: str) -> AccountName:
    """Name the account of what a payment gateway keeps of what customers pay."""
    return AccountName(AccountKind.EXPENSE, currency, label=f"fee:{provider}")


def topup_discount(currency: str) -> AccountName:
    """Name the account of discounts on top-ups."""
    return AccountName(AccountKind.EXPENSE, currency, label="topup_discount")


def unapplied(currency: str) -> AccountName:
    """Name the account of money that a gateway holds for us and that belongs to no wallet yet."""
    return AccountName(AccountKind.SUSPENSE, currency, label="unapplied")


def receivable(customer_id: int, *, currency: str) -> AccountName:
    """Name the account of what a customer owes us."""
    return AccountName(AccountKind.RECEIVABLE, currency, label=f"customer:{customer_id}")


def adjustment(
    *, customer_id: int, currency: str, units: int, ref: str, note: str | None = None
) -> Journal:
    """Return the operator's credit (positive units) or debit (negative ones) of a wallet.

    One reason for both, so that one reference cannot be used once for each. Raises InvalidInput.
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
    """Return the operator's gift (positive units) of bonus, or the taking back of the rest of it.

    Raises InvalidInput.
    """
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


def reversal(journal_id: int, journal: Journal, *, note: str | None = None) -> Journal:
    """Return the journal that undoes another: its transfers in the opposite direction.

    At most one exists per journal.

    Refuse to reverse a reversal (book the act again instead), and a journal of a rental or a
    payment: those have an undo of their own (cancel the rental, decide the payment), which would
    move the money once more. Raises StateForbids.
    """
    if journal.reason in IRREVERSIBLE:
        raise StateForbids(state=journal.reason)
    back = tuple(
        Transfer(transfer.credit, transfer.debit, transfer.amount)
        for transfer in reversed(journal.transfers)
    )
    return Journal(REVERSAL, str(journal_id), back, note)
