"""Signed requests that come again: a signature belongs to the key that it came with first.

An Idempotency-Key is no part of what is signed. Whoever has seen a signed request could otherwise send it once more under a key of his own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numdesk.storage import replays as rows
from numdesk.storage.replays import Binding

if TYPE_CHECKING:
    from numdesk.domain.customers import Caller
    from numdesk.runtime import Runtime


async def bind(rt: Runtime, caller: Caller, *, signature: bytes, key: str) -> str:
    """Returns the key under which a request with this signature is to be carried out: the first that it came with.

    Requests that wait together are bound together: this stands before every signed write.
    """

    async def run(wanted: list[Binding]) -> list[str]:
        first = {(one.customer_id, one.signature): one for one in reversed(wanted)}
        bound = await rt.run("replays.bind", lambda tx: rows.bind(tx, list(first.values()), now=rt.clock.wall()))
        return [bound[one.customer_id, one.signature] for one in wanted]

    return await rt.batch("replays.bind", run, batch_max=256).submit(Binding(caller.customer_id, signature, key))
