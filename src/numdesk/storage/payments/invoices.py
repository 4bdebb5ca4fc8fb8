"""Invoices of top-ups as rows: one caller at a time opens one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.payments.topups import TopUpState

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def begin_opening(tx: Tx, topup_id: int, *, wall: datetime, until: datetime) -> bool | None:
    """Take the right to ask the gateway for the invoice.

    None while somebody else has it, or when nothing is to be asked any more.

    True says that somebody asked before and never heard, or never told, how that ended.
    """
    return await tx.fetchval(
        """update topups t set opening_until = $3 from (select id, opening_until from topups
            where id = $1 for update) o
             where t.id = o.id and t.invoice_id is null and t.state = 0
               and (o.opening_until is null or o.opening_until <= $2)
             returning o.opening_until is not null""",
        topup_id,
        wall,
        until,
    )


async def end_opening(tx: Tx, topup_id: int, *, unsure_since: datetime | None) -> None:
    """Give that right back.

    With a time when it is not known whether the gateway has made an invoice.
    """
    await tx.execute(
        "update topups set opening_until = $2 where id = $1 and invoice_id is null",
        topup_id,
        unsure_since,
    )


async def fail_unopened(tx: Tx, topup_id: int) -> bool:
    """End a top-up that never got an invoice; False when it has one by now, or has ended."""
    return (
        await tx.fetchval(
            "update topups set state = $2, next_poll_at = null where id = $1 and invoice_id is "
            "null and state = 0 returning true",
            topup_id,
            int(TopUpState.FAILED),
        )
        is True
    )


async def set_invoice(
    tx: Tx, topup_id: int, *, invoice_id: str, payment_url: str, expires_at: datetime
) -> bool:
    """Keep the invoice that the gateway made; False when the top-up has one."""
    return (
        await tx.fetchval(
            """update topups set invoice_id = $2, payment_url = $3, expires_at = $4,
                opening_until = null,
                                 state = case state when 0 then 1 else state end
                 where id = $1 and invoice_id is null returning true""",
            topup_id,
            invoice_id,
            payment_url,
            expires_at,
        )
        is True
    )
