"""Rentals: a number by the hour or by the day for one or more services.

Prices, states, refunds, and whose service a message is of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from fractions import Fraction
from functools import cache

from numdesk.domain.money import half_up
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
class Quote:
    """The price of a period: `base_price` is the list's, `price` the customer's, `breakdown` the
    list's by name of service. Cents."""

    units: int
    base_price: int
    price: int
    breakdown: tuple[tuple[str, int], ...]


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


def quotes(services: Sequence[RentalService], *, discount_bp: int = 0) -> list[Quote]:
    """Return what the services cost together, for each period that all of them have, shortest
    first.

    The discount (basis points) is taken off the sum, rounded half up, so that the parts of a
    breakdown add up to the base price.
    """
    assert 0 <= discount_bp <= WHOLE_BP, "a discount is a part of the price"
    common = (
        set.intersection(*(set(service.prices) for service in services)) if services else set[int]()
    )
    found = []
    for units in sorted(common):
        breakdown = tuple((service.name, service.prices[units]) for service in services)
        base = sum(price for _, price in breakdown)
        found.append(
            Quote(
                units, base, half_up(Fraction(base * (WHOLE_BP - discount_bp), WHOLE_BP)), breakdown
            )
        )
    return found


def check_extendable(rent_type: RentType) -> None:
    """Raises PeriodNotOffered for a kind of rental that ends when it ends."""
    if rent_type not in EXTENDABLE:
        raise PeriodNotOffered(
            field="period",
            reason=f"cannot be had: {rent_type.name} rentals cannot be extended",
            offered=(),
        )


def extensions(
    offered: Iterable[Quote], *, rent_type: RentType, units_so_far: int, units_max: int
) -> list[Quote]:
    """Return the periods by which a term may still be made longer: a term has at most `units_max`
    units in all."""
    if rent_type not in EXTENDABLE:
        return []
    return [quote for quote in offered if units_so_far + quote.units <= units_max]


def choose(offered: Sequence[Quote], units: int) -> Quote:
    """Return the quote of a period. Raises PeriodNotOffered."""
    found = next((quote for quote in offered if quote.units == units), None)
    if found is None:
        periods = tuple(quote.units for quote in offered)
        reason = (
            f"must be one of {', '.join(map(str, periods))}"
            if periods
            else "is not offered, nor is any other"
        )
        raise PeriodNotOffered(field="period", reason=reason, offered=periods)
    return found


def is_refunded(*, messages: int, starts_at: datetime, now: datetime, window: timedelta) -> bool:
    """Do a cancel give the money of the whole term back?

    Only before the first message, and only within the operator's window.
    """
    return messages == 0 and now < starts_at + window


#: Other words by which services sign their messages, by code; a service's own name and code always
#: count.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "google": ("g", "gmail", "youtube"),
    "whatsapp": ("wa", "whats app"),
    "telegram": ("tg", "t.me"),
    "facebook": ("fb", "meta", "messenger"),
    "instagram": ("ig", "insta"),
    "twitter": ("x",),
    "microsoft": ("msft", "outlook", "hotmail"),
    "apple": ("icloud", "apple id"),
    "amazon": ("amzn", "aws"),
    "openai": ("chatgpt",),
    "tiktok": ("tik tok",),
    "linkedin": ("linked in",),
    "vk": ("vkontakte", "вконтакте"),
    "odnoklassniki": ("ok.ru", "одноклассники"),
    "yandex": ("яндекс",),
    "tinkoff": ("т-банк", "тинькофф"),
    "sber": ("сбер", "sberbank", "сбербанк"),
    "avito": ("авито",),
    "ozon": ("озон",),
    "wildberries": ("wb", "вайлдберриз"),
    "wechat": ("weixin", "微信"),
}
#: Words so short that they count as a sender's name only, or as the prefix of a code, such as
#: G-123456.
_SHORT = 2


def service_of(services: Sequence[tuple[str, str]], *, sender: str, text: str) -> str | None:
    """Return the code of the service that a message is of, among those (code, name) that the number
    is rented for, or None.

    With one service it is that one. Else it is the one that the sender's name says; else the first
    that the text names, the longer of two that begin together.
    """
    if len(services) == 1:
        return services[0][0]
    for code, name in services:
        if _as_sender(code, name).fullmatch(sender.strip()):
            return code
    found = [
        (match.start(), -match.end(), code)
        for code, name in services
        if (match := _in_text(code, name).search(f"{sender} {text}"))
    ]
    return min(found)[2] if found else None


@cache
def _as_sender(code: str, name: str) -> re.Pattern[str]:
    """Match a sender's name that is a word of the service, whatever stands around it that is
    neither letter nor digit."""
    return re.compile(rf"[\W_]*(?:{_alternatives(code, name, least=1)})[\W_]*", re.IGNORECASE)


@cache
def _in_text(code: str, name: str) -> re.Pattern[str]:
    """Match a word of the service in a text; a short one only before a hyphen and a digit."""
    short = _alternatives(code, name, least=1, most=_SHORT)
    long = _alternatives(code, name, least=_SHORT + 1)
    return re.compile(rf"(?<!\w)(?:(?:{long})(?!\w)|(?:{short})-(?=\d))", re.IGNORECASE)


def _alternatives(code: str, name: str, *, least: int, most: int = 1000) -> str:
    words = {name, code, code.replace("-", " "), *ALIASES.get(code, ())}
    chosen = sorted((word for word in words if least <= len(word) <= most), key=len, reverse=True)
    return "|".join(re.escape(word) for word in chosen) or r"(?!)"
