"""Rules of the operator for codes, as rows; and which services messages are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx
    from numdesk.storage.inbound.messages import Arrival


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as it was given; `service` is the service's code."""

    id: int
    service_id: int
    service: str
    sender: str | None
    pattern: str
    created_at: datetime
    removed_at: datetime | None


async def every(tx: Tx, *, removed: bool = False) -> list[RuleRow]:
    """Return the rules that count, or with `removed` all that ever did, by service and id."""
    rows = await tx.fetch(
        """select r.id, r.service_id, s.code, r.sender, r.pattern, r.created_at, r.removed_at
             from otp_rules r join services s on s.id = r.service_id where $1
               or r.removed_at is null order by s.code, r.id""",
        removed,
    )
    return [RuleRow(*row) for row in rows]


async def lock(tx: Tx) -> None:
    """Make whoever else adds a rule wait, so that their number can be bounded."""
    await tx.execute("select pg_advisory_xact_lock(hashtext('otp rules'))")


async def count(tx: Tx, *, service_id: int | None = None) -> int:
    """Return how many rules there are, of one service or of all."""
    return await tx.fetchval(
        "select count(*) from otp_rules where removed_at is null and ($1::int is null or "
        "service_id = $1)",
        service_id,
    )


async def insert(
    tx: Tx, *, service_id: int, sender: str | None, pattern: str, now: datetime
) -> int | None:
    """Add a rule and returns its id; None when there is the same already."""
    return await tx.fetchval(
        """insert into otp_rules (service_id, sender, pattern, created_at) values ($1, $2, $3, $4)
             on conflict (service_id, coalesce(sender, ''), pattern) where removed_at is null
               do nothing returning id""",
        service_id,
        sender,
        pattern,
        now,
    )


async def remove(tx: Tx, *, rule_id: int, now: datetime) -> bool:
    """Take a rule away; False when there is none of that id."""
    return (
        await tx.execute(
            "update otp_rules set removed_at = $2 where id = $1 and removed_at is null",
            rule_id,
            now,
        )
        == "UPDATE 1"
    )


async def services_of(tx: Tx, arrivals: Sequence[Arrival], *, now: datetime) -> list[int | None]:
    """Return the service of the open order that each message is for; see `order_services_v1`."""
    rows = await tx.fetch(
        "select service_id from order_services_v1($1, $2, $3, $4) order by idx",
        now,
        [one.provider for one in arrivals],
        [one.to for one in arrivals],
        [one.provider_ref for one in arrivals],
    )
    return [row[0] for row in rows]
