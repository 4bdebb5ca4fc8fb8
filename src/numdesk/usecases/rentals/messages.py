"""Messages for rented numbers: whose they are, which service they are of, and telling the
customer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numdesk.domain.rentals.messages import service_of
from numdesk.storage.inbound import messages as message_rows
from numdesk.storage.inbound.messages import Arrival, Taken, TakenStatus
from numdesk.storage.rentals import messages as rows
from numdesk.storage.rentals.messages import Heard, Listener
from numdesk.usecases import otp, recognition
from numdesk.usecases.webhooks import deliveries

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx
    from numdesk.usecases.otp import Book


async def receive(
    rt: Runtime, arrivals: Sequence[Arrival], answers: Sequence[Taken]
) -> list[Taken]:
    """Take those messages of a batch that were left because their numbers are rented, and return
    the answers with theirs.

    A rental that ended since the look is no longer there; its number's message is then nobody's, as
    after any end.
    """
    places = [place for place, answer in enumerate(answers) if answer.status is TakenStatus.RENTED]
    wanted = [arrivals[place] for place in places]
    book = await otp.known(rt)
    taken = await rt.run("rentals.receive", lambda tx: _receive(rt, tx, wanted, book=book))
    deliveries.wake(rt)
    theirs = dict(zip(places, taken, strict=True))
    return [theirs.get(place, answer) for place, answer in enumerate(answers)]


async def _receive(rt: Runtime, tx: Tx, arrivals: Sequence[Arrival], *, book: Book) -> list[Taken]:
    """Take messages with their rentals locked: one that commits before a cancel is the term's, one
    that comes after it is not."""
    now = rt.clock.now()
    listeners = await rows.lock_listeners(tx, [arrival.to for arrival in arrivals], now=now)
    theirs = [_listening(listeners.get(arrival.to), arrival) for arrival in arrivals]
    heard = [
        _heard(arrival, one, book=book)
        for arrival, one in zip(arrivals, theirs, strict=True)
        if one
    ]
    missed = [arrival for arrival, one in zip(arrivals, theirs, strict=True) if not one]
    withhold = recognition.withholds(rt)
    taken = iter(await rows.receive(tx, heard, now=now, withhold=withhold) if heard else [])
    late = iter(
        await message_rows.receive_unrented(tx, missed, now=now, withhold=withhold)
        if missed
        else []
    )
    return [next(taken) if one else next(late) for one in theirs]


def _listening(listener: Listener | None, arrival: Arrival) -> Listener | None:
    """Return whose the message is: a long one whose first part came before the term is an earlier
    tenant's, nobody's by now."""
    is_earlier = (
        listener is not None
        and arrival.first_at is not None
        and arrival.first_at < listener.starts_at
    )
    return None if is_earlier else listener


def _heard(arrival: Arrival, listener: Listener, *, book: Book) -> Heard:
    """Return a message with its service, read by that service's rules, or when that cannot be told
    by those of all it could be of."""
    rented = [known for known, _, _ in listener.services]
    told = arrival.recognition
    if told is not None:
        fitting = [one for one in rented if one == told.service_id] or [
            one for one in rented if one in told.fits
        ]
        service_id, is_foreign = next(iter(fitting), None), not fitting
    else:
        service_id, is_foreign = _service(arrival, listener), False
    could_be = rented if service_id is None else [service_id]
    return Heard(otp.reread(book, arrival, could_be), listener, service_id, is_foreign)


def _service(arrival: Arrival, listener: Listener) -> int | None:
    """Return the rented service that a message that was not recognised is most likely of."""
    code = service_of(
        [(code, name) for _, code, name in listener.services],
        sender=arrival.sender,
        text=arrival.text,
    )
    return next((service_id for service_id, known, _ in listener.services if known == code), None)
