"""Rules of the operator for codes: added, removed, remembered by each process, and tried on
messages before what the extractor says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from prometheus_client import Counter

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.otp.rules import SENDER_LENGTH_MAX, Reading, Rule, Trial, in_order, read
from numdesk.domain.stock import atlas
from numdesk.kit.log import get_logger
from numdesk.kit.pattern import Pattern, PatternRefused, checked_pattern
from numdesk.storage import otp as rows
from numdesk.storage.inbound.messages import Arrival
from numdesk.storage.otp import RuleRow
from numdesk.usecases.stock import words as stock_words

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

__all__ = ["RuleRow", "add", "every", "known", "read_for", "remove", "reread", "reread_for_orders"]

#: All rules of a service may be tried on one message, on the event loop; of a rental whose service
#: cannot be told, those of all it is for.
PER_SERVICE_MAX = 20
#: All are compiled anew, in every process, when one changes.
RULES_MAX = 500
#: What is remembered is dropped when the version changes; this bounds the harm of a change that
#: went unnoticed.
REMEMBERED_S = 60.0
ID_MAX = 2**31 - 1
#: Their name in the memory and in the table of versions.
_NAME = "otp_rules"

_log = get_logger(__name__, "rule", "rule_id")
_trials = Counter(
    "numdesk_otp_rules_total",
    "Rules of the operator that matched or failed, by what came of it",
    ["rule", "result"],
)


@dataclass(frozen=True, slots=True)
class Book:
    """The rules that count, by the service's id, in the order in which they are tried."""

    rules: Mapping[int, tuple[Rule, ...]] = field(default_factory=dict)
    #: What was logged already: the same rule fails at many messages.
    told: set[tuple[int, Trial]] = field(default_factory=set)

    def of(self, service_ids: Sequence[int | None]) -> tuple[Rule, ...]:
        """Return the rules of some services."""
        theirs = [self.rules[one] for one in service_ids if one is not None and one in self.rules]
        return (
            theirs[0]
            if len(theirs) == 1
            else in_order([rule for found in theirs for rule in found])
        )


async def every(rt: Runtime, *, removed: bool = False) -> list[RuleRow]:
    """Return the rules that count, or with `removed` all that ever did."""
    return await rt.repeat("otp_rules.every", lambda tx: rows.every(tx, removed=removed))


async def add(rt: Runtime, *, service: str, pattern: str, sender: str | None = None) -> int:
    """Add a rule and returns its id. Raises InvalidInput."""
    given = None if sender is None else sender.strip()
    if given is not None and not (given.isprintable() and 0 < len(given) <= SENDER_LENGTH_MAX):
        raise InvalidInput(
            field="sender", reason=f"must have 1 to {SENDER_LENGTH_MAX} characters that can be seen"
        )
    if "\0" in pattern:
        raise InvalidInput(field="pattern", reason="must not hold NUL; \\x00 stands for it")
    try:
        checked_pattern(pattern)
    except PatternRefused as refused:
        raise InvalidInput(field="pattern", reason=str(refused)) from refused
    service_id = await _service(rt, service)

    async def work(tx: Tx) -> int:
        await rows.lock(tx)
        if await rows.count(tx) >= RULES_MAX:
            raise InvalidInput(
                field="rule", reason=f"would be one more than the {RULES_MAX} that there may be"
            )
        if await rows.count(tx, service_id=service_id) >= PER_SERVICE_MAX:
            raise InvalidInput(
                field="service", reason=f"has {PER_SERVICE_MAX} rules, and may not have more"
            )
        rule_id = await rows.insert(
            tx, service_id=service_id, sender=given, pattern=pattern, now=rt.clock.now()
        )
        if rule_id is None:
            raise InvalidInput(field="rule", reason="is there already")
        return rule_id

    rule_id = await rt.run("otp_rules.add", work)
    rt.memory.forget(_NAME)
    return rule_id


async def remove(rt: Runtime, rule_id: int) -> None:
    """Take a rule away; the row stays, marked. Raises NotFound."""
    if not 0 < rule_id <= ID_MAX or not await rt.run(
        "otp_rules.remove", lambda tx: rows.remove(tx, rule_id=rule_id, now=rt.clock.now())
    ):
        raise NotFound(what=f"rule {rule_id}")
    rt.memory.forget(_NAME)


async def known(rt: Runtime) -> Book:
    """Return the rules as this process remembers them."""

    async def load() -> Book:
        return _book(await every(rt))

    return await rt.memory.get(_NAME, load, age_max_s=REMEMBERED_S)


async def read_for(rt: Runtime, text: str, *, sender: str, service: str) -> Reading:
    """Try the rules of a service on a text, as they stand in the database.

    Raises InvalidInput (no such service).
    """
    code = service.strip().lower()
    theirs = [row for row in await every(rt) if row.service == code]
    if (
        not theirs
        and code not in atlas.SERVICES_BY_CODE
        and code not in (await stock_words.find_words(rt)).services
    ):
        raise _no_service()
    return read(text, sender=sender, rules=_book(theirs).of([row.service_id for row in theirs[:1]]))


async def reread_for_orders(rt: Runtime, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
    """Return messages with the codes that the rules of their orders' services find.

    One look for all of them, and none without rules.

    The orders are not locked. Of a number that changes hands in between, the message was on its way
    to the earlier order; an order that gets its number in between has its first message read
    without rules.
    """
    book = await known(rt)
    if not book.rules:
        return arrivals
    services = await rt.repeat(
        "otp_rules.services", lambda tx: rows.services_of(tx, arrivals, now=rt.clock.now())
    )
    return [reread(book, one, [service]) for one, service in zip(arrivals, services, strict=True)]


def reread(book: Book, arrival: Arrival, service_ids: Sequence[int | None]) -> Arrival:
    """Return a message with the code that a rule of these services finds, or as it is."""
    rules = book.of(service_ids)
    if not rules:
        return arrival
    reading = read(arrival.text, sender=arrival.sender, rules=rules)
    for rule, trial in reading.trials:
        if trial in (Trial.FOUND, Trial.IMPLAUSIBLE, Trial.FAILED):
            _trials.labels(str(rule.id), trial.value).inc()
            _tell(book, rule, trial)
    return replace(arrival, code=reading.found.code) if reading.found else arrival


def _tell(book: Book, rule: Rule, trial: Trial) -> None:
    """Log once the fault of a rule, without a word of the message."""
    if trial is not Trial.FOUND and (rule.id, trial) not in book.told:
        book.told.add((rule.id, trial))
        _log.warning("a rule gave no code", rule=rule.name, reason=trial.value)


def _book(found: Sequence[RuleRow]) -> Book:
    """Compile the rules; one that cannot be compiled any more is left out."""
    rules: dict[int, tuple[Rule, ...]] = {}
    for service_id, theirs in groupby(
        sorted(found, key=lambda row: row.service_id), key=lambda row: row.service_id
    ):
        rules[service_id] = in_order([rule for rule in map(_compiled, theirs) if rule is not None])
    return Book(rules)


def _compiled(row: RuleRow) -> Rule | None:
    try:
        return Rule(row.id, row.sender, _pattern(row.pattern))
    except PatternRefused as refused:
        _trials.labels(str(row.id), Trial.FAILED.value).inc()
        _log.warning("a rule is left out", rule_id=row.id, reason=str(refused))
        return None


#: Rules are read anew every minute, and few of them have changed.
_pattern = lru_cache(maxsize=RULES_MAX)(Pattern)


async def _service(rt: Runtime, code: str) -> int:
    """Return the id of a service, which the installation may meet for the first time.

    Raises InvalidInput.
    """
    words = await stock_words.find_words(rt)
    await stock_words.add_named(rt, words, (), [code], new_operators=False)
    service_id = words.services.get(code.strip().lower())
    if service_id is None:
        raise _no_service()
    return service_id


def _no_service() -> InvalidInput:
    return InvalidInput(field="service", reason="must be the code of one, such as whatsapp")
