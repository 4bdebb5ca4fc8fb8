"""Under which key a customer's request acts: its own, that of its signature, or one that nobody
else has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from numdesk.domain.customers.callers import Caller
from numdesk.storage.idempotency import Key, Namespace

#: A verified signature says by itself which request it is; every spelling of that request is the
#: same one.
_ANY_SPELLING = b""


@dataclass(frozen=True, slots=True)
class Signature:
    """The verified signature of a request: good for one effect, whatever key comes with it.

    `is_single`: a repeat is refused.
    """

    text: str
    is_single: bool = False


class Keyed(Protocol):
    """A request that acts once: by its idempotency key (None without one), and by its signature,
    where its dialect signs."""

    @property
    def key(self) -> str | None:
        """The customer's own key."""
        ...

    @property
    def fingerprint(self) -> bytes:
        """Bind the key to the request."""
        ...

    @property
    def signature(self) -> Signature | None:
        """The signature, when it is to be spent."""
        ...


def key_of(caller: Caller, namespace: Namespace, request: Keyed) -> Key:
    """Return the key of a request.

    One of our own where the client gave nothing to know a repeat by.
    """
    signature = request.signature
    signed = signature and Key(
        caller.customer_id, namespace, signature.text, _ANY_SPELLING, is_single=signature.is_single
    )
    if request.key is None and signed is not None:
        return signed
    return Key(
        caller.customer_id,
        namespace,
        request.key or "~" + secrets.token_hex(16),
        request.fingerprint,
        signature=signed,
    )
