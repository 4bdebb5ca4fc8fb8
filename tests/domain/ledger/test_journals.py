"""The ledger's pure laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.errors import StateForbids, WalletShort
from numdesk.domain.ledger import journals as ledger_journals
from numdesk.domain.ledger.journals import (
    Account,
    AccountKind,
    AccountName,
    Hold,
    HoldState,
    Journal,
    Transfer,
)
from numdesk.domain.money import Money

WALLETS = [AccountName(AccountKind.WALLET, "IDR", owner=number) for number in range(3)]
REVENUE = AccountName(AccountKind.REVENUE, "IDR", label="orders")
NAMES = [*WALLETS, REVENUE]


def accounts(balance: int = 1_000) -> dict[AccountName, Account]:
    """Returns one account per name, the wallets with this much in each."""
    return {
        name: Account(number, name, balance if name.live else 0)
        for number, name in enumerate(NAMES, 1)
    }


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    """Draws a journal of one to six transfers among the accounts."""
    pairs = draw(
        st.lists(st.permutations(NAMES).map(lambda names: names[:2]), min_size=1, max_size=6)
    )
    transfers = tuple(
        Transfer(debit, credit, Money(draw(st.integers(1, 600)), "IDR")) for debit, credit in pairs
    )
    return Journal("test", "ref", transfers)


class TestTransfer:
    @pytest.mark.parametrize(("credit", "units"), [(WALLETS[0], 1), (REVENUE, 0), (REVENUE, -5)])
    def test_moves_a_positive_amount_between_two_accounts(
        self, credit: AccountName, units: int
    ) -> None:
        """A transfer from an account to itself, or of nothing, cannot be made."""
        with pytest.raises(AssertionError):
            Transfer(WALLETS[0], credit, Money(units, "IDR"))

    def test_stays_in_one_currency(self) -> None:
        """A transfer between accounts of two currencies cannot be made."""
        with pytest.raises(AssertionError):
            Transfer(
                WALLETS[0], AccountName(AccountKind.REVENUE, "USD", label="orders"), Money(1, "IDR")
            )


class TestAccountName:
    def test_gives_an_owner_to_wallets_only(self) -> None:
        """A wallet without an owner, or a system account with one, cannot be named."""
        with pytest.raises(AssertionError):
            AccountName(AccountKind.WALLET, "IDR", label="x")
        with pytest.raises(AssertionError):
            AccountName(AccountKind.REVENUE, "IDR", owner=3)


class TestApplyJournal:
    @given(journals())
    def test_sums_to_zero(self, journal: Journal) -> None:
        """Whatever a journal moves, the gains of its accounts sum to zero."""
        assert sum(ledger_journals.gains(journal).values()) == 0

    @given(journals())
    def test_makes_and_loses_no_money(self, journal: Journal) -> None:
        """An applied journal leaves the sum of all balances alone and no wallet below zero.

        A refused one says why truthfully.
        """
        before = accounts()
        if any(gain < -1_000 for name, gain in ledger_journals.gains(journal).items() if name.live):
            with pytest.raises(WalletShort) as refused:
                ledger_journals.apply_journal(journal, before)
            assert refused.value.needed > refused.value.available
            return
        after = ledger_journals.apply_journal(journal, before)
        assert sum(account.balance for account in after.values()) == sum(
            account.balance for account in before.values()
        )
        assert all(account.available >= 0 for name, account in after.items() if name.live)

    def test_lets_a_wallet_use_its_credit_limit(self) -> None:
        """A credit limit can be spent to the last unit and no further."""
        before = {
            WALLETS[0]: Account(1, WALLETS[0], balance=10, held=4, credit_limit=5),
            REVENUE: Account(2, REVENUE),
        }
        last, one_more = (
            Journal("test", "r", (Transfer(WALLETS[0], REVENUE, Money(units, "IDR")),))
            for units in (11, 12)
        )
        assert ledger_journals.apply_journal(last, before)[WALLETS[0]].available == 0
        with pytest.raises(WalletShort):
            ledger_journals.apply_journal(one_more, before)


class TestHold:
    def hold(self, units: int = 600) -> Hold:
        """Returns a hold on the first wallet."""
        return Hold("order", 7, 1, Money(units, "IDR"))

    def test_counts_against_what_is_available(self) -> None:
        """Held money cannot be held again."""
        wallet = ledger_journals.open_hold(self.hold(), accounts()[WALLETS[0]])
        assert wallet.available == 400
        with pytest.raises(WalletShort) as refused:
            ledger_journals.open_hold(self.hold(401), wallet)
        assert (refused.value.needed, refused.value.available) == (401, 400)

    @pytest.mark.parametrize("first", [HoldState.POSTED, HoldState.VOIDED, HoldState.EXPIRED])
    @pytest.mark.parametrize("second", [HoldState.POSTED, HoldState.VOIDED, HoldState.EXPIRED])
    def test_ends_once(self, first: HoldState, second: HoldState) -> None:
        """A hold that has ended cannot end again, the same way or another."""
        wallet = ledger_journals.open_hold(self.hold(), accounts()[WALLETS[0]])
        ended, wallet = ledger_journals.end_hold(self.hold(), wallet, state=first)
        assert wallet.held == 0
        with pytest.raises(StateForbids):
            ledger_journals.end_hold(ended, wallet, state=second)

    @given(st.integers(0, 600))
    def test_may_be_posted_in_part(self, taken: int) -> None:
        """A post takes what its journal says and releases the rest, even when the wallet has
        nothing else."""
        wallet = ledger_journals.open_hold(self.hold(), Account(1, WALLETS[0], balance=600))
        transfers = (Transfer(WALLETS[0], REVENUE, Money(taken, "IDR")),) if taken else ()
        ended, after = ledger_journals.post_hold(
            self.hold(),
            Journal("test", "r", transfers),
            {WALLETS[0]: wallet, REVENUE: Account(9, REVENUE)},
        )
        assert ended.state is HoldState.POSTED
        assert (after[WALLETS[0]].balance, after[WALLETS[0]].held) == (600 - taken, 0)

    def test_is_never_posted_for_more(self) -> None:
        """A journal that takes more than was held is a fault of ours, not a refusal."""
        journal = Journal("test", "r", (Transfer(WALLETS[0], REVENUE, Money(601, "IDR")),))
        with pytest.raises(AssertionError):
            ledger_journals.post_hold(self.hold(), journal, accounts())
