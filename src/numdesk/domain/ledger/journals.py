"""The ledger's words and laws: accounts, transfers, journals, holds, entries, and what may be
applied to which balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from numdesk.domain.errors import StateForbids, WalletShort
from numdesk.domain.money import AMOUNT_MAX, Money

#: How many transfers one journal may hold; the largest act of the desk has a handful.
TRANSFERS_MAX = 1_000


class AccountKind(StrEnum):
    """The purpose of an account. The words are stored."""

    WALLET = "wallet"  # what we owe a customer
    BONUS = "bonus"  # what we gave a customer to spend, and never pay out
    REVENUE = "revenue"  # what we earned
    COST_OF_SALES = "cost_of_sales"  # what our suppliers took for it
    PAYABLE = "payable"  # what we owe a supplier
    FUNDING = "funding"  # the other side of money that came or went by hand
    CLEARING = "clearing"  # what a payment gateway holds for us; minus that
    EXPENSE = "expense"  # what taking payments cost us; minus that
    SUSPENSE = "suspense"  # money received and not yet assigned to a customer
    #: A debt of a customer, taken back after it was spent; minus that.
    RECEIVABLE = "receivable"


#: The accounts that a customer has.
CUSTOMERS_OWN = frozenset({AccountKind.WALLET, AccountKind.BONUS})


class HoldState(IntEnum):
    """The state of a hold. The numbers are stored."""

    OPEN = 0
    POSTED = 1
    VOIDED = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True)
class AccountName:
    """The name of an account.

    Wallets and bonuses have an owner (a customer's id), a system account has a label.
    """

    kind: AccountKind
    currency: str
    owner: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        assert (self.kind in CUSTOMERS_OWN) == (self.owner is not None), (
            "a customer's account, and no other, has an owner"
        )

    @property
    def live(self) -> bool:
        """Do the account keep its balance and refuse to fall short? Customers' do.

        System accounts are the sum of their entries.
        """
        return self.kind in CUSTOMERS_OWN

    def __str__(self) -> str:
        return f"{self.kind}/{self.owner if self.label is None else self.label} {self.currency}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands: `held` is reserved by open holds, `credit_limit` is how far below
    zero it may go."""

    id: int
    name: AccountName
    balance: int = 0
    held: int = 0
    credit_limit: int = 0

    @property
    def available(self) -> int:
        """The spendable amount, credit included."""
        return self.balance - self.held + self.credit_limit


@dataclass(frozen=True, slots=True)
class Transfer:
    """One immutable movement: the debited account loses the amount, the credited one gains it."""

    debit: AccountName
    credit: AccountName
    amount: Money

    def __post_init__(self) -> None:
        assert 0 < self.amount.units <= AMOUNT_MAX, "a transfer moves a positive amount"
        assert self.debit != self.credit, "a transfer has two accounts"
        assert self.debit.currency == self.credit.currency == self.amount.currency, (
            "a transfer stays in one currency"
        )


@dataclass(frozen=True, slots=True)
class Journal:
    """Transfers applied together, or not at all. (reason, ref) is its key: the same key is never
    applied twice."""

    reason: str
    ref: str
    transfers: tuple[Transfer, ...]
    note: str | None = None

    def __post_init__(self) -> None:
        assert self.reason, "a journal has a reason"
        assert self.ref, "a journal has a reference"
        assert len(self.transfers) <= TRANSFERS_MAX, "a journal has a limit"


@dataclass(frozen=True, slots=True)
class Hold:
    """Money of a wallet reserved for one thing (kind, ref), until it is posted, voided or expired,
    once."""

    kind: str
    ref: int
    wallet_id: int
    amount: Money
    state: HoldState = HoldState.OPEN

    def __post_init__(self) -> None:
        assert 0 <= self.amount.units <= AMOUNT_MAX, "a hold is not negative"


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transfer, as a statement shows it: `amount` is what the account gained, `other`
    who was at the other side."""

    id: int
    transfer_id: int
    journal_id: int
    reason: str
    ref: str
    note: str | None
    at: datetime
    amount: Money
    balance_after: Money | None
    other: AccountName


def gains(journal: Journal) -> dict[AccountName, int]:
    """Return what each account gains by the journal (a loss is negative).

    The sum per currency is zero.
    """
    gained: Counter[AccountName] = Counter()
    for transfer in journal.transfers:
        gained[transfer.debit] -= transfer.amount.units
        gained[transfer.credit] += transfer.amount.units
    return dict(gained)


def apply_journal(
    journal: Journal, accounts: Mapping[AccountName, Account]
) -> dict[AccountName, Account]:
    """Return the accounts after the journal; those it names must be given. Raises WalletShort."""
    after = dict(accounts)
    for name, gain in gains(journal).items():
        account = after[name]
        if name.live and gain < 0 and account.available + gain < 0:
            raise WalletShort(needed=-gain, available=account.available)
        after[name] = replace(account, balance=account.balance + gain)
    return after


def open_hold(hold: Hold, account: Account) -> Account:
    """Return the wallet with the hold opened on it. Raises WalletShort."""
    assert account.name.currency == hold.amount.currency, "a hold stays in its wallet's currency"
    if hold.amount.units > account.available:
        raise WalletShort(needed=hold.amount.units, available=account.available)
    return replace(account, held=account.held + hold.amount.units)


def end_hold(hold: Hold, account: Account, *, state: HoldState) -> tuple[Hold, Account]:
    """Return the hold in its last state and the wallet freed of it.

    Raises StateForbids when it has ended before.
    """
    assert state is not HoldState.OPEN, "a hold ends by leaving OPEN"
    if hold.state is not HoldState.OPEN:
        raise StateForbids(state=hold.state.name.lower())
    return replace(hold, state=state), replace(account, held=account.held - hold.amount.units)


def post_hold(
    hold: Hold, journal: Journal, accounts: Mapping[AccountName, Account]
) -> tuple[Hold, dict[AccountName, Account]]:
    """Return the posted hold and the accounts after its journal, which may take all of the hold or
    less; the rest is released.

    Raises StateForbids. The money was reserved when the hold was opened, so a post is never short.
    """
    name = next(name for name, account in accounts.items() if account.id == hold.wallet_id)
    taken = -gains(journal).get(name, 0)
    assert 0 <= taken <= hold.amount.units, (
        f"a post takes at most what is held: {taken} of {hold.amount}"
    )
    ended, freed = end_hold(hold, accounts[name], state=HoldState.POSTED)
    return ended, apply_journal(journal, {**accounts, name: freed})


#: Rules that even an incremental check looks at as a whole, so that it can say that they are kept
#: again.
ALWAYS_WHOLE = frozenset(
    {
        "held_equals_open_holds",
        "no_wallet_short",
        "open_orders_match_holds",
        "open_orders_own_their_numbers",
    }
)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one rule of the books: the number checked, the number of violations, and the
    first of those by name."""

    checked: int
    violations: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check of the ledger at one moment.

    `through_entry_id` is the newest entry seen, `block` and `block_hash` the head of the chain (0
    and "" when there is none yet): who writes the hash down elsewhere can prove later that nothing
    before it was changed. `standing_through_entry_id` is there when all violations stand from an
    earlier check: the newest entry which that one saw.
    """

    full: bool
    at: datetime
    seconds: float
    through_entry_id: int
    block: int
    block_hash: str
    checks: Mapping[str, Check]
    standing_through_entry_id: int | None = None

    @property
    def violations(self) -> int:
        """The number of violations; 0 is the only good answer."""
        return sum(check.violations for check in self.checks.values())

    def after(self, earlier: Report) -> Report:
        """Return this report with the violations of an earlier one that stand, because this check
        did not look at them again."""
        found_through = (
            earlier.through_entry_id
            if earlier.standing_through_entry_id is None
            else earlier.standing_through_entry_id
        )
        if self.full and self.through_entry_id >= found_through:
            return self
        standing = {
            name: check
            for name, check in earlier.checks.items()
            if name not in ALWAYS_WHOLE
            and check.violations > (self.checks[name].violations if name in self.checks else 0)
        }
        since = found_through if standing and not self.violations else None
        return replace(self, checks={**self.checks, **standing}, standing_through_entry_id=since)
