"""Every stored amount that a later journal is computed from is proven by the check of the
ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import asyncpg
import pytest
from tests.support import rentals as shop
from tests.support.desk import REMOTE_OFFER, DeskOfTest
from tests.support.gateway import Till, open_till
from tests.support.ledger import assert_clean

from numdesk.domain.payments.gateway_payments import PaymentStatus
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import check as ledger_check
from numdesk.usecases import ledger_check as usecase_ledger_check

#: Columns that hold money, with a rule that is broken when one is changed.
PROVEN = {
    "accounts.balance": "balances_equal_entries",
    "accounts.held": "held_equals_open_holds",
    "entries.amount": "transfers_have_two_entries",
    "entries.balance_after": "chain_verifies",
    "holds.amount": "orders_match_holds",
    "ledger_rollups.balance": "rollups_equal_entries",
    "orders.cost": "earned_orders_match_journals",
    "orders.price": "earned_orders_match_journals",
    "rental_charges.from_bonus": "rental_charges_are_booked",
    "rental_charges.from_wallet": "rental_charges_are_booked",
    "rental_charges.price": "rental_charges_are_booked",
    "topup_payments.credit": "topup_payments_match_journals",
    "topup_payments.fee": "topup_payments_match_journals",
    "topup_payments.owed": "topup_payments_match_journals",
    "topup_payments.received": "topup_payments_match_journals",
    "topup_payments.suspense": "topup_payments_match_journals",
    "topup_payments.worth": "topup_payments_match_facts",
    "topups.amount": "topups_match_payments",
    "topups.credited": "topups_match_payments",
    "topups.final_amount": "topups_match_payments",
    "transfers.amount": "transfers_have_two_entries",
}
#: Columns that hold money and that no rule proves, with the reason.
NOT_USED = {
    "accounts.credit_limit": "an operator's setting: it bounds what may be spent, and no journal takes its amount from it",
    "fx_rates.rate": "a list's value, frozen in what is bought by it",
    "offer_prices.price": "the list's price, frozen in an order and its hold",
    "offers.cost": "the list's cost, frozen in an order",
    "rental_prices.price": "the list's price, frozen in a charge",
    "rentals.price": "what a term began with, for display; refunds go by the charges",
}
#: Whole numbers that are no money.
NO_MONEY = {
    "id", "owner", "lines", "ref", "msisdn", "number", "entries", "n", "order_id", "window_start", "through_entry_id", "last_entry_id",
}  # fmt: skip
#: Changes that leave two columns in keeping with each other; each is found all the same.
ALIKE = {
    "a payment and its top-up": """update topup_payments set credit = credit + 1 where credit > 0;
                                   update topups set credited = credited + 1 where credited > 0""",
    "credit and what came": "update topup_payments set credit = credit + 1, received = received + 1",
    "what came and what is kept apart": "update topup_payments set received = received + 1, suspense = suspense + 1",
    "what came and the fee": "update topup_payments set received = received + 1, fee = fee + 1",
    "credit and what is owed": "update topup_payments set credit = credit + 1, owed = owed + 1",
    "amount and price": "update topups set amount = amount * 2, final_amount = final_amount * 2 where credited > 0",
    "amount and discount": "update topups set amount = 90000, discount_bp = 5000 where final_amount = 45000 and credited > 0",
    "the facts alone": """update topup_payments set facts = jsonb_set(facts, '{paid}', '"9999"') where credit > 0""",
    "the status alone": """update topup_payments set facts = jsonb_set(facts, '{status}', '"refunded"') where credit > 0""",
    "the rules": """update topups set policy = jsonb_set(policy, '{overpaid_bp}', '9') where credited > 0""",
    "bonus and wallet of a charge": """update rental_charges
        set from_bonus = from_bonus - 1, from_wallet = from_wallet + 1
                                         where from_bonus > 0""",
    "an order and its hold": "update orders set price = price + 1 where state = 2; update holds set amount = amount + 1 where state = 1",
}


async def pay_in_every_way(till: Till) -> None:
    """Top-ups paid exactly, by too much, by a person's word, and taken back after they were
    spent."""
    till.rt.settings = replace(till.rt.settings, topup_overpaid_bp=1_000)
    for share in ("1", "1.5"):
        topup = await till.order()
        till.gateway.pay(topup, share=share, fee="4.50")
        await till.settle(topup)
    topup = await till.order()
    till.gateway.pay(topup, share="0.5", fee="1.00")
    await till.settle(topup)
    await till.desk.pool.execute(
        "update topup_payments set decision = 'approved', worth = received where topup_id = $1",
        topup.id,
    )
    topup = await till.order()
    till.gateway.pay(topup)
    await till.settle(topup)
    await till.spend(await till.balance())
    till.gateway.pay(topup, PaymentStatus.REFUNDED)
    await till.settle(topup)


@pytest.fixture
async def populated(rental_desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch) -> DeskOfTest:
    """A desk on which money moved in every way, all of it in the chain."""
    monkeypatch.setattr(usecase_ledger_check, "PARTIAL_BLOCK_EVERY_S", 0)
    desk = rental_desk
    buyer = await desk.customer()
    order = await desk.order(buyer, REMOTE_OFFER)
    await desk.message(order.msisdn)
    await desk.order(buyer)
    renter = await shop.renter(desk, bonus=100)
    await shop.rent(desk, renter)
    await pay_in_every_way(await open_till(desk))
    while await desk.pool.fetchval(
        "select coalesce(max(last_entry_id), 0) < (select max(id) from entries) from ledger_blocks"
    ):
        await usecase_ledger_check.extend_chain(desk.rt)
    await assert_clean(desk.rt)
    return desk


async def found_after(desk: DeskOfTest, statements: str) -> dict[str, int]:
    """Returns the rules that a full check finds broken after statements that no trigger sees.

    Then takes them back.
    """
    async with desk.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(
            "alter table accounts drop constraint wallet_short; alter table rental_charges drop "
            "constraint charge_sources"
        )
        await connection.execute("alter table topups drop constraint topup_amounts")
        await connection.execute(statements)
        tx = cast("Tx", connection)
        _, checks = await usecase_ledger_check.check_books(tx, full=True)
        checks |= await ledger_check.check_chain(tx, newest_only=False)
        await transaction.rollback()
    return {name: check.violations for name, check in checks.items() if check.violations}


async def test_every_column_of_money_is_proven_or_explained(pool: asyncpg.Pool) -> None:
    """A new column that holds an amount is either proven by a rule or named here with the reason
    why no journal is computed from it."""
    rows = await pool.fetch(
        """select c.table_name || '.' || c.column_name name, c.column_name
            from information_schema.columns c
             join information_schema.tables t using (table_schema, table_name)
             where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
               and c.data_type in ('bigint', 'numeric')"""
    )
    found = {
        row["name"]
        for row in rows
        if row["column_name"] not in NO_MONEY and not row["column_name"].endswith("_id")
    }
    assert found == set(PROVEN) | set(NOT_USED)


async def test_a_change_of_any_proven_column_is_found(populated: DeskOfTest) -> None:
    """Each column is changed by one unit, and the check names its rule."""
    for column, rule in PROVEN.items():
        table, name = column.split(".")
        statement = f"update {table} set {name} = {name} + 1 where {name} is not null"  # noqa: S608 - names of this file
        assert rule in await found_after(populated, statement), column


async def test_a_change_of_two_columns_alike_is_found(populated: DeskOfTest) -> None:
    """Changes that keep rows in keeping with each other differ from the journals, which cannot be
    changed unseen."""
    for name, statements in ALIKE.items():
        assert await found_after(populated, statements), name
