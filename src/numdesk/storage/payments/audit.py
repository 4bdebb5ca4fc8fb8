"""The comparisons with payment gateways, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from numdesk.domain.payments.audit import Difference

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


async def newest(tx: Tx, *, provider: str) -> datetime | None:
    """Return up to when a gateway was compared last, None when never.

    Wait for whoever is writing that down.
    """
    await tx.execute(
        "select pg_advisory_xact_lock(hashtext('payment audit'), hashtext($1))", provider
    )
    return await tx.fetchval(
        "select until from payment_audits where provider = $1 order by id desc limit 1", provider
    )


async def keep(
    tx: Tx,
    *,
    provider: str,
    since: datetime,
    until: datetime,
    checked: int,
    differences: Sequence[Difference],
) -> None:
    """Write down what a comparison found."""
    await tx.execute(
        """insert into payment_audits (provider, at, since, until, checked, differences)
           values ($1, $3, $2, $3, $4, $5::text::jsonb)""",
        provider,
        since,
        until,
        checked,
        msgspec.json.encode(differences).decode(),
    )
