"""End rentals: cancel with or without a refund, expire when the time is up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from numdesk.domain.customers.callers import Caller
from numdesk.domain.money import Money
from numdesk.domain.rentals import journals as rental_journals
from numdesk.domain.rentals import lifecycle
from numdesk.domain.rentals.lifecycle import (
    RentalEvent,
)
from numdesk.domain.rentals.outcomes import (
    Canceled,
    parse_outcome,
    print_outcome,
)
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.customers import guard as guard_rows
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Namespace
from numdesk.storage.ledger import journals
from numdesk.storage.rentals import charges
from numdesk.storage.rentals import lifecycle as rows
from numdesk.storage.rentals.charges import Split
from numdesk.storage.rentals.lifecycle import Held
from numdesk.usecases.customers import guard
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.jobs.sweeps import Sweep, sweep
from numdesk.usecases.ledger import alerts
from numdesk.usecases.rentals.reading import lock_held

EXPIRE_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The request to end a rental."""

    key: str | None
    fingerprint: bytes
    rental_id: str
    signature: Signature | None = None


async def cancel(rt: Runtime, caller: Caller, request: CancelRequest) -> tuple[Canceled, bool]:
    """End a running rental, and give back what the whole term cost when no message came and the
    operator's window is open.

    A message that commits before us wins. The abuse guard counts who gets money back. Raises
    NotFound, RentalNotActive, KeyReused or RequestInProgress. True with a replay.
    """
    key = key_of(caller, Namespace.RENTAL_CANCEL, request)
    window = timedelta(hours=rt.settings.rental_refund_h)

    async def work(tx: Tx) -> tuple[Canceled, bool]:
        now = rt.clock.now()
        held, _ = await lock_held(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=now)
        if isinstance(claimed, str):
            return parse_outcome(claimed, Canceled), True
        rental = held.rental
        lifecycle.move(rental.state, RentalEvent.CANCEL)
        is_refunded = lifecycle.is_refunded(
            messages=held.messages, starts_at=rental.starts_at, now=now, window=window
        )
        if is_refunded:
            await guard_rows.count_cancel(tx, caller.customer_id, now=now)
        await rows.end(tx, RentalEvent.CANCEL, [held.id], now=now)
        back = await _refund(rt, tx, caller, held) if is_refunded else Split(0, 0)
        outcome = Canceled(
            rental_id=rental.public_id,
            msisdn=rental.msisdn,
            currency=rental.currency,
            refunded=is_refunded,
            refund=back.bonus + back.wallet,
        )
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    canceled, again = await rt.run("rentals.cancel", work)
    if canceled.refunded and not again:  # its number rests for nothing
        await guard.review(rt, [caller.customer_id])
    return canceled, again


async def expire_due(rt: Runtime) -> int:
    """End all rentals whose time has passed; return how many."""
    now = rt.clock.now()

    async def expire(tx: Tx, rental_ids: list[int]) -> list[int]:
        return await rows.end(tx, RentalEvent.EXPIRE, rental_ids, now=now)

    return len(
        await sweep(
            rt,
            Sweep(
                "rentals.expire", EXPIRE_BATCH, partial(rows.due_to_expire, now=now), expire, int
            ),
        )
    )


async def _refund(rt: Runtime, tx: Tx, caller: Caller, held: Held) -> Split:
    """Give back what all charges of the term took, each part to where it came from."""
    now, currency = rt.clock.now(), held.rental.currency
    back = await charges.charged(tx, term_id=held.term_id)
    if back.bonus + back.wallet:
        journal = rental_journals.refund_rental(
            held.term_id,
            customer_id=caller.customer_id,
            to_bonus=Money(back.bonus, currency),
            to_wallet=Money(back.wallet, currency),
        )
        applied = await journals.apply(tx, journal, now=now)
        await charges.note(tx, applied.journal_id, held, type="refund", units=held.units_total)
        await alerts.look(
            tx,
            customer_ids=[caller.customer_id],
            dialect=caller.dialect,
            currency=currency,
            now=now,
        )
    return back
