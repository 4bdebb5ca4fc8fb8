"""The one path by which messages come in, whatever provider brings them: dedupe, join, find order,
code and service, earn, tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from numdesk.domain.errors import InvalidInput
from numdesk.domain.otp.extract import extract
from numdesk.ports.inbound import MessageReceived
from numdesk.runtime import Batch, Runtime
from numdesk.storage.inbound import messages as rows
from numdesk.storage.inbound.messages import Arrival, Segments, Taken, TakenStatus
from numdesk.usecases import otp, recognition
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.orders import changes
from numdesk.usecases.rentals import messages

if TYPE_CHECKING:
    from numdesk.storage.database.pool import Tx

RECEIVE_BATCH_MAX = 256
#: Longer texts than 40 segments of GSM text are cut: no handset sends them, and every reader would
#: have to store them.
TEXT_MAX = 6_120
SENDER_MAX = 64
PROVIDER_MESSAGE_ID_MAX = 200
#: The longest number that E.164 knows, and the largest reference of a long message that a column
#: holds.
MSISDN_MAX = 10**15 - 1
REFERENCE_MAX = 2**31 - 1
#: A segment waits so long for its siblings; then what there is counts as the message.
PARTS_PATIENCE = timedelta(minutes=2)
OVERDUE_BATCH = 200


async def receive_message(rt: Runtime, event: MessageReceived) -> Taken:
    """Take a message and returns what became of it once that is committed: only then may the
    provider be told that we have it.

    A repeat of the same provider message id is "seen" and changes nothing. Raises InvalidInput (no
    id).
    """
    _check(event)
    event = _cleaned(event)
    if event.part is not None and event.part.total > 1:
        segments = await rt.run("inbound.part", lambda tx: _join(rt, tx, event))
        if isinstance(segments, Taken):
            return segments
        return await _receive_joined(rt, segments, ref=event.provider_ref)
    found = extract(event.text, sender=event.sender)
    return await _receive(
        rt,
        Arrival(
            event.provider,
            event.provider_message_id,
            event.to,
            event.sender,
            event.text,
            found.code if found else None,
            event.provider_ref,
        ),
    )


async def join_overdue(rt: Runtime) -> int:
    """Take messages whose missing segments have not come in time; return how many."""
    before = rt.clock.now() - PARTS_PATIENCE
    aside = await sweeps.of_sweep(rt, "inbound.join_overdue")
    again, known = sweeps.again(rt, aside), {one.item for one in aside}
    waiting = sorted(known - {one.item for one in again})
    overdue = await rt.repeat(
        "inbound.overdue",
        lambda tx: rows.overdue_parts(tx, before=before, without=waiting, limit=OVERDUE_BATCH),
    )
    joined = 0
    for item, segments in overdue:
        join = partial(_receive_joined, rt, segments, ref=None)
        joined += (
            await sweeps.attempt(rt, "inbound.join_overdue", item, join, is_aside=item in known)
            is not None
        )
    if len(overdue) < OVERDUE_BATCH:
        for item in {one.item for one in again} - {
            item for item, _ in overdue
        }:  # its last segment came, or it is gone
            await sweeps.forget(rt, "inbound.join_overdue", item)
    return joined


async def is_known(rt: Runtime, msisdn: int) -> bool:
    """Return whether this is one of our numbers, or was ever rented through us."""
    return await rt.repeat("inbound.is_known", lambda tx: rows.is_known(tx, msisdn))


async def _receive(rt: Runtime, arrival: Arrival) -> Taken:
    """Take a whole message in the batch that leaves next."""
    return await _ARRIVALS.submit(rt, arrival)


async def _receive_batch(rt: Runtime, batch: list[Arrival]) -> list[Taken]:
    """Take whole messages in one command, and notify those who wait for their orders."""
    arrivals = await recognition.recognise(rt, await otp.reread_for_orders(rt, batch))
    withhold = recognition.withholds(rt)
    taken = await rt.repeat(
        "inbound.receive",
        lambda tx: rows.receive(tx, arrivals, now=rt.clock.now(), withhold=withhold),
    )
    if any(item.status is TakenStatus.RENTED for item in taken):
        taken = await messages.receive(rt, arrivals, taken)
    recognition.count_withheld(taken)
    changed = [
        item.order_id
        for item in taken
        if item.status is TakenStatus.TAKEN and item.order_id is not None
    ]
    if changed:
        await changes.tell(rt, changed)
    return taken


_ARRIVALS = Batch(_receive_batch, batch_max=RECEIVE_BATCH_MAX)


async def _receive_joined(rt: Runtime, segments: Segments, *, ref: str | None) -> Taken:
    """Take a joined message, then mark its segments: in this order, so that a crash in between only
    repeats the taking."""
    taken = await _receive(rt, _arrival(segments, ref=ref))
    await rt.run("inbound.joined", lambda tx: rows.mark_joined(tx, segments))
    return taken


async def _join(rt: Runtime, tx: Tx, event: MessageReceived) -> Segments | Taken:
    """Keep a segment; return all of them when none is missing, else what to tell the provider.

    The joined message is taken after this transaction under an id made from its segments, so a
    crash in between is mended by the provider's repeat or by `join_overdue`, and taking it twice is
    harmless.
    """
    fresh = await rows.keep_part(tx, event, now=rt.clock.now())
    segments = await rows.lock_parts(tx, event)
    if segments is None:
        return Taken(TakenStatus.SEEN, None, None, None)
    if len(segments.texts) < segments.total:
        return Taken(TakenStatus.WAITING if fresh else TakenStatus.SEEN, None, None, None)
    return segments


def _arrival(segments: Segments, *, ref: str | None) -> Arrival:
    """Return the joined message.

    Its id is made from the message's identity and its first segment, the same at every try.
    """
    text = "".join(segments.texts)[:TEXT_MAX]
    found = extract(text, sender=segments.sender)
    return Arrival(
        segments.provider,
        f"joined/{segments.reference}/{segments.total}/{segments.first_id}"[
            : PROVIDER_MESSAGE_ID_MAX + 40
        ],
        segments.to,
        segments.sender,
        text,
        found.code if found else None,
        ref,
        segments.first_at,
    )


def _check(event: MessageReceived) -> None:
    """Raises InvalidInput what cannot be recognised when it is repeated, and numbers that are
    none."""
    name, part = event.provider_message_id, event.part
    if not 0 < len(name) <= PROVIDER_MESSAGE_ID_MAX or name != _clean(name):
        raise InvalidInput(
            field="provider_message_id",
            reason=f"must have 1 to {PROVIDER_MESSAGE_ID_MAX} characters",
        )
    if not 0 < event.to <= MSISDN_MAX:
        raise InvalidInput(field="to", reason="must be a phone number")
    if part is not None and not 1 <= part.position <= part.total <= 255:
        raise InvalidInput(
            field="part", reason="position must be from 1 to total, and total at most 255"
        )
    if part is not None and not 0 <= part.reference <= REFERENCE_MAX:
        raise InvalidInput(field="part", reason=f"reference must be from 0 to {REFERENCE_MAX}")


def _cleaned(event: MessageReceived) -> MessageReceived:
    """Return the message with texts that can be kept."""
    return replace(
        event,
        sender=_clean(event.sender)[:SENDER_MAX],
        text=_clean(event.text)[:TEXT_MAX],
        provider_ref=None if event.provider_ref is None else _clean(event.provider_ref),
    )


def _clean(text: str) -> str:
    """Return what PostgreSQL can hold: no NUL, no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
