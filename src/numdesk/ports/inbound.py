"""Events from a provider."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """The place of a segment in a long message: the message's reference, how many parts, which one
    (from 1)."""

    reference: int
    total: int
    position: int


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message arrived at one of our numbers.

    `provider_message_id` is the provider's own id, the same when it tells us again; `provider_ref`
    is the provider's name of the order, when it gives one; `part` is set when this is a segment of
    a longer text.
    """

    provider: str
    provider_message_id: str
    to: int
    sender: str
    text: str
    provider_ref: str | None = None
    part: Part | None = None
