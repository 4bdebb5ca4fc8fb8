"""Inserts rows that are old enough to be forgotten: ten of each table, and two that stay."""

from __future__ import annotations

from datetime import timedelta

from tests.support.desk import DeskOfTest

from numdesk.usecases import retention
from numdesk.usecases.orders import ending

_EVENTS = """
  insert into events (customer_id, dialect, kind, document, at)
    select 1, 'smscode', 'e' || n, '{"otp_code": "1", "otp_message": "t"}',
           $1::timestamptz - case when n <= 10 then $2 else interval '0' end
      from generate_series(1, 12) n"""
#: Where the rows of each sweep stand, and what inserts them: at $1, the old ones $2 before.
_ROWS = {
    "idempotency.forget": (
        "idempotency",
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome,
            created_at)
           select 1, 0, 'k' || n, ''::bytea, 2, '{}'::jsonb,
                  $1::timestamptz - case when n <= 10 then $2 else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "webhooks.forget": (
        "webhook_deliveries",
        """insert into webhook_deliveries (id, endpoint_id, state, due_at, ended_at)
           select n, 1, 2, $1, $1::timestamptz - case when n <= 10 then $2 else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "events.forget": ("events", _EVENTS),
    "events.forget_texts": ("events", _EVENTS),
    "payments.forget_callbacks": (
        "payment_inbox",
        """insert into payment_inbox (provider, sha256, received_at, headers, body, reference)
           select 'p', n::text::bytea, $1::timestamptz - case when n <= 10 then $2
             else interval '0' end, '{}', '', ''
             from generate_series(1, 12) n""",
    ),
    "receipts.forget": (
        "receipts",
        """insert into receipts
           select gen_random_uuid(), $1::timestamptz - case when n <= 10 then $2
             else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "messages.forget": (
        "messages",
        """insert into messages (provider, provider_message_id, msisdn, sender, text, received_at)
           select 'p', n::text, 1, 's', 't', $1::timestamptz - case when n <= 10 then $2
             else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "messages.forget_parts": (
        "message_parts",
        """insert into message_parts (provider, msisdn, sender, reference, total, position,
            provider_message_id, text,
                                       received_at, joined)
           select 'p', 1, 's', n, 2, 1, n::text, 't', $1::timestamptz - case when n <> 11 then $2
             else interval '0' end, n <> 12
             from generate_series(1, 12) n""",
    ),
    "stock.forget_uses": (
        "number_uses",
        """insert into number_uses select n, 3, $1::timestamptz - case when n <= 10 then $2
            else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "customers.forget_hours": (
        "customer_hours",
        """insert into customer_hours
           select (select min(id) from customers), $1::timestamptz - n * interval '1 hour'
             - case when n <= 10 then $2 else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "routes.forget": (
        "routing_decisions",
        """insert into routing_decisions (digest, document, used_at)
           select n::text::bytea, '{}', $1::timestamptz - case when n <= 10 then $2
             else interval '0' end
             from generate_series(1, 12) n""",
    ),
    "limits.forget": (
        "rate_counts",
        """insert into rate_counts
           select n, 'b', 'o', extract(epoch from $1::timestamptz - case when n <= 10 then $2
             else interval '0' end), 1
             from generate_series(1, 12) n""",
    ),
}


async def insert_old(desk: DeskOfTest, sweep: retention.Table, *, kept: timedelta) -> str:
    """Inserts ten rows that a sweep forgets, being older than `kept`, and two that stay.

    Returns their table, emptied before.
    """
    caller = await desk.customer()
    if sweep.name == "orders.forget_texts":
        for n in range(12):
            if n == 10:
                desk.clock.advance((kept + timedelta(seconds=2)).total_seconds())
            order = await desk.order(caller)
            await desk.message(order.msisdn)
            await ending.finish(desk.rt, caller, order.id)
        return "orders"
    table, insert = _ROWS[sweep.name]
    now = desk.clock.wall() if sweep.by_wall else desk.clock.now()
    await desk.pool.execute(f"delete from {table}")  # noqa: S608 - a name from above
    await desk.pool.execute(insert, now, kept + timedelta(seconds=2))
    return table
