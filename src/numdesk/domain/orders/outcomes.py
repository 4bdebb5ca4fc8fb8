"""The outcome of a create or reactivate: a versioned document, kept with the idempotency key,
rendered now or at a replay."""

from __future__ import annotations

import msgspec


class CreatedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it was created.

    `msisdn` in E.164 digits, `price` in minor units, times in whole seconds of the Unix epoch.
    """

    id: int
    msisdn: int
    price: int
    offer: int
    catalogue: int
    operator: int | None = None
    operator_name: str | None = None
    created_at: int
    expires_at: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One supplier call: which offer, which provider, how it ended (a word of
    `ports/errors.py:Cause`)."""

    offer: int
    provider: str
    result: str


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Version 1.

    Either `orders` (with `failed` numbers that could not be had) or, when `refused`, the `attempts`
    that failed.

    `rate` and `rate_as_of` (epoch seconds) are those of the answer, when the dialect shows another
    currency.
    """

    v: int = 1
    rate: int | None = None
    rate_as_of: int | None = None
    failed: int = 0
    orders: tuple[CreatedOrder, ...] = ()
    refused: bool = False
    by_catalogue: bool = False
    attempts: tuple[Attempt, ...] = ()


_decoder = msgspec.json.Decoder(Document)


def parse_document(text: str | bytes) -> Document:
    """Return the document that `text` holds; raise msgspec.ValidationError when it is none."""
    return _decoder.decode(text)


def print_document(document: Document) -> str:
    """Return the document as JSON text."""
    return msgspec.json.encode(document).decode()
