"""The services of messages: recognised by the catalogue's words, which each process remembers and
staff can add to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prometheus_client import Counter

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.recognition.recogniser import (
    Recogniser,
    Recognition,
    ServiceWord,
    WordUse,
    default_family,
    joined,
    make_recogniser,
)
from numdesk.storage import recognition as rows
from numdesk.storage.inbound.messages import Arrival, Taken, TakenStatus
from numdesk.storage.stock import catalogue as catalogue_rows

if TYPE_CHECKING:
    from numdesk.domain.stock.numbers import Service
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

#: What is remembered is dropped when the version changes; this bounds the harm of a change that
#: went unnoticed.
REMEMBERED_S = 60.0
#: The longest word, and the most words that a service may have of the operator's.
WORD_LENGTH_MAX = 64
WORDS_PER_SERVICE_MAX = 100
#: The name in the memory and in the table of versions.
_NAME = "services"

_withheld = Counter(
    "numdesk_messages_withheld_total",
    "Messages kept from customers because they were of another service",
)


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service with the family whose messages it shares, None when it is alone, and the operator's
    words."""

    code: str
    name: str
    family: str | None
    words: tuple[ServiceWord, ...]


async def known(rt: Runtime) -> Recogniser:
    """Return the recogniser of the catalogue as this process remembers it."""

    async def load() -> Recogniser:
        services, words, families = await _facts(rt)
        return make_recogniser(services, words, families)

    return await rt.memory.get(_NAME, load, age_max_s=REMEMBERED_S)


async def recognise(rt: Runtime, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return messages with the services that they are recognised as of."""
    return recognised(await known(rt), arrivals)


def recognised(recogniser: Recogniser, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return messages with the services that this recogniser says."""
    return [
        replace(one, recognition=recogniser.recognise(one.text, sender=one.sender))
        for one in arrivals
    ]


def withholds(rt: Runtime) -> bool:
    """Return whether messages of another service are withheld."""
    return rt.settings.foreign_messages == "withhold"


def count_withheld(taken: Sequence[Taken]) -> None:
    """Count the messages that were withheld."""
    _withheld.inc(sum(one.status is TakenStatus.WITHHELD for one in taken))


async def try_text(rt: Runtime, text: str, *, sender: str) -> tuple[Recognition, str] | None:
    """Return how a message would be recognised now, with the code of its service, or None."""
    services, words, families = await _facts(rt)
    found = make_recogniser(services, words, families).recognise(text, sender=sender)
    return (
        None
        if found is None
        else (found, next(one.code for one in services if one.id == found.service_id))
    )


async def every(rt: Runtime) -> list[ServiceLine]:
    """Return the services of the catalogue by code, each with its family and the operator's
    words."""
    services, words, families = await _facts(rt)
    return [
        ServiceLine(
            one.code,
            one.name,
            families.get(one.id, default_family(one.code)) or None,
            tuple(word for word in words if word.service_id == one.id),
        )
        for one in sorted(services, key=lambda one: one.code)
    ]


async def set_word(rt: Runtime, *, service: str, word: str, use: WordUse) -> None:
    """Give a service a word by which its messages are recognised.

    With "never", one that numdesk brings along no longer counts.

    Raises InvalidInput.
    """
    shown = word.strip()
    if not joined(shown) or len(shown) > WORD_LENGTH_MAX or not shown.isprintable():
        raise InvalidInput(
            field="word",
            reason=f"must have 1 to {WORD_LENGTH_MAX} characters, one of them a letter or a digit",
        )

    async def work(tx: Tx) -> None:
        service_id = await _service_id(tx, service)
        if not await rows.set_word(
            tx, service_id=service_id, word=shown, use=use, most=WORDS_PER_SERVICE_MAX
        ):
            raise InvalidInput(
                field="word",
                reason=(
                    f"would be one more than the {WORDS_PER_SERVICE_MAX} that a service may have"
                ),
            )

    await rt.run("services.set_word", work)
    rt.memory.forget(_NAME)


async def remove_word(rt: Runtime, *, service: str, word: str) -> None:
    """Take back what the operator said about a word of a service.

    Raises InvalidInput (no such service) and NotFound.
    """

    async def work(tx: Tx) -> None:
        if not await rows.remove_word(
            tx, service_id=await _service_id(tx, service), word=word.strip()
        ):
            raise NotFound(what=f"word {word.strip()!r} of {service} that was added here")

    await rt.run("services.remove_word", work)
    rt.memory.forget(_NAME)


async def set_family(rt: Runtime, *, services: Sequence[str], family: str | None) -> None:
    """Say that services share messages with each other, or with None that each is alone.

    Raises InvalidInput (no such service).
    """
    name = None if family is None else family.strip().lower()
    if name is not None and not (
        joined(name) and len(name) <= WORD_LENGTH_MAX and name.isprintable()
    ):
        raise InvalidInput(
            field="family",
            reason=f"must have 1 to {WORD_LENGTH_MAX} characters, one of them a letter or a digit",
        )

    async def work(tx: Tx) -> None:
        await rows.set_family(
            tx, service_ids=[await _service_id(tx, one) for one in services], family=name or ""
        )

    await rt.run("services.set_family", work)
    rt.memory.forget(_NAME)


async def _facts(rt: Runtime) -> tuple[list[Service], list[ServiceWord], dict[int, str]]:
    async def work(tx: Tx) -> tuple[list[Service], list[ServiceWord], dict[int, str]]:
        return await catalogue_rows.services(tx), await rows.words(tx), await rows.families(tx)

    return await rt.read("services.read", work)


async def _service_id(tx: Tx, code: str) -> int:
    found = await rows.service_id(tx, code=code.strip().lower())
    if found is None:
        raise InvalidInput(
            field="service",
            reason=(
                f"is {code!r}, which is not in the catalogue: `numdesk service list` shows the "
                f"codes"
            ),
        )
    return found
