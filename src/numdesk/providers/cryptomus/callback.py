"""Verify a callback of Cryptomus, and keep only the payment that it names.

The signature stands inside the signed document, which PHP's json_encode wrote: `/` as `\\/`, other
letters as they are. A proxy may have rewritten the document, so any of three texts may be the
signed one.
"""

from __future__ import annotations

import hmac
import re
from typing import Any

from numdesk.ports.payments import CallbackRefused, PaymentHint
from numdesk.protocols.json_tokens import (
    CALLBACK_PARTS_MAX,
    JsonRefused,
    cut_member,
    read_object,
    read_text,
    write_php,
)
from numdesk.providers.cryptomus.wire import sign

_ID = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)


def read_callback(body: bytes, *, key: str) -> PaymentHint:
    """Return what a callback is about. Raises CallbackRefused."""
    try:
        text = read_text(body, parts_max=CALLBACK_PARTS_MAX)
        document = read_object(text)
    except JsonRefused as error:
        raise CallbackRefused(f"the body {error}") from error
    signature = document.pop("sign", None)
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise CallbackRefused("the body has no signature")
    signed = signed_text(text, document, signature=signature, key=key)
    if signed is None:
        raise CallbackRefused("the signature is wrong")
    if document.get("type") != "payment":
        raise CallbackRefused("it is not about a payment")
    uuid = _id(document, "uuid")
    return PaymentHint(
        reference=_id(document, "order_id"), invoice_id=uuid, payment_id=uuid, signed=signed
    )


def signed_text(text: str, document: dict[str, Any], *, signature: str, key: str) -> str | None:
    """Return which of the texts that a callback may have been signed by it was.

    `document` is the one without its signature.

    Every text is tried, and compared in constant time, so that the time taken tells nothing.
    """
    candidates = (
        cut_member(text, "sign"),
        write_php(document, escape_unicode=False),
        write_php(document, escape_unicode=True),
    )
    wanted = signature.lower()
    matches = [
        candidate
        for candidate in candidates
        if hmac.compare_digest(sign(candidate.encode(), key=key), wanted)
    ]
    return matches[0] if matches else None


def _id(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if type(value) is not str or not _ID.fullmatch(value):
        raise CallbackRefused(f"its {name} is not one")
    return value
