"""Rentals of a number by hours or days for one or more services: states, moves and refunds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from numdesk.domain.rentals.refusals import PeriodNotOffered, RentalNotActive, RentalStillActive

#: What rentals are priced and paid in.
CURRENCY = "EUR"
#: A number listens for so many services at most; each is looked for in every message.
SERVICES_MAX = 20
#: Basis points of a whole: what a discount is a part of.
WHOLE_BP = 10_000


class RentType(IntEnum):
    """By what a number is rented. The numbers are stored."""

    SHORT = 0  # by the hour
    LONG = 1  # by the day


#: How long one unit lasts, and how many units one period may have.
UNIT: Mapping[RentType, timedelta] = {
    RentType.SHORT: timedelta(hours=1),
    RentType.LONG: timedelta(days=1),
}


UNITS_MAX: Mapping[RentType, int] = {RentType.SHORT: 1, RentType.LONG: 90}


#: Rentals of these kinds can be made longer while they run.
EXTENDABLE = frozenset({RentType.LONG})


class RentalState(IntEnum):
    """The state of a rental. The numbers are stored. All but ACTIVE are one to the customer:
    inactive."""

    ACTIVE = 0
    EXPIRED = 1
    CANCELED = 2


class RentalEvent(StrEnum):
    """An event in the life of a rental."""

    MESSAGE = "message"
    EXTEND = "extend"
    CANCEL = "cancel"
    EXPIRE = "expire"
    RERENT = "rerent"


#: Every legal move. The table `rental_moves` of the database holds those that change the state; a
#: test compares them.
MOVES: Mapping[tuple[RentalState, RentalEvent], RentalState] = {
    (RentalState.ACTIVE, RentalEvent.MESSAGE): RentalState.ACTIVE,
    (RentalState.ACTIVE, RentalEvent.EXTEND): RentalState.ACTIVE,
    (RentalState.ACTIVE, RentalEvent.CANCEL): RentalState.CANCELED,
    (RentalState.ACTIVE, RentalEvent.EXPIRE): RentalState.EXPIRED,
    (RentalState.EXPIRED, RentalEvent.RERENT): RentalState.ACTIVE,
    (RentalState.CANCELED, RentalEvent.RERENT): RentalState.ACTIVE,
}


@dataclass(frozen=True, slots=True)
class RentalService:
    """A service of the price list: cents by number of units.

    `available` says that a number for it is free now.
    """

    id: int
    code: str
    name: str
    prices: Mapping[int, int]
    available: bool
    priority: int


@dataclass(frozen=True, slots=True)
class RentedService:
    """A service that a number is rented for.

    `used` when a message of it came in the current (or last) term.
    """

    code: str
    name: str
    used: bool


@dataclass(frozen=True, slots=True)
class Rental:
    """A customer's hold of one number, by terms that follow each other.

    `units` and `price` (cents) are those of the rent or re-rent by which the current or last term
    began; its extensions are not in them. `number_available`: could it be rented again now?
    """

    public_id: str
    customer_id: int
    state: RentalState
    msisdn: int
    country: str
    services: tuple[RentedService, ...]
    rent_type: RentType
    units: int
    price: int
    currency: str
    starts_at: datetime
    expires_at: datetime
    rented_at: datetime
    ended_at: datetime | None
    number_available: bool


@dataclass(frozen=True, slots=True)
class RentalMessage:
    """A message that came for a rented number during one of the customer's own terms."""

    id: int
    sender: str
    text: str
    received_at: datetime


def move(state: RentalState, event: RentalEvent) -> RentalState:
    """Return the next state. Raises RentalNotActive or RentalStillActive."""
    following = MOVES.get((state, event))
    if following is None:
        refusal = RentalStillActive if state is RentalState.ACTIVE else RentalNotActive
        raise refusal(state=state.name.lower())
    return following


def as_of(state: RentalState, *, expires_at: datetime, now: datetime) -> RentalState:
    """Return the state at a moment: a rental whose time is up has expired, whether or not anybody
    has written that down yet."""
    return RentalState.EXPIRED if state is RentalState.ACTIVE and now >= expires_at else state


def length(rent_type: RentType, units: int) -> timedelta:
    """Return how long so many units last."""
    return UNIT[rent_type] * units


def check_extendable(rent_type: RentType) -> None:
    """Raises PeriodNotOffered for a kind of rental that ends when it ends."""
    if rent_type not in EXTENDABLE:
        raise PeriodNotOffered(
            field="period",
            reason=f"cannot be had: {rent_type.name} rentals cannot be extended",
            offered=(),
        )


def is_refunded(*, messages: int, starts_at: datetime, now: datetime, window: timedelta) -> bool:
    """Do a cancel give the money of the whole term back?

    Only before the first message, and only within the operator's window.
    """
    return messages == 0 and now < starts_at + window
