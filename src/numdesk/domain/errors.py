"""The closed list of refusals: every expected "no" of the domain, with a code and typed fields, and no HTTP words.

Each dialect maps the whole list in its `refusals.py`; a contract test proves the mapping total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar


class Refusal(Exception):
    """An expected "no". `code` is stable; the docstring of each subclass is its sentence to staff."""

    code: ClassVar[str]

    def __str__(self) -> str:
        return (type(self).__doc__ or self.code).strip()


@dataclass(eq=False)
class NotAuthenticated(Refusal):
    """No credential, or one that we do not know; `cause` is key, or of a signed request signature or timestamp."""

    code = "not_authenticated"
    cause: str = "key"


@dataclass(eq=False)
class NotPermitted(Refusal):
    """The customer is known but may not do this: not approved, blocked, or the key's scope, method or address forbids it."""

    code = "not_permitted"
    reason: str = ""
    #: pending, blocked or restricted, when it is the customer's state that forbids.
    customer_state: str = ""


@dataclass(eq=False)
class NotFound(Refusal):
    """There is no such thing, or it belongs to somebody else."""

    code = "not_found"
    what: str = ""
    #: What there is instead, where that is a short list and no secret.
    known: tuple[str, ...] = ()


@dataclass(eq=False)
class InvalidInput(Refusal):
    """The request cannot be understood; `field` names the part and `reason` says how to mend it."""

    code = "invalid_input"
    field: str = ""
    reason: str = ""


@dataclass(eq=False)
class BodyTooLarge(Refusal):
    """The request's body is larger than this call takes."""

    code = "body_too_large"
    limit_bytes: int = 0


@dataclass(eq=False)
class StateForbids(Refusal):
    """The order's state does not allow this move; `until` is when it will, where time alone changes that."""

    code = "state_forbids"
    state: str = ""
    until: datetime | None = None


@dataclass(eq=False)
class CancelTooEarly(Refusal):
    """The order is too young to be cancelled."""

    code = "cancel_too_early"
    allowed_at: datetime | None = None


@dataclass(eq=False)
class CancelCapReached(Refusal):
    """The customer has cancelled too many orders today."""

    code = "cancel_cap_reached"
    retry_after_s: int = 1


@dataclass(eq=False)
class WalletShort(Refusal):
    """The wallet does not hold enough for this."""

    code = "wallet_short"
    needed: int = 0
    available: int = 0


@dataclass(eq=False)
class RequestInProgress(Refusal):
    """A request with the same idempotency key is still running."""

    code = "request_in_progress"


@dataclass(eq=False)
class KeyReused(Refusal):
    """The idempotency key was used before with another request."""

    code = "key_reused"


@dataclass(eq=False)
class NoOffer(Refusal):
    """No offer matches product, price, operator and availability."""

    code = "no_offer"
    details: dict[str, object] = field(default_factory=dict)


@dataclass(eq=False)
class SupplierFailed(Refusal):
    """Every supplier that was asked refused or failed. `attempts` has one (offer id, provider, cause) per try; `replayed` says that
    this repeats what the idempotency key holds."""

    code = "supplier_failed"
    attempts: list[tuple[int, str, str]] = field(default_factory=list)
    by_catalogue: bool = False
    replayed: bool = False


@dataclass(eq=False)
class PriceAboveCap(Refusal):
    """The price now is above what the customer allows."""

    code = "price_above_cap"
    price: int = 0


@dataclass(eq=False)
class TooManyRequests(Refusal):
    """A rate limit is exhausted."""

    code = "too_many_requests"
    group: str = ""
    retry_after_s: int = 1


@dataclass(eq=False)
class GuardBanned(Refusal):
    """The abuse guard has closed ordering for a while: too many orders ended without a message."""

    code = "guard_banned"
    until: datetime | None = None
    tier: str = ""
    retry_after_s: int = 1


@dataclass(eq=False)
class RateUnavailable(Refusal):
    """There is no fresh exchange rate for this pair."""

    code = "rate_unavailable"
    pair: str = ""
    retry_after_s: int = 30


@dataclass(eq=False)
class Unavailable(Refusal):
    """The desk is closed for maintenance, or its database is restarting."""

    code = "unavailable"
    retry_after_s: int = 5


# Narrower refusals: a dialect that has no word of its own for one answers as for the refusal above it.


@dataclass(eq=False)
class RequestRepeated(KeyReused):
    """This request was done before, and its customer wants repeats to be refused."""

    code = "request_repeated"


@dataclass(eq=False)
class CountryClosed(NoOffer):
    """Numbers of this country are announced but cannot be rented yet."""

    code = "country_closed"
    country: str = ""


@dataclass(eq=False)
class NoNumbers(NoOffer):
    """No number of this country is free for all the services that are wanted."""

    code = "no_numbers"


@dataclass(eq=False)
class PeriodNotOffered(InvalidInput):
    """The price list does not have this period for all the services; `offered` are the periods that it has."""

    code = "period_not_offered"
    offered: tuple[int, ...] = ()


@dataclass(eq=False)
class RentalNotActive(StateForbids):
    """The rental has ended."""

    code = "rental_not_active"


@dataclass(eq=False)
class RentalStillActive(StateForbids):
    """The rental has not ended yet."""

    code = "rental_still_active"


@dataclass(eq=False)
class NumberGone(StateForbids):
    """The number is somebody else's by now, or withdrawn."""

    code = "number_gone"


@dataclass(eq=False)
class TopUpTooSmall(InvalidInput):
    """The top-up is below the least that this payment provider is used for; `minimum` in minor units."""

    code = "top_up_too_small"
    minimum: int = 0


@dataclass(eq=False)
class OutcomeUnknown(Unavailable):
    """The connection to the database was lost and it is not known yet whether the work was done; the same key gives the result later."""

    code = "outcome_unknown"


@dataclass(eq=False)
class GatewayUnavailable(Unavailable):
    """The payment gateway cannot be reached, or gives no invoice now."""

    code = "gateway_unavailable"
    provider: str = ""


def every_refusal() -> tuple[type[Refusal], ...]:
    """Returns the refusals that every dialect has an answer for, in the order in which they stand above."""
    return tuple(Refusal.__subclasses__())
