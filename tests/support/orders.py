"""Orders put into the database by hand, for tests that are about the money and not about buying."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
from tests.support.ledger import NOW


async def insert_order(
    pool: asyncpg.Pool, *, customer_id: int, wallet_id: int, price: int, cost: int = 0
) -> int:
    """Inserts an active order of a supplier's number with its hold, and returns its id."""
    async with pool.acquire() as connection, connection.transaction():
        order_id = await connection.fetchval(
            """insert into orders (customer_id, dialect, state, offer_id, catalogue_id, country_id,
                service_id, provider, msisdn, wallet_id,
                                   currency, price, cost, created_at, expires_at)
                 values ($1, 'test', 1, 1, 1, 1, 1, 'local', 6281200000001, $2, 'IDR', $3, $4, $5,
                   $6) returning id""",
            customer_id,
            wallet_id,
            price,
            cost,
            NOW,
            NOW + timedelta(minutes=20),
        )
        await connection.execute(
            "insert into holds (kind, ref, account_id, amount, opened_at) values ('order', $1, "
            "$2, $3, $4)",
            order_id,
            wallet_id,
            price,
            NOW,
        )
    return order_id
