"""Outcomes of a rent, extension, re-rent or cancel: versioned documents, kept with the idempotency
key, rendered now or at a replay."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from numdesk.domain.rentals.lifecycle import RentType


class ServiceName(msgspec.Struct, frozen=True, kw_only=True):
    """A service by its code and its name."""

    code: str
    name: str


class RentedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The constant facts of a rental.

    `id` is the public one, `country` the name it is rented by, `msisdn` E.164 digits.
    """

    id: str
    msisdn: int
    country: str
    services: tuple[ServiceName, ...]
    rent_type: RentType


class Rented(msgspec.Struct, frozen=True, kw_only=True):
    """A rent or re-rent: its period and price (cents); times in whole seconds of the Unix epoch.

    Version 1.
    """

    v: int = 1
    rental: RentedFacts
    units: int
    price: int
    currency: str
    starts_at: int
    expires_at: int


class Extended(msgspec.Struct, frozen=True, kw_only=True):
    """An extension: by how much, for how many cents, and until when (epoch seconds) the rental runs
    now. Version 1."""

    v: int = 1
    rental: RentedFacts
    units: int
    price: int
    currency: str
    expires_at: int


class Canceled(msgspec.Struct, frozen=True, kw_only=True):
    """A cancel: the refund, in cents. Version 1."""

    v: int = 1
    rental_id: str
    msisdn: int
    currency: str
    refunded: bool
    refund: int


Outcome = TypeVar("Outcome", Rented, Extended, Canceled)


def parse_outcome(text: str | bytes, kind: type[Outcome]) -> Outcome:
    """Return the document that `text` holds.

    Raise msgspec.ValidationError when it is none of this kind.
    """
    return msgspec.json.decode(text, type=kind)


def print_outcome(outcome: Rented | Extended | Canceled) -> str:
    """Return the document as JSON text."""
    return msgspec.json.encode(outcome).decode()
