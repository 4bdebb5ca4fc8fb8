"""Routing decisions are kept, equal ones once, so that "why this offer?" has an answer later."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from numdesk.domain.errors import NotFound
from numdesk.domain.stock.routing import Ranking, Wish
from numdesk.runtime import ProcessState, Runtime
from numdesk.storage.orders import decisions as rows

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

#: Decisions remembered in the process; beyond this all are forgotten and found again in the
#: database.
REMEMBERED_MAX = 20_000
#: How often a process writes down that it still makes a decision; those that nobody makes any more
#: are deleted in the end.
NOTED_EVERY = timedelta(days=1)


#: The id of each decision by its document, and the time at which it was kept.
_NOTED = ProcessState[dict[bytes, tuple[int, datetime]]](lambda _: {})


async def decision(rt: Runtime, ranking: Ranking, *, catalogue_id: int, wish: Wish) -> int:
    """Return the id under which this decision is kept: the wish, every offer looked at, and the
    candidates in order."""
    # Nothing of the customer's own free text or numbers: the reasons beside each offer say what
    # their bounds did, and what customers can make us keep stays bounded by the catalogue.
    document = msgspec.json.encode(
        {
            "catalogue": catalogue_id,
            "policy": wish.policy.value,
            "operator": wish.operator_id,
            "prefer_provider": next(
                (o.provider for o in ranking.candidates if o.provider == wish.prefer_provider), None
            ),
            "candidates": [offer.id for offer in ranking.candidates],
            "offers": ranking.explanation,
        }
    )
    known = _NOTED.of(rt)
    now = rt.clock.now()
    found = known.get(document)
    if found is not None and now - found[1] < NOTED_EVERY:
        return found[0]
    digest = hashlib.sha256(document).digest()

    async def work(tx: Tx) -> int:
        return await rows.keep_decision(tx, digest=digest, document=document.decode(), now=now)

    decision_id = await rt.run("routes.keep", work)
    if len(known) >= REMEMBERED_MAX:
        known.clear()
    known[document] = (decision_id, now)
    return decision_id


async def explain(rt: Runtime, order_id: int) -> dict[str, object]:
    """Return the routing decision that was kept with an order. Raises NotFound."""
    document = await rt.repeat("routes.explain", lambda tx: rows.decision(tx, order_id=order_id))
    if document is None:
        raise NotFound(what="routing decision")
    return document
