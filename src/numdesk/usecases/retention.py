"""Deletes what nobody needs any longer, from each table that only grows and is neither money nor
orders.

What SMS said (texts and codes) is the most private thing here: after NUMDESK_TEXTS_KEPT_DAYS it is
gone from messages, from orders that have ended and from the documents of events. Orders themselves,
and money, stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from numdesk.storage import idempotency
from numdesk.storage import retention as rows
from numdesk.storage.customers import guard, rate_counts
from numdesk.storage.database import receipts
from numdesk.storage.database.old_rows import Old
from numdesk.storage.inbound import messages
from numdesk.storage.orders import decisions, lifecycle
from numdesk.storage.payments import inbox
from numdesk.storage.stock import numbers
from numdesk.storage.webhooks import deliveries
from numdesk.usecases.jobs import sweeps

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Idempotency keys live at least a week in the vendors' papers; the eighth day is for clocks that
#: differ.
KEYS_KEPT = timedelta(days=8)
#: Ended deliveries with their attempts and events, and events that nobody wanted to hear of: as
#: long as a customer may want to know why a webhook did not come.
DELIVERIES_KEPT = timedelta(days=90)
#: Segments of a message that was put together; a supplier repeats one for a day at most.
PARTS_KEPT = timedelta(days=7)
#: The abuse guard looks at a day.
HOURS_KEPT = timedelta(days=40)
#: How long after it was last made "why this offer?" has an answer; processes note once a day which
#: decisions they make.
DECISIONS_KEPT = timedelta(days=90)
#: Callbacks of payment gateways: longer than any gateway repeats one, and as long as somebody may
#: ask what was called. One that comes again later is read back like any other.
CALLBACKS_KEPT = timedelta(days=90)
#: Windows last a minute; the rest is for clocks that differ.
COUNTS_KEPT = timedelta(hours=1)
#: Receipts of transactions: asked for within seconds, while a lost connection is made up for.
RECEIPTS_KEPT = timedelta(minutes=15)
#: Rows deleted by one transaction, so that none of them holds locks for long.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is kept small: which rows of it are old, and how long a row is kept."""

    name: str
    old: Old
    #: None: as long as the operator wants texts to be kept.
    kept: timedelta | None
    #: Whether its times are real time, which the desk's clock does not move.
    by_wall: bool = False


KEYS = Table("idempotency.forget", idempotency.OLD_KEYS, KEYS_KEPT)
#: What is swept each hour beside the keys.
SWEEPS = (
    Table("webhooks.forget", deliveries.OLD_DELIVERIES, DELIVERIES_KEPT),
    Table("events.forget", deliveries.OLD_EVENTS, DELIVERIES_KEPT),
    Table("messages.forget", messages.OLD_MESSAGES, None),
    Table("orders.forget_texts", lifecycle.OLD_TEXTS, None),
    Table("events.forget_texts", deliveries.OLD_EVENT_TEXTS, None),
    Table("messages.forget_parts", messages.OLD_PARTS, PARTS_KEPT),
    # A use says itself how long it counts.
    Table("stock.forget_uses", numbers.OLD_USES, timedelta()),
    Table("customers.forget_hours", guard.OLD_HOURS, HOURS_KEPT),
    Table("routes.forget", decisions.OLD_DECISIONS, DECISIONS_KEPT),
    Table("payments.forget_callbacks", inbox.OLD_CALLBACKS, CALLBACKS_KEPT),
    Table("limits.forget", rate_counts.OLD_COUNTS, COUNTS_KEPT, by_wall=True),
    Table("receipts.forget", receipts.OLD_RECEIPTS, RECEIPTS_KEPT, by_wall=True),
)


async def sweep(rt: Runtime, *, one: Table) -> int:
    """Forget batch after batch, each in a transaction of its own, until one finds nothing.

    Return how many rows.

    A row that must stay shortens its batch, and one that cannot be forgotten is set aside.
    """
    now = rt.clock.wall() if one.by_wall else rt.clock.now()
    kept = timedelta(days=rt.settings.texts_kept_days) if one.kept is None else one.kept
    work = sweeps.Sweep(
        one.name,
        BATCH,
        partial(rows.due, old=one.old, before=now - kept),
        partial(rows.forget, old=one.old),
        key=str,
        passed=partial(rows.passed, old=one.old),
        may_be_short=True,
    )
    return len(await sweeps.sweep(rt, work))
