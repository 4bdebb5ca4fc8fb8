"""Rentals: quotes, renting by a batched command, reading, extending, renting again, cancelling, expiring."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    CountryClosed,
    KeyReused,
    NoNumbers,
    NotFound,
    NumberGone,
    Refusal,
    RequestInProgress,
    RequestRepeated,
    Unavailable,
    WalletShort,
)
from numdesk.domain.ledger import chart
from numdesk.domain.money import Money
from numdesk.domain.pages import Page
from numdesk.domain.rentals import lifecycle
from numdesk.domain.rentals.lifecycle import (
    Quote,
    Rental,
    RentalEvent,
    RentalMessage,
    RentalService,
    RentalState,
    RentType,
)
from numdesk.domain.rentals.outcomes import (
    Canceled,
    Extended,
    Rented,
    RentedFacts,
    ServiceName,
    parse_outcome,
    print_outcome,
)
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.customers import guard as guard_rows
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Key, Namespace
from numdesk.storage.ledger import journals
from numdesk.storage.rentals import lifecycle as rows
from numdesk.storage.rentals import messages as rental_messages
from numdesk.storage.rentals.lifecycle import Held, RentAnswer, RentItem, Split
from numdesk.usecases.customers import guard
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.jobs.sweeps import Sweep, sweep
from numdesk.usecases.ledger import alerts
from numdesk.usecases.rentals import batches
from numdesk.usecases.rentals.prices import RentalList, in_stock, price_list, read_list

PIVOT_MAX = 2**31 - 1
#: How often a rent is quoted anew because the price list had changed between quoting and renting.
QUOTE_RETRIES = 3
EXPIRE_BATCH = 1_000
ACTIVE_ONLY = frozenset({RentalState.ACTIVE})


@dataclass(frozen=True, slots=True)
class RentRequest:
    """What a customer wants to rent; services by code or name. `key` is the idempotency key or None, `fingerprint` binds it to the
    request, `signature` is spent by it."""

    key: str | None
    fingerprint: bytes
    country: str
    rent_type: RentType
    services: tuple[str, ...]
    units: int
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    """By how many units a rental is to be extended, or for how many rented again."""

    key: str | None
    fingerprint: bytes
    rental_id: str
    units: int
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Which rental is to end."""

    key: str | None
    fingerprint: bytes
    rental_id: str
    signature: Signature | None = None


async def services(
    rt: Runtime, caller: Caller, *, country: str, rent_type: RentType
) -> list[RentalService]:
    """Returns what numbers of a country can be rented for, by priority; nothing is available while the country is only announced.

    Refuses with NotFound (country).
    """
    _check_currency(caller)
    known = await price_list(rt)
    place = known.country(country)
    return await in_stock(rt, place, known.services.get((place.id, rent_type), ()))


async def quotes(
    rt: Runtime, caller: Caller, *, country: str, rent_type: RentType, services: Sequence[str]
) -> tuple[list[RentalService], list[Quote]]:
    """Returns the services (wanted by code or name, in any case) and what they cost together, for each period that all of them have.

    Refuses with NotFound (country) or InvalidInput (serviceIds).
    """
    _check_currency(caller)
    known = await price_list(rt)
    place = known.country(country)
    chosen = known.select(place, rent_type, services)
    return await in_stock(rt, place, chosen), lifecycle.quotes(
        chosen, discount_bp=_discount(caller)
    )


async def rent(rt: Runtime, caller: Caller, request: RentRequest) -> tuple[Rented, bool]:
    """Rents a free number and charges the price, bonus first, at most once for one key; True with a replay.

    Refuses with GuardBanned, NotFound (country), CountryClosed, InvalidInput (serviceIds), PeriodNotOffered, NoNumbers, WalletShort,
    KeyReused, RequestInProgress or Unavailable. A refusal had no effect and leaves the key free.
    """
    key = key_of(caller, Namespace.RENT, request)
    for _ in range(QUOTE_RETRIES):
        try:
            item = await _item(rt, caller, request, key)
        except Refusal:
            recorded = await _recorded(rt, key)
            if recorded is None:
                raise
            return parse_outcome(recorded, Rented), True
        answer = await batches.rent(rt, item)
        if answer.outcome is not None:
            return parse_outcome(answer.outcome, Rented), answer.status == "replayed"
        if answer.status != "price_changed":
            raise _refusal(answer, item)
        rt.memory.forget("rentals")  # the list changed under us: quote again from what is true now
    raise Unavailable


async def active(
    rt: Runtime,
    caller: Caller,
    *,
    page: int,
    limit: int,
    states: frozenset[RentalState] = ACTIVE_ONLY,
) -> Page[Rental]:
    """Returns a page (from 1) of the customer's rentals in these states, the newest term first."""
    return await rt.repeat(
        "rentals.listing",
        lambda tx: rows.listing(
            tx,
            customer_id=caller.customer_id,
            states=states,
            now=rt.clock.now(),
            limit=limit,
            offset=(page - 1) * limit,
        ),
    )


async def read(rt: Runtime, caller: Caller, rental_id: str) -> Rental:
    """Returns the customer's rental; refuses with NotFound."""
    return (await _read(rt, caller, rental_id)).rental


async def messages(  # noqa: PLR0913 - whose, which page, which way
    rt: Runtime, caller: Caller, rental_id: str, *, page: int, limit: int, ascending: bool = False
) -> Page[RentalMessage]:
    """Returns a page (from 1) of what came in the customer's terms of a rental, newest first unless `ascending`; refuses with NotFound."""
    held = await _read(rt, caller, rental_id)
    return await rt.repeat(
        "rentals.messages",
        lambda tx: rental_messages.messages(
            tx,
            customer_id=caller.customer_id,
            rental_id=held.id,
            limit=limit,
            offset=(page - 1) * limit,
            ascending=ascending,
        ),
    )


async def extension_quotes(
    rt: Runtime, caller: Caller, rental_id: str
) -> tuple[Rental, list[Quote]]:
    """Returns by which periods a running rental can be made longer, at what price; refuses with NotFound or RentalNotActive."""
    held = await _read(rt, caller, rental_id)
    lifecycle.move(held.rental.state, RentalEvent.EXTEND)
    return held.rental, _extensions(rt, caller, await price_list(rt), held)


async def extend(rt: Runtime, caller: Caller, request: ExtendRequest) -> tuple[Extended, bool]:
    """Lets a running rental last longer, from its old end on, and charges the price; True with a replay.

    Refuses with NotFound, RentalNotActive, PeriodNotOffered, WalletShort, KeyReused or RequestInProgress.
    """
    key = key_of(caller, Namespace.EXTEND, request)

    async def work(tx: Tx) -> tuple[Extended, bool]:
        held, purse = await _lock(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=rt.clock.now())
        if isinstance(claimed, str):
            return parse_outcome(claimed, Extended), True
        lifecycle.move(held.rental.state, RentalEvent.EXTEND)
        lifecycle.check_extendable(held.rental.rent_type)
        quote = lifecycle.choose(_extensions(rt, caller, await read_list(tx), held), request.units)
        expires_at = await rows.extend(tx, held, units=quote.units)
        await _charge(rt, tx, caller, held, quote=quote, purse=purse, extends=True)
        facts = _facts(held.rental)
        currency = held.rental.currency
        until = int(expires_at.timestamp())
        outcome = Extended(
            rental=facts, units=quote.units, price=quote.price, currency=currency, expires_at=until
        )
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    return await rt.run("rentals.extend", work)


async def rerent_quotes(rt: Runtime, caller: Caller, rental_id: str) -> tuple[Rental, list[Quote]]:
    """Returns for which periods the number of an ended rental can be rented again, at what price.

    Refuses with NotFound, RentalStillActive, NumberGone or CountryClosed.
    """
    held = await _read(rt, caller, rental_id)
    lifecycle.move(held.rental.state, RentalEvent.RERENT)
    if not held.rental.number_available:
        raise NumberGone(state="number gone")
    return held.rental, _quotes_again(caller, await price_list(rt), held)


async def rerent(rt: Runtime, caller: Caller, request: ExtendRequest) -> tuple[Rented, bool]:
    """Begins a new term of an ended rental, of the same number, and charges the price; True with a replay.

    Refuses with NotFound, GuardBanned, RentalStillActive, NumberGone, CountryClosed, PeriodNotOffered, WalletShort, KeyReused or
    RequestInProgress.
    """
    key = key_of(caller, Namespace.RERENT, request)

    async def work(tx: Tx) -> tuple[Rented, bool]:
        now = rt.clock.now()
        held, purse = await _lock(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=now)
        if isinstance(claimed, str):
            return parse_outcome(claimed, Rented), True
        guard.check(rt, caller)
        lifecycle.move(held.rental.state, RentalEvent.RERENT)
        await rows.end(
            tx, RentalEvent.EXPIRE, [held.id], now=now
        )  # when its time is up and nobody has written that down yet
        quote = lifecycle.choose(_quotes_again(caller, await read_list(tx), held), request.units)
        again = await rows.rerent(tx, held, quote=quote, now=now)
        if again is None:
            raise NumberGone(state="number gone")
        await _charge(rt, tx, caller, again, quote=quote, purse=purse, extends=False)
        outcome = _rented(again.rental)
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    return await rt.run("rentals.rerent", work)


async def cancel(rt: Runtime, caller: Caller, request: CancelRequest) -> tuple[Canceled, bool]:
    """Ends a running rental, and gives back what the whole term cost when no message came and the operator's window is open.

    A message that commits before us wins. The abuse guard counts who gets money back. Refuses with NotFound, RentalNotActive, KeyReused
    or RequestInProgress. True with a replay.
    """
    key = key_of(caller, Namespace.RENTAL_CANCEL, request)
    window = timedelta(hours=rt.settings.rental_refund_h)

    async def work(tx: Tx) -> tuple[Canceled, bool]:
        now = rt.clock.now()
        held, _ = await _lock(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=now)
        if isinstance(claimed, str):
            return parse_outcome(claimed, Canceled), True
        rental = held.rental
        lifecycle.move(rental.state, RentalEvent.CANCEL)
        is_refunded = lifecycle.is_refunded(
            messages=held.messages, starts_at=rental.starts_at, now=now, window=window
        )
        if is_refunded:
            await guard_rows.count_cancel(tx, caller.customer_id, now=now)
        await rows.end(tx, RentalEvent.CANCEL, [held.id], now=now)
        back = await _refund(rt, tx, caller, held) if is_refunded else Split(0, 0)
        outcome = Canceled(
            rental_id=rental.public_id,
            msisdn=rental.msisdn,
            currency=rental.currency,
            refunded=is_refunded,
            refund=back.bonus + back.wallet,
        )
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    canceled, again = await rt.run("rentals.cancel", work)
    if canceled.refunded and not again:  # its number rests for nothing
        await guard.review(rt, [caller.customer_id])
    return canceled, again


async def expire_due(rt: Runtime) -> int:
    """Ends all rentals whose time has passed; returns how many."""
    now = rt.clock.now()

    async def expire(tx: Tx, rental_ids: list[int]) -> list[int]:
        return await rows.end(tx, RentalEvent.EXPIRE, rental_ids, now=now)

    return len(
        await sweep(
            rt,
            Sweep(
                "rentals.expire", EXPIRE_BATCH, partial(rows.due_to_expire, now=now), expire, int
            ),
        )
    )


async def listing(
    rt: Runtime, *, states: frozenset[RentalState], limit: int, offset: int
) -> Page[Rental]:
    """Returns a page of everybody's rentals in these states, for staff, the newest term first."""
    now = rt.clock.now()
    return await rt.repeat(
        "rentals.listing",
        lambda tx: rows.listing(
            tx, customer_id=None, states=states, now=now, limit=limit, offset=offset
        ),
    )


async def _recorded(rt: Runtime, key: Key) -> str | None:
    """Returns the outcome that the key of a rent holds, None when it is free; the signature that asked for it is spent."""
    outcome = await rt.repeat("rentals.replay", lambda tx: idempotency.recorded(tx, key))
    if outcome is not None and key.signature is not None:
        await rt.run("rentals.spend", lambda tx: idempotency.claim(tx, key, now=rt.clock.now()))
    return outcome


async def _item(rt: Runtime, caller: Caller, request: RentRequest, key: Key) -> RentItem:
    """Returns what to rent at which price; refuses with GuardBanned, NotFound, CountryClosed, InvalidInput, PeriodNotOffered."""
    _check_currency(caller)
    guard.check(rt, caller)
    known = await price_list(rt)
    place = known.country(request.country)
    if not place.open:
        raise CountryClosed(country=place.name)
    chosen = known.select(place, request.rent_type, request.services)
    quote = lifecycle.choose(lifecycle.quotes(chosen, discount_bp=_discount(caller)), request.units)
    names = [{"code": service.code, "name": service.name} for service in chosen]
    return RentItem(
        dialect=caller.dialect,
        wallet_id=caller.wallet_id,
        bonus_id=caller.bonus_id,
        currency=caller.currency,
        key=key,
        public_id="num_" + secrets.token_hex(10),
        country_id=place.id,
        rent_type=request.rent_type,
        service_ids=tuple(service.id for service in chosen),
        quote=quote,
        context=msgspec.json.encode({"country": place.name, "services": names}).decode(),
        pivot=random.randrange(PIVOT_MAX),  # noqa: S311 - spreads load, guards nothing
    )


def _refusal(answer: RentAnswer, item: RentItem) -> Refusal:
    match answer.status:
        case "wallet_short":
            return WalletShort(needed=item.quote.price, available=answer.available or 0)
        case "key_reused":
            return KeyReused()
        case "repeated":
            return RequestRepeated()
        case "in_progress":
            return RequestInProgress()
        case "busy":
            return Unavailable()
        case _:
            return NoNumbers()


async def _read(rt: Runtime, caller: Caller, rental_id: str) -> Held:
    now = rt.clock.now()
    held = await rt.repeat(
        "rentals.read",
        lambda tx: rows.read(tx, customer_id=caller.customer_id, public_id=rental_id, now=now),
    )
    if held is None:
        raise NotFound(what="rental")
    return held


async def _lock(rt: Runtime, tx: Tx, caller: Caller, rental_id: str) -> tuple[Held, Split]:
    """Returns the customer's rental and what they can spend, all rows locked; refuses with NotFound."""
    held = await rows.lock(
        tx, customer_id=caller.customer_id, public_id=rental_id, now=rt.clock.now()
    )
    if held is None:
        raise NotFound(what="rental")
    return held, await rows.lock_purse(tx, wallet_id=caller.wallet_id, bonus_id=caller.bonus_id)


async def _charge(  # noqa: PLR0913 - one charge, in the transaction of its act
    rt: Runtime, tx: Tx, caller: Caller, held: Held, *, quote: Quote, purse: Split, extends: bool
) -> None:
    """Takes the price from the bonus, then from the wallet; refuses with WalletShort."""
    now, currency = rt.clock.now(), held.rental.currency
    bonus = min(quote.price, purse.bonus)
    paid = Split(bonus, quote.price - bonus)
    if paid.wallet > purse.wallet:
        raise WalletShort(needed=quote.price, available=purse.bonus + purse.wallet)
    charge_id = await rows.add_charge(
        tx, term_id=held.term_id, extends=extends, units=quote.units, paid=paid, now=now
    )
    if quote.price:
        journal = chart.charge_rental(
            charge_id,
            customer_id=caller.customer_id,
            from_bonus=Money(paid.bonus, currency),
            from_wallet=Money(paid.wallet, currency),
        )
        applied = await journals.apply(tx, journal, now=now)
        await rows.note(tx, applied.journal_id, held, type="charge", units=quote.units)
    await alerts.look(
        tx, customer_ids=[caller.customer_id], dialect=caller.dialect, currency=currency, now=now
    )


async def _refund(rt: Runtime, tx: Tx, caller: Caller, held: Held) -> Split:
    """Gives back what all charges of the term took, each part to where it came from."""
    now, currency = rt.clock.now(), held.rental.currency
    back = await rows.charged(tx, term_id=held.term_id)
    if back.bonus + back.wallet:
        journal = chart.refund_rental(
            held.term_id,
            customer_id=caller.customer_id,
            to_bonus=Money(back.bonus, currency),
            to_wallet=Money(back.wallet, currency),
        )
        applied = await journals.apply(tx, journal, now=now)
        await rows.note(tx, applied.journal_id, held, type="refund", units=held.units_total)
        await alerts.look(
            tx,
            customer_ids=[caller.customer_id],
            dialect=caller.dialect,
            currency=currency,
            now=now,
        )
    return back


def _quotes_again(caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    """Returns what the rental's services cost together today; refuses with CountryClosed."""
    place = known.country(held.rental.country)
    if not place.open:
        raise CountryClosed(country=place.name)
    return _todays(caller, known, held)


def _extensions(rt: Runtime, caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    rent_type = held.rental.rent_type
    return lifecycle.extensions(
        _todays(caller, known, held),
        rent_type=rent_type,
        units_so_far=held.units_total,
        units_max=rt.settings.rental_days_max,
    )


def _todays(caller: Caller, known: RentalList, held: Held) -> list[Quote]:
    """Returns what the rental's services cost together today; nothing when one of them is no longer rented out."""
    by_id = {
        service.id: service
        for service in known.services.get((held.country_id, held.rental.rent_type), ())
    }
    if not all(service_id in by_id for service_id in held.service_ids):
        return []
    return lifecycle.quotes(
        [by_id[service_id] for service_id in held.service_ids], discount_bp=_discount(caller)
    )


def _facts(rental: Rental) -> RentedFacts:
    names = tuple(ServiceName(code=service.code, name=service.name) for service in rental.services)
    return RentedFacts(
        id=rental.public_id,
        msisdn=rental.msisdn,
        country=rental.country,
        services=names,
        rent_type=rental.rent_type,
    )


def _rented(rental: Rental) -> Rented:
    return Rented(
        rental=_facts(rental),
        units=rental.units,
        price=rental.price,
        currency=rental.currency,
        starts_at=int(rental.starts_at.timestamp()),
        expires_at=int(rental.expires_at.timestamp()),
    )


def _discount(caller: Caller) -> int:
    return int(caller.options.get("rental_discount_bp", 0))


def _check_currency(caller: Caller) -> None:
    assert caller.currency == lifecycle.CURRENCY, (
        "rentals are paid in the currency of their price list"
    )
