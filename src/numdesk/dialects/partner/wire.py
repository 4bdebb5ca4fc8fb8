"""Requests of the partner API: bodies, paths and headers parsed to domain values, or refused by
field.

The vendor's reference and its own sample use different names for the same fields; both are read,
and must agree if both are present.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from numdesk.dialects import Request
from numdesk.dialects.partner.money import cents_of
from numdesk.dialects.partner.signing import PREFIX, is_nothing, parse, stringify
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import SERVICES_MAX, UNIT, UNITS_MAX, RentType
from numdesk.domain.rentals.refusals import PeriodNotOffered
from numdesk.usecases.customers.applications import ApplicationForm
from numdesk.usecases.idempotency import Signature

Value = TypeVar("Value")

TEXT_CHARS_MAX = 2048
#: The prefix of keys that are made from signatures; a client's key cannot have it.
SIGNED = "sig:"
DURATION_UNITS: Mapping[str, timedelta] = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}

#: JSON's words for the types of values.
_KINDS: Mapping[type, str] = {
    str: "a string",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}

_is_key = re.compile(rb"[A-Za-z0-9_.-]{1,128}").fullmatch
_is_rental_id = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII).fullmatch
_is_period = re.compile(r"[1-9][0-9]{0,3}", re.ASCII).fullmatch
#: A limit far above every period; longer durations are malformed.
_DURATION_MAX = 1_000_000


@dataclass(eq=False)
class AmbiguousDuration(PeriodNotOffered):
    """A bare duration with several possible readings among the periods: in days, in hours or in
    minutes.
    """

    readings: tuple[int, ...] = ()


class Selection(NamedTuple):
    """Country, rental type, and services of the price list by code or name."""

    country: str
    rent_type: RentType
    services: tuple[str, ...]


class Claim(NamedTuple):
    """The identity of a write, which recognises its repetition: the client's key, the fingerprint
    bound to it, and the signature.

    The signature is None for a customer who may repeat requests.
    """

    key: str | None
    fingerprint: bytes
    signature: Signature | None


def api_key_of(request: Request) -> bytes | None:
    """Return the public half of the key, or None."""
    return request.headers.get(b"x-api-key")


def parse_claim(request: Request) -> Claim:
    """Return the claim of a write; refuses with InvalidInput.

    A signature is good for one effect. It covers no header, so it decides before the key, and a key
    recognises the same request when it is signed again. As a consequence, identical requests signed
    in one millisecond are one; a customer can be exempt (option `replay`).
    """
    given = request.headers.get(b"idempotency-key")
    path = request.path.removeprefix(PREFIX).encode()
    fingerprint = hashlib.sha256(
        b"\0".join((path, request.query, _rewritten(request.body)))
    ).digest()
    if given is not None and _is_key(given) is None:
        raise InvalidInput(field="Idempotency-Key", reason="must be 1 to 128 of A-Z a-z 0-9 _ . -")
    key = None if given is None else given.decode("ascii")
    return Claim(key, fingerprint, _signature_of(request))


def _signature_of(request: Request) -> Signature | None:
    """Return the verified signature in lower case, or None for a customer who may repeat
    requests.
    """
    replay = request.caller.options.get("replay")
    if replay == "allow":
        return None
    return Signature(
        SIGNED + request.headers[b"x-signature"].decode("ascii").lower(),
        is_single=replay == "reject",
    )


def read_object(request: Request) -> dict[str, Any]:
    """Return the body's JSON object; an empty body and `null` are {}. Refuses with InvalidInput."""
    if is_nothing(request.body):
        return {}
    data = _parsed(request.body)
    if type(data) is not dict:
        raise InvalidInput(
            field="body",
            reason=f"must be a JSON object, not {_KINDS.get(type(data), 'something else')}",
        )
    return data


def parse_application(data: Mapping[str, Any]) -> ApplicationForm:
    """Return the application of a new partner; refuses with InvalidInput."""
    return ApplicationForm(
        name=_required(_text(data, "name"), "name"),
        email=_required(_text(data, "email"), "email"),
        phone=_text(data, "phone") or None,
        webhook_url=_text(data, "webhookUrl") or None,
    )


def parse_topup(data: Mapping[str, Any]) -> tuple[int, str]:
    """Return the cents to be credited and the payment provider; refuses with InvalidInput."""
    return cents_of(data.get("amount"), field="amount"), _required(
        _text(data, "provider"), "provider"
    ).lower()


def parse_place(data: Mapping[str, Any]) -> tuple[str, RentType]:
    """Return country and rental type from a query or a body; refuses with InvalidInput."""
    rent_type = _either(data, ("rentType", "type"), _rent_type)
    return _required(_text(data, "country"), "country"), _required(rent_type, "rentType")


def parse_selection(data: Mapping[str, Any]) -> Selection:
    """Return the services to be priced or rented; refuses with InvalidInput."""
    services = _either(data, ("serviceIds", "services"), _services, alike=_as_set)
    return Selection(*parse_place(data), _required(services, "serviceIds"))


def parse_rental_id(request: Request) -> str:
    """Return the rental id in the path; refuses an impossible one with NotFound."""
    text = request.params[0]
    if _is_rental_id(text) is None:
        raise NotFound(what="rental")
    return text


def parse_length(data: Mapping[str, Any], rent_type: RentType) -> tuple[int, ...]:
    """Return the possible numbers of hours (SHORT) or days (LONG) of a body; refuses with
    InvalidInput.

    `period` states the number, and so does `duration` with a unit. A bare duration (the vendor's
    sample rents for `duration: 24`, its answers count minutes) may be in days, hours or minutes:
    then every reading that is not longer than any period is returned, perhaps none.
    """
    units = _period(data)
    duration = data.get("duration")
    if duration is None:
        if units is None and rent_type is RentType.SHORT:
            return (1,)
        return (_required(units, "period"),)
    unit = _text(data, "durationUnit")
    readings = _readings(duration, unit, rent_type)
    if units is not None:
        if units not in readings:
            raise InvalidInput(field="duration", reason="says another length than period")
        return (units,)
    if unit and not readings:
        raise InvalidInput(
            field="duration",
            reason=f"is no whole number of {'hours' if rent_type is RentType.SHORT else 'days'}",
        )
    return readings


def parse_period(data: Mapping[str, Any]) -> int | None:
    """Return the number of units if `period` alone states it, else None; refuses with
    InvalidInput.
    """
    return _period(data) if data.get("duration") is None else None


def meant(readings: Sequence[int], offered: Sequence[int]) -> int:
    """Return the one reading that is offered.

    Refuses with PeriodNotOffered if there is none, with AmbiguousDuration if there are several.
    """
    found = [units for units in offered if units in readings]
    if not found:
        raise PeriodNotOffered(
            field="duration", reason="is no period on offer", offered=tuple(offered)
        )
    if len(found) > 1:
        raise AmbiguousDuration(
            field="duration",
            reason="could be days, hours or minutes",
            offered=tuple(offered),
            readings=tuple(found),
        )
    return found[0]


def _parsed(body: bytes) -> Any:
    try:
        return parse(body)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            field="body", reason=f"is not valid JSON: {error.msg} at character {error.pos}"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(field="body", reason="is not valid JSON: it must be UTF-8") from error
    except ValueError as error:
        raise InvalidInput(field="body", reason=str(error)) from error


def _rewritten(body: bytes) -> bytes:
    """Return a body in JavaScript's one spelling of it."""
    if is_nothing(body):
        return b"{}"
    try:
        return stringify(_parsed(body)).encode()
    except ValueError as error:
        raise InvalidInput(field="body", reason="is nested too deeply") from error


def _required(value: Value | None, name: str) -> Value:
    if not value and value != 0:
        raise InvalidInput(field=name, reason="is required")
    return value


def _text(data: Mapping[str, Any], name: str) -> str | None:
    """Return a readable text, or None if absent; control characters and lone surrogates are
    refused.
    """
    value = data.get(name)
    if value is None:
        return None
    if type(value) is not str:
        raise InvalidInput(
            field=name, reason=f"must be a string, not {_KINDS.get(type(value), 'something else')}"
        )
    if len(value) > TEXT_CHARS_MAX or not value.isprintable():
        raise InvalidInput(
            field=name, reason=f"must be a printable string of at most {TEXT_CHARS_MAX} characters"
        )
    return value.strip()


def _itself(value: object) -> object:
    return value


def _as_set(services: Sequence[str]) -> object:
    """Return the common services of two lists that must mean the same."""
    return frozenset(service.lower() for service in services)


def _either(
    data: Mapping[str, Any],
    names: tuple[str, ...],
    read: Callable[[Mapping[str, Any], str], Value | None],
    *,
    alike: Callable[[Value], object] = _itself,
) -> Value | None:
    """Return the value of a field under any of its names, or None.

    Refuses with InvalidInput if two names have different values.
    """
    said = [value for name in names if (value := read(data, name)) is not None]
    if any(alike(value) != alike(said[0]) for value in said):
        raise InvalidInput(field=names[-1], reason=f"says something else than {names[0]}")
    return said[0] if said else None


def _rent_type(data: Mapping[str, Any], name: str) -> RentType | None:
    word = _text(data, name)
    if word is None:
        return None
    try:
        return RentType[word.upper()]
    except KeyError as error:
        raise InvalidInput(
            field=name, reason=f"must be {' or '.join(kind.name for kind in RentType)}"
        ) from error


def _services(data: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    listed = data.get(name)
    if listed is None:
        return None
    if type(listed) is not list or not 1 <= len(listed) <= SERVICES_MAX:
        raise InvalidInput(
            field=name, reason=f'must be a list of 1 to {SERVICES_MAX} services, such as ["google"]'
        )
    if not all(type(one) is str for one in listed):
        raise InvalidInput(
            field=name, reason='must hold ids of services as strings, such as ["google"]'
        )
    return tuple(_required(_text({name: one}, name), name) for one in listed)


def _period(data: Mapping[str, Any]) -> int | None:
    """Return the number of units, sent as a number or as a text."""
    value = data.get("period")
    if value is None:
        return None
    text = str(int(value)) if type(value) is float and value.is_integer() else value
    if type(text) is not str or _is_period(text) is None:
        raise InvalidInput(
            field="period", reason='must be a whole number of days or hours, such as "7"'
        )
    return int(text)


def _readings(duration: object, unit: str | None, rent_type: RentType) -> tuple[int, ...]:
    """Return a duration in units of the rental type: by its unit, or by each possible unit."""
    if type(duration) is not float or not 0 < duration <= _DURATION_MAX:
        raise InvalidInput(field="duration", reason="must be a positive number")
    word = unit and unit.lower().removesuffix("s") + "s"
    if word and word not in DURATION_UNITS:
        raise InvalidInput(
            field="durationUnit", reason=f"must be one of {', '.join(DURATION_UNITS)}"
        )
    lengths = [
        duration * length for name, length in DURATION_UNITS.items() if word in (None, "", name)
    ]
    one = UNIT[rent_type]
    return tuple(
        sorted(
            {
                length // one
                for length in lengths
                if not length % one and one <= length <= UNITS_MAX[rent_type] * one
            }
        )
    )
