"""Requests of the partner API: bodies, paths and headers parsed to domain values.

Other values are refused by field. The vendor's reference and its own sample use different names for
the same fields; both are read, and must agree if both are present.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from numdesk.dialects import Request
from numdesk.dialects.partner.javascript_json import parse, stringify
from numdesk.dialects.partner.money import cents_of
from numdesk.dialects.partner.signing import PREFIX, is_nothing
from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.rentals.lifecycle import SERVICES_MAX, RentType
from numdesk.usecases.customers.applications import ApplicationForm
from numdesk.usecases.idempotency import Signature

Value = TypeVar("Value")
TEXT_CHARS_MAX = 2048
#: The prefix of keys that are made from signatures; a client's key cannot have it.
SIGNED = "sig:"
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


class Selection(NamedTuple):
    """Country, rental type, and services of the price list by code or name."""

    country: str
    rent_type: RentType
    services: tuple[str, ...]


class Claim(NamedTuple):
    """The identity of a write, which recognises its repetition.

    It has the client's key, the fingerprint bound to the key, and the signature, which is None for
    a customer who may repeat requests.
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
    """Return the verified signature in lower case, None for a customer who may repeat requests."""
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
        name=required(text_of(data, "name"), "name"),
        email=required(text_of(data, "email"), "email"),
        phone=text_of(data, "phone") or None,
        webhook_url=text_of(data, "webhookUrl") or None,
    )


def parse_topup(data: Mapping[str, Any]) -> tuple[int, str]:
    """Return the cents to be credited and the payment provider; refuses with InvalidInput."""
    return cents_of(data.get("amount"), field="amount"), required(
        text_of(data, "provider"), "provider"
    ).lower()


def parse_place(data: Mapping[str, Any]) -> tuple[str, RentType]:
    """Return country and rental type from a query or a body; refuses with InvalidInput."""
    rent_type = either(data, ("rentType", "type"), _rent_type)
    return required(text_of(data, "country"), "country"), required(rent_type, "rentType")


def parse_selection(data: Mapping[str, Any]) -> Selection:
    """Return the services to be priced or rented; refuses with InvalidInput."""
    services = either(data, ("serviceIds", "services"), _services, alike=_as_set)
    return Selection(*parse_place(data), required(services, "serviceIds"))


def parse_rental_id(request: Request) -> str:
    """Return the rental id in the path; refuses an impossible one with NotFound."""
    text = request.params[0]
    if _is_rental_id(text) is None:
        raise NotFound(what="rental")
    return text


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


def required(value: Value | None, name: str) -> Value:
    if not value and value != 0:
        raise InvalidInput(field=name, reason="is required")
    return value


def text_of(data: Mapping[str, Any], name: str) -> str | None:
    """Return a readable text, or None if absent.

    Control characters and lone surrogates are refused.
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


def itself(value: object) -> object:
    return value


def _as_set(services: Sequence[str]) -> object:
    """Return the common services of two lists that must mean the same."""
    return frozenset(service.lower() for service in services)


def either(
    data: Mapping[str, Any],
    names: tuple[str, ...],
    read: Callable[[Mapping[str, Any], str], Value | None],
    *,
    alike: Callable[[Value], object] = itself,
) -> Value | None:
    """Return the value of a field under any of its names, or None.

    Refuses with InvalidInput if two names have different values.
    """
    said = [value for name in names if (value := read(data, name)) is not None]
    if any(alike(value) != alike(said[0]) for value in said):
        raise InvalidInput(field=names[-1], reason=f"says something else than {names[0]}")
    return said[0] if said else None


def _rent_type(data: Mapping[str, Any], name: str) -> RentType | None:
    word = text_of(data, name)
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
    return tuple(required(text_of({name: one}, name), name) for one in listed)
