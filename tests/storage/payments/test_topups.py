"""What the tables of top-ups refuse by themselves."""

from __future__ import annotations

import asyncpg
import pytest

from numdesk.domain.payments.topups import MOVES

TOPUP = """
insert into customers (name, state, created_at) values ('Payer', 1, now());
insert into topups (public_id, customer_id, dialect, provider, currency, amount, final_amount,
  discount_bp, policy, state, created_at)
  select 'inv_' || n, id, 'partner', 'gate', 'EUR', 100, 90, 1000, '{}', 4, now()
    from customers, generate_series(1, 2) n;
"""


async def test_the_table_of_moves_is_the_domains(pool: asyncpg.Pool) -> None:
    """The database lets a top-up move exactly as the domain does."""
    rows = await pool.fetch("select state, next from topup_moves")
    assert {(row["state"], row["next"]) for row in rows} == {
        (int(state), int(after)) for state in MOVES for after in MOVES[state]
    }


async def test_a_state_never_goes_backwards(pool: asyncpg.Pool) -> None:
    """Not even by hand: what is credited cannot wait for money again."""
    await pool.execute(TOPUP)
    with pytest.raises(asyncpg.PostgresError, match="cannot move from state 4 to 1"):
        await pool.execute("update topups set state = 1")


async def test_a_payment_belongs_to_one_top_up(pool: asyncpg.Pool) -> None:
    """The gateway's id of a payment is there once, whichever top-up claims it."""
    await pool.execute(TOPUP)
    add = (
        "insert into topup_payments (topup_id, provider, payment_id, facts, heard_at) values ($1, "
        "'gate', 'p', '{}', now())"
    )
    first, second = [row["id"] for row in await pool.fetch("select id from topups order by id")]
    await pool.execute(add, first)
    with pytest.raises(asyncpg.UniqueViolationError, match="topup_payment_once"):
        await pool.execute(add, second)
