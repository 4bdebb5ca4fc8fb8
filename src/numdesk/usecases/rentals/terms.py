"""Terms of rentals: extend the present one, begin another with the same number."""

from __future__ import annotations

from dataclasses import dataclass

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import WalletShort
from numdesk.domain.money import Money
from numdesk.domain.rentals import journals as rental_journals
from numdesk.domain.rentals import lifecycle, quotes
from numdesk.domain.rentals.lifecycle import Rental, RentalEvent
from numdesk.domain.rentals.outcomes import (
    Extended,
    Rented,
    RentedFacts,
    ServiceName,
    parse_outcome,
    print_outcome,
)
from numdesk.domain.rentals.quotes import Quote
from numdesk.domain.rentals.refusals import NumberGone
from numdesk.runtime import Runtime
from numdesk.storage import idempotency
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Namespace
from numdesk.storage.ledger import journals
from numdesk.storage.rentals import charges
from numdesk.storage.rentals import lifecycle as rows
from numdesk.storage.rentals.charges import Split
from numdesk.storage.rentals.lifecycle import Held
from numdesk.usecases.customers import guard
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.ledger import alerts
from numdesk.usecases.rentals.prices import read_list
from numdesk.usecases.rentals.quotes import extensions_of, rerents_of
from numdesk.usecases.rentals.reading import lock_held


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    """By how many units a rental is to be extended, or for how many rented again."""

    key: str | None
    fingerprint: bytes
    rental_id: str
    units: int
    signature: Signature | None = None


async def extend(rt: Runtime, caller: Caller, request: ExtendRequest) -> tuple[Extended, bool]:
    """Let a running rental last longer, from its old end on, and charges the price.

    True with a replay.

    Raises NotFound, RentalNotActive, PeriodNotOffered, WalletShort, KeyReused or RequestInProgress.
    """
    key = key_of(caller, Namespace.EXTEND, request)

    async def work(tx: Tx) -> tuple[Extended, bool]:
        held, purse = await lock_held(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=rt.clock.now())
        if isinstance(claimed, str):
            return parse_outcome(claimed, Extended), True
        lifecycle.move(held.rental.state, RentalEvent.EXTEND)
        lifecycle.check_extendable(held.rental.rent_type)
        quote = quotes.choose(extensions_of(rt, caller, await read_list(tx), held), request.units)
        expires_at = await rows.extend(tx, held, units=quote.units)
        await _charge(rt, tx, caller, held, quote=quote, purse=purse, extends=True)
        facts = facts_of(held.rental)
        currency = held.rental.currency
        until = int(expires_at.timestamp())
        outcome = Extended(
            rental=facts, units=quote.units, price=quote.price, currency=currency, expires_at=until
        )
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    return await rt.run("rentals.extend", work)


async def rerent(rt: Runtime, caller: Caller, request: ExtendRequest) -> tuple[Rented, bool]:
    """Begin a new term of an ended rental, of the same number, and charges the price.

    True with a replay.

    Raises NotFound, GuardBanned, RentalStillActive, NumberGone, CountryClosed, PeriodNotOffered,
    WalletShort, KeyReused or RequestInProgress.
    """
    key = key_of(caller, Namespace.RERENT, request)

    async def work(tx: Tx) -> tuple[Rented, bool]:
        now = rt.clock.now()
        held, purse = await lock_held(rt, tx, caller, request.rental_id)
        claimed = await idempotency.claim(tx, key, now=now)
        if isinstance(claimed, str):
            return parse_outcome(claimed, Rented), True
        guard.check(rt, caller)
        lifecycle.move(held.rental.state, RentalEvent.RERENT)
        await rows.end(
            tx, RentalEvent.EXPIRE, [held.id], now=now
        )  # when its time is up and nobody has written that down yet
        quote = quotes.choose(rerents_of(caller, await read_list(tx), held), request.units)
        again = await rows.rerent(tx, held, quote=quote, now=now)
        if again is None:
            raise NumberGone(state="number gone")
        await _charge(rt, tx, caller, again, quote=quote, purse=purse, extends=False)
        outcome = _rented(again.rental)
        await idempotency.keep(tx, key, print_outcome(outcome))
        return outcome, False

    return await rt.run("rentals.rerent", work)


async def _charge(  # noqa: PLR0913 - one charge, in the transaction of its act
    rt: Runtime, tx: Tx, caller: Caller, held: Held, *, quote: Quote, purse: Split, extends: bool
) -> None:
    """Take the price from the bonus, then from the wallet. Raises WalletShort."""
    now, currency = rt.clock.now(), held.rental.currency
    bonus = min(quote.price, purse.bonus)
    paid = Split(bonus, quote.price - bonus)
    if paid.wallet > purse.wallet:
        raise WalletShort(needed=quote.price, available=purse.bonus + purse.wallet)
    charge_id = await charges.add_charge(
        tx, term_id=held.term_id, extends=extends, units=quote.units, paid=paid, now=now
    )
    if quote.price:
        journal = rental_journals.charge_rental(
            charge_id,
            customer_id=caller.customer_id,
            from_bonus=Money(paid.bonus, currency),
            from_wallet=Money(paid.wallet, currency),
        )
        applied = await journals.apply(tx, journal, now=now)
        await charges.note(tx, applied.journal_id, held, type="charge", units=quote.units)
    await alerts.look(
        tx, customer_ids=[caller.customer_id], dialect=caller.dialect, currency=currency, now=now
    )


def facts_of(rental: Rental) -> RentedFacts:
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
        rental=facts_of(rental),
        units=rental.units,
        price=rental.price,
        currency=rental.currency,
        starts_at=int(rental.starts_at.timestamp()),
        expires_at=int(rental.expires_at.timestamp()),
    )
