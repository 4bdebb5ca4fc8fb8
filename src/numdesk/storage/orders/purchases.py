"""Purchases from suppliers as rows: pending orders, their numbers, their failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.errors import WalletShort
from numdesk.domain.orders.lifecycle import LIFETIME, State
from numdesk.domain.orders.outcomes import Attempt, CreatedOrder

if TYPE_CHECKING:
    from numdesk.domain.customers.callers import Caller
    from numdesk.domain.orders.lifecycle import Order
    from numdesk.domain.stock.numbers import Offer
    from numdesk.ports.suppliers import Reserved
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class Pending:
    """An order that waits for its supplier's answer."""

    order_id: int
    provider: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Made:
    """The orders of a request so far."""

    pending: tuple[Pending, ...]
    created: tuple[CreatedOrder, ...]
    failed: tuple[Attempt, ...]


async def lock_wallet(tx: Tx, *, wallet_id: int) -> int:
    """Lock the wallet and returns what it can spend."""
    return int(
        str(
            await tx.fetchval(
                "select balance - held + credit_limit from accounts where id = $1 for update",
                wallet_id,
            )
        )
    )


def check_wallet(available: int, *, needed: int) -> None:
    """Raises WalletShort when a wallet that can spend `available` is asked for more."""
    if needed > available:
        raise WalletShort(needed=needed, available=available)


async def insert_pending(
    tx: Tx,
    caller: Caller,
    offer: Offer,
    *,
    request_id: int,
    decision_id: int | None,
    parent: Order | None,
    now: datetime,
) -> int:
    """Add a pending order with its hold; return its id. Raises WalletShort."""
    check_wallet(await lock_wallet(tx, wallet_id=caller.wallet_id), needed=offer.price)
    order_id = await tx.fetchval(
        """insert into orders (customer_id, dialect, state, offer_id, catalogue_id, country_id,
            service_id, operator_id, provider,
                               wallet_id, currency, price, cost, created_at, expires_at,
                                 reactivatable, decision_id, request_id, parent_id)
           values ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, true, $15, $16,
             $17) returning id""",
        caller.customer_id,
        caller.dialect,
        offer.id,
        offer.catalogue_id,
        offer.country_id,
        offer.service_id,
        offer.operator_id,
        offer.provider,
        caller.wallet_id,
        caller.currency,
        offer.price,
        offer.cost,
        now,
        now + LIFETIME,
        decision_id,
        request_id,
        parent.id if parent else None,
    )
    await tx.execute(
        "insert into holds (kind, ref, account_id, amount, opened_at) values ('order', $1, $2, "
        "$3, $4)",
        order_id,
        caller.wallet_id,
        offer.price,
        now,
    )
    return order_id


async def assign(tx: Tx, order_id: int, reserved: Reserved, *, now: datetime) -> bool:
    """Give a pending order the number that its supplier reserved.

    False when it is not pending any more.
    """
    tag = await tx.execute(
        """update orders set state = 1, provider_ref = $2, msisdn = $3, cost = $4, created_at = $5,
            expires_at = $6, revision = revision + 1
           where id = $1 and state = 0""",
        order_id,
        reserved.provider_ref,
        reserved.msisdn,
        reserved.cost,
        now,
        now + LIFETIME,
    )
    return tag == "UPDATE 1"


async def is_ref_known(tx: Tx, *, provider: str, provider_ref: str) -> bool:
    """Return whether an order of ours has this reference of the supplier already."""
    return await tx.fetchval(
        "select exists (select from orders where provider = $1 and provider_ref = $2)",
        provider,
        provider_ref,
    )


async def is_number_in_use(tx: Tx, order: Order, *, msisdn: int) -> bool:
    """Do another open order of the same provider and service have the number?"""
    return await tx.fetchval(
        """select exists (select from orders where msisdn = $1 and provider = $2 and service_id = $3
                             and state in (1, 2, 3) and id <> $4)""",
        msisdn,
        order.provider,
        order.service_id,
        order.id,
    )


async def fail(tx: Tx, order_id: int, *, reason: str, now: datetime) -> bool:
    """End a pending order without a number and gives its hold back.

    False when it is not pending any more.
    """
    tag = await tx.execute(
        "update orders set state = 7, failed_reason = $2, ended_at = $3, revision = revision + 1 "
        "where id = $1 and state = 0",
        order_id,
        reason,
        now,
    )
    if tag != "UPDATE 1":
        return False
    await tx.execute(
        "update holds set state = 2, ended_at = $2 where kind = 'order' and ref = $1", order_id, now
    )
    return True


async def retake_number(tx: Tx, *, parent_id: int, child_id: int) -> bool:
    """Give an ended order's number of our own stock to its child.

    False when the number is not free, or somebody had it since.
    """
    tag = await tx.execute(
        """update numbers n set state = 1, order_id = $2, free_at = null from orders p
             where p.id = $1 and n.id = p.number_id and n.state in (0, 2)
               and number_rests_for_v1(n.id, p.msisdn, p.id, p.ended_at)""",
        parent_id,
        child_id,
    )
    if tag != "UPDATE 1":
        return False
    await tx.execute(
        """update orders c set state = 1, number_id = p.number_id, msisdn = p.msisdn,
            revision = c.revision + 1
             from orders p where c.id = $2 and p.id = $1""",
        parent_id,
        child_id,
    )
    return True


async def lock_siblings(tx: Tx, order: Order) -> None:
    """Lock all orders of a supplier's number, so that of many who want it again one asks at a
    time."""
    await tx.execute(
        "select from orders where msisdn = $1 and provider = $2 order by id for update",
        order.msisdn,
        order.provider,
    )


async def has_pending_child(tx: Tx, order: Order) -> bool:
    """Return whether a reactivation of this order's number is on its way."""
    return bool(
        await tx.fetchval(
            """select exists (select from orders p join orders c on c.parent_id = p.id
                and c.state = 0
                               where p.msisdn = $1 and p.provider = $2)""",
            order.msisdn,
            order.provider,
        )
    )


async def made(tx: Tx, request_id: int) -> Made:
    """Return what the orders of a request have come to, by id."""
    rows = await tx.fetch(
        """select id, state, msisdn, price, offer_id, catalogue_id, operator_id, operator_name,
                  floor(extract(epoch from created_at))::bigint, floor(extract(epoch
                    from expires_at))::bigint,
                  provider, failed_reason, parent_id
             from order_facts where request_id = $1 order by id""",
        request_id,
    )
    pending, created, failed = [], [], []
    for row in rows:
        if row[1] == State.PENDING:
            pending.append(Pending(row[0], row[10], row[12]))
        elif row[1] == State.FAILED:
            failed.append(Attempt(offer=row[4], provider=row[10], result=row[11]))
        else:
            created.append(
                CreatedOrder(
                    id=row[0],
                    msisdn=row[2],
                    price=row[3],
                    offer=row[4],
                    catalogue=row[5],
                    operator=row[6],
                    operator_name=row[7],
                    created_at=row[8],
                    expires_at=row[9],
                )
            )
    return Made(tuple(pending), tuple(created), tuple(failed))
