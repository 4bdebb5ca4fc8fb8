"""Orders: their states, every legal move in one table, and what a customer may do at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum

from numdesk.domain.errors import StateForbids
from numdesk.domain.orders.refusals import CancelTooEarly

#: How long a rented number waits for its first message.
LIFETIME = timedelta(minutes=20)
#: A customer may cancel from this age on. Clients are told CANCEL_SHOWN_AFTER, but the official
#: recipe polls for 120 s and cancels 117 s after it began, so the door opens a little earlier than
#: the sign says.
CANCEL_SHOWN_AFTER = timedelta(seconds=120)
CANCEL_OPEN_AFTER = timedelta(seconds=115)
#: A supplier needs a moment between two requests for one more message.
RESEND_COOLDOWN = timedelta(seconds=30)
#: How many orders one request may ask for.
QUANTITY_MAX = 100


class State(IntEnum):
    """The state of an order. The numbers are stored."""

    PENDING = 0  # money held, the supplier has not answered
    ACTIVE = 1  # waiting for the first message
    RECEIVED = 2  # a message arrived
    RESENT = 3  # had a message, waits for one more
    COMPLETED = 4
    CANCELED = 5
    EXPIRED = 6
    FAILED = 7  # no supplier gave a number


class Event(StrEnum):
    """An event in the life of an order."""

    ASSIGN = "assign"
    FAIL = "fail"
    RECEIVE = "receive"
    RESEND = "resend"
    FINISH = "finish"
    CANCEL = "cancel"
    EXPIRE = "expire"


#: Every legal move. The table `order_moves` of the database holds the same rows; a test compares
#: them.
MOVES: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.ASSIGN): State.ACTIVE,
    (State.PENDING, Event.FAIL): State.FAILED,
    (State.ACTIVE, Event.RECEIVE): State.RECEIVED,
    (State.ACTIVE, Event.CANCEL): State.CANCELED,
    (State.ACTIVE, Event.EXPIRE): State.EXPIRED,
    (State.RECEIVED, Event.RECEIVE): State.RECEIVED,
    (State.RECEIVED, Event.RESEND): State.RESENT,
    (State.RECEIVED, Event.FINISH): State.COMPLETED,
    (State.RECEIVED, Event.EXPIRE): State.COMPLETED,
    (State.RESENT, Event.RECEIVE): State.RECEIVED,
    (State.RESENT, Event.RESEND): State.RESENT,
    (State.RESENT, Event.FINISH): State.COMPLETED,
    (State.RESENT, Event.EXPIRE): State.COMPLETED,
}

OPEN_STATES = frozenset({State.PENDING, State.ACTIVE, State.RECEIVED, State.RESENT})
#: A first message has arrived: the price is earned, cancel and refund are closed.
EVIDENCE_STATES = frozenset({State.RECEIVED, State.RESENT, State.COMPLETED})


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase of a number's use. Money is in minor units of `currency`.

    `msisdn` is None until a number is assigned.

    `offer_id` is the tier that was sold, `catalogue_id` the stable product, `revision` counts
    changes, `sms_revision` novel messages.
    """

    id: int
    customer_id: int
    dialect: str
    state: State
    offer_id: int
    catalogue_id: int
    country_id: int
    service_id: int
    operator_id: int | None
    operator_name: str | None
    provider: str
    provider_ref: str | None
    msisdn: int | None
    currency: str
    price: int
    cost: int
    created_at: datetime
    expires_at: datetime
    otp_code: str | None
    otp_message: str | None
    sms_revision: int
    first_sms_at: datetime | None
    resend_at: datetime | None
    ended_at: datetime | None
    failed_reason: str | None
    reactivatable: bool
    number_free: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The acts open to the customer now; the times say from when, or None."""

    finish: bool
    resend: bool
    cancel: bool
    reactivate: bool
    resend_available_at: datetime | None
    cancel_available_at: datetime | None


def move(state: State, event: Event) -> State:
    """Return the next state, or refuses with StateForbids."""
    following = MOVES.get((state, event))
    if following is None:
        raise StateForbids(state=state.name.lower())
    return following


def check_cancel(order: Order, *, now: datetime) -> State:
    """Return CANCELED when the order may be cancelled now.

    Raises StateForbids or CancelTooEarly.
    """
    following = move(order.state, Event.CANCEL)
    if now >= order.expires_at:
        raise StateForbids(state="expired")
    if now < order.created_at + CANCEL_OPEN_AFTER:
        raise CancelTooEarly(allowed_at=order.created_at + CANCEL_SHOWN_AFTER)
    return following


def check_finish(order: Order, *, now: datetime) -> State:
    """Return COMPLETED when the order may be finished now. Raises StateForbids."""
    if now >= order.expires_at:
        raise StateForbids(state="expired")
    return move(order.state, Event.FINISH)


def check_resend(order: Order, *, now: datetime) -> State:
    """Return RESENT when one more message may be asked for now. Raises StateForbids."""
    following = move(order.state, Event.RESEND)
    if now >= order.expires_at:
        raise StateForbids(state="expired")
    if order.resend_at is not None and now < order.resend_at:
        raise StateForbids(state="resend cooldown", until=order.resend_at)
    return following


def capabilities_hold_until(order: Order, *, now: datetime) -> datetime:
    """Return the next moment at which time alone changes what the customer may do with the
    order."""
    moments = (order.created_at + CANCEL_SHOWN_AFTER, order.expires_at, order.resend_at)
    return min(
        (moment for moment in moments if moment is not None and moment > now),
        default=datetime.max.replace(tzinfo=UTC),
    )


def capabilities(order: Order, *, now: datetime) -> Capabilities:
    """Return what the customer may do with the order at `now`."""
    waiting = order.state is State.ACTIVE and now < order.expires_at
    evidence = order.state in (State.RECEIVED, State.RESENT)
    cooling = order.resend_at is not None and now < order.resend_at
    cancel_from = order.created_at + CANCEL_SHOWN_AFTER
    return Capabilities(
        finish=evidence and now < order.expires_at,
        resend=evidence and not cooling and now < order.expires_at,
        cancel=waiting and now >= cancel_from,
        reactivate=order.state is State.COMPLETED and order.reactivatable and order.number_free,
        resend_available_at=order.resend_at if evidence and cooling else None,
        cancel_available_at=cancel_from if waiting and now < cancel_from else None,
    )
