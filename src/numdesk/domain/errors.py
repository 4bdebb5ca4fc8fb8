"""Refusals of every area: an expected "no" with a code and typed fields, and no HTTP words.

Those of one area stand in its `refusals.py`. A dialect declares the areas that it serves and has an
answer for each of their refusals, and for each of these; a contract test proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


class Refusal(Exception):
    """An expected "no". `code` is stable.

    The docstring of each subclass is its sentence to staff.
    """

    code: ClassVar[str]

    def __str__(self) -> str:
        return (type(self).__doc__ or self.code).strip()


@dataclass(eq=False)
class NotAuthenticated(Refusal):
    """No credential, or one that we do not know.

    `cause` is key, or of a signed request signature or timestamp.
    """

    code = "not_authenticated"
    cause: str = "key"


@dataclass(eq=False)
class NotPermitted(Refusal):
    """The customer is known but may not do this: not approved, blocked, or the key's scope, method
    or address forbids it."""

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
    """The request cannot be understood; `field` names the part and `reason` says how to fix it."""

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
    """The order's state does not allow this move.

    `until` is when it will, where time alone changes that.
    """

    code = "state_forbids"
    state: str = ""
    until: datetime | None = None


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
class TooManyRequests(Refusal):
    """A rate limit is exhausted."""

    code = "too_many_requests"
    group: str = ""
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


@dataclass(eq=False)
class RequestRepeated(KeyReused):
    """This request was done before, and its customer wants repeats to be refused."""

    code = "request_repeated"


@dataclass(eq=False)
class OutcomeUnknown(Unavailable):
    """The connection to the database was lost and it is not known yet whether the work was done.

    The same key gives the result later.
    """

    code = "outcome_unknown"
