"""Verifies a callback (IPN) of NOWPayments and keeps nothing of it but which payment it is about.

The header's signature covers the body with its keys sorted, as JavaScript writes it. The
documentation's samples differ in how they sort and escape, so the several texts that a sender may
have signed are all tried.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from numdesk.ports.payments import CallbackRefused, PaymentHint
from numdesk.protocols.json_tokens import (
    CALLBACK_PARTS_MAX,
    JsonRefused,
    NumberToken,
    in_ascii,
    read_object,
    read_text,
    sort_by_utf16,
    sort_like_js,
    write_js,
)

HEADER = "x-nowpayments-sig"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_REFERENCE = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)


def read_callback(headers: Mapping[str, str], body: bytes, *, key: str) -> PaymentHint:
    """Return what a callback is about. Raises CallbackRefused."""
    signature = headers.get(HEADER, "").strip()
    if not _SIGNATURE.fullmatch(signature):
        raise CallbackRefused("the call has no signature")
    try:
        document = read_object(read_text(body, parts_max=CALLBACK_PARTS_MAX))
    except JsonRefused as error:
        raise CallbackRefused(f"the body {error}") from error
    signed = signed_text(document, signature=signature, key=key)
    if signed is None:
        raise CallbackRefused("the signature is wrong")
    payment_id, invoice_id = _id(document, "payment_id"), _id(document, "invoice_id")
    if payment_id is None:
        raise CallbackRefused("it names no payment")
    return PaymentHint(
        reference=_reference(document), invoice_id=invoice_id, payment_id=payment_id, signed=signed
    )


def sign(text: str, *, key: str) -> str:
    """Return the signature of a canonical text."""
    return hmac.new(key.encode(), text.encode(), hashlib.sha512).hexdigest()


def canonical(value: Any, *, lists_as_objects: bool = False) -> Any:
    """Return a value with the keys of all its objects in JavaScript's order of sorted keys.

    The documentation's own sample takes a list for an object whose keys are 0, 1, 2...
    """
    if isinstance(value, list):
        items = [canonical(item, lists_as_objects=lists_as_objects) for item in value]
        return {str(at): item for at, item in enumerate(items)} if lists_as_objects else items
    if isinstance(value, dict):
        return {
            name: canonical(value[name], lists_as_objects=lists_as_objects)
            for name in sort_like_js(value)
        }
    return value


def signed_text(document: dict[str, Any], *, signature: str, key: str) -> str | None:
    """Return which of the texts that a callback may have been signed by it was.

    All are tried, and compared in constant time.
    """
    wanted = signature.lower()
    matches = [
        text for text in _candidates(document) if hmac.compare_digest(sign(text, key=key), wanted)
    ]
    return matches[0] if matches else None


def _candidates(document: dict[str, Any]) -> list[str]:
    """Return what may have been signed: sorted through and through, or the old way, with other
    letters as they are or escaped."""
    forms = [
        canonical(document),
        canonical(document, lists_as_objects=True),
        _filtered(document, _ranks(document)),
    ]
    texts = dict.fromkeys(write_js(form) for form in forms)
    return list(dict.fromkeys(text for plain in texts for text in (plain, in_ascii(plain))))


def _ranks(document: dict[str, Any]) -> dict[str, int]:
    """Return the places of a document's sorted names."""
    return {name: at for at, name in enumerate(sort_by_utf16(document))}


def _filtered(value: Any, ranks: Mapping[str, int]) -> Any:
    """Return a value as JSON.stringify(value, names) writes it: every object has only the members
    named, in that order.

    Each object is searched for its own names, not for all names: an unknown document may have
    thousands of both.
    """
    if isinstance(value, list):
        return [_filtered(item, ranks) for item in value]
    if isinstance(value, dict):
        return {
            name: _filtered(value[name], ranks)
            for name in sorted((name for name in value if name in ranks), key=ranks.__getitem__)
        }
    return value


def _id(document: dict[str, Any], name: str) -> str | None:
    """Return an id, which may be a number or a text."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise CallbackRefused(f"its {name} is not one")
    return str(value)


def _reference(document: dict[str, Any]) -> str:
    """Return our reference.

    Empty for a payment that was made without one, which somebody has to look at.
    """
    value = document.get("order_id")
    if value is None:
        return ""
    if (
        not isinstance(value, str)
        or isinstance(value, NumberToken)
        or not _REFERENCE.fullmatch(value)
    ):
        raise CallbackRefused("its order_id is not one")
    return value
