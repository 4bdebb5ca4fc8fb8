"""Words of services, by which messages are recognised.

And messages that came for another service's order or rental.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.recognition.recogniser import ServiceWord, WordUse

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message as staff see it.

    `service` is what it was recognised as, `bought` what its order or rental is for; `told_by` is
    set for one of another service.
    """

    id: int
    received_at: datetime
    provider: str
    msisdn: int
    sender: str
    text: str
    service: str | None
    order_id: int | None
    rental: str | None
    bought: list[str]
    told_by: str | None
    withheld: bool
    late: bool


async def service_id(tx: Tx, *, code: str) -> int | None:
    """Return the id of a service, or None."""
    return await tx.fetchval("select id from services where code = $1", code)


async def words(tx: Tx) -> list[ServiceWord]:
    """Return the operator's words, by service and word."""
    rows = await tx.fetch(
        "select service_id, word, use from service_words order by service_id, word"
    )
    uses: dict[str, WordUse] = {"text": "text", "sender": "sender", "never": "never"}
    return [ServiceWord(row[0], row[1], uses[row[2]]) for row in rows]


async def families(tx: Tx) -> dict[int, str]:
    """Return the operator's families by service id; empty for a service that is alone."""
    return {
        row[0]: row[1]
        for row in await tx.fetch(
            "select service_id, family from service_families order by service_id"
        )
    }


async def set_word(tx: Tx, *, service_id: int, word: str, use: WordUse, most: int) -> bool:
    """Write how a word of a service counts; False when the service would have more than `most`."""
    await tx.execute("select from services where id = $1 for update", service_id)
    tag = await tx.execute(
        """insert into service_words (service_id, word, use)
             select $1, $2, $3 where (select count(*) from service_words where service_id = $1
               and word <> $2) < $4
             on conflict (service_id, word) do update set use = excluded.use""",
        service_id,
        word,
        use,
        most,
    )
    return tag == "INSERT 0 1"


async def remove_word(tx: Tx, *, service_id: int, word: str) -> bool:
    """Delete the meaning of a word; False when nothing was."""
    return (
        await tx.execute(
            "delete from service_words where service_id = $1 and word = $2", service_id, word
        )
        == "DELETE 1"
    )


async def set_family(tx: Tx, *, service_ids: Sequence[int], family: str) -> None:
    """Put services into a family, empty for one of its own each."""
    await tx.execute(
        """insert into service_families (service_id, family) select distinct u.id, $2
            from unnest($1::int[]) u(id) order by 1
             on conflict (service_id) do update set family = excluded.family""",
        list(service_ids),
        family,
    )


async def foreign_messages(tx: Tx, *, limit: int, before: int | None) -> list[KeptMessage]:
    """Return messages of another service than they came for, newest first, from below an id."""
    rows = await tx.fetch(
        "select " + _COLUMNS + " where m.id in (select message_id from foreign_messages"
        " where $2::bigint is null or message_id < $2"
        " order by message_id desc limit $1) order by m.id desc",
        limit,
        before,
    )
    return [KeptMessage(*row) for row in rows]


async def message(tx: Tx, *, message_id: int) -> KeptMessage | None:
    """Return a message, or None."""
    row = await tx.fetchrow("select " + _COLUMNS + " where m.id = $1", message_id)
    return KeptMessage(*row) if row else None


async def count_withheld(tx: Tx, *, since: datetime) -> int:
    """Count the messages that were withheld since a time."""
    return await tx.fetchval(
        """select count(*) from foreign_messages f join messages m on m.id = f.message_id
             where f.withheld and m.received_at >= $1""",
        since,
    )


_COLUMNS = """m.id, m.received_at, m.provider, m.msisdn, m.sender, m.text, s.code, m.order_id,
    r.public_id,
    case when r.id is not null then array(select x.code from services x
      where x.id = any(r.service_ids) order by x.code)
         when o.id is not null then array(select x.code from services x where x.id = o.service_id)
           else '{}' end,
    f.told_by, coalesce(f.withheld, false), m.late
  from messages m left join foreign_messages f on f.message_id = m.id left join services s
    on s.id = m.service_id
    left join orders o on o.id = m.order_id left join rental_terms t on t.id = m.term_id
    left join rentals r on r.id = coalesce(f.rental_id, t.rental_id)"""
