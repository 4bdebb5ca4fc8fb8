"""A price list and renters for tests about rentals: Spain is open, Germany is announced, and there
are twenty Spanish numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.domain.rentals.outcomes import Canceled, Extended, Rented
from numdesk.ports.inbound import MessageReceived
from numdesk.storage.inbound.messages import Taken
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.idempotency import Signature
from numdesk.usecases.inbound import receive
from numdesk.usecases.ledger import wallets
from numdesk.usecases.rentals import ending, prices, renting, terms
from numdesk.usecases.rentals.prices import GivenRentalPrice
from numdesk.usecases.stock.lists import BadLine

DIALECT, CURRENCY = "partner", "EUR"
SPAIN, GERMANY = 29, 3
NUMBERS = 20
#: (service, type, period) -> cents
PRICES = {
    ("google", "LONG", 1): 250,
    ("google", "LONG", 3): 600,
    ("google", "LONG", 7): 1200,
    ("google", "LONG", 30): 3500,
    ("google", "SHORT", 1): 50,
    ("whatsapp", "LONG", 1): 300,
    ("whatsapp", "LONG", 7): 1500,
    ("whatsapp", "LONG", 30): 4500,
    ("whatsapp", "SHORT", 1): 60,
    ("telegram", "LONG", 7): 900,
}


_serials = itertools.count()


def refuse(bad: BadLine) -> None:
    """Fails the test at the first line that cannot be used."""
    raise AssertionError(bad)


def given(line: int, country: str, key: tuple[str, str, int], price: int) -> GivenRentalPrice:
    """Returns a line of a price list."""
    return GivenRentalPrice(
        line, country, key[0], key[1], str(key[2]), f"{price // 100}.{price % 100:02}"
    )


async def open_shop(
    desk: DeskOfTest, *, numbers: int = NUMBERS, first: int = 34_600_000_000
) -> None:
    """Opens Spain, announces Germany, loads the prices of both and puts Spanish numbers on the
    shelf."""
    await prices.set_country(desk.rt, iso2="ES", name="Spain", is_open=True)
    lines = [
        given(2, country, key, price) for key, price in PRICES.items() for country in ("ES", "DE")
    ]
    await prices.load(desk.rt, lines, complain=refuse)
    await shelve(desk, numbers=numbers, first=first)


async def shelve(desk: DeskOfTest, *, numbers: int, first: int = 34_600_000_000) -> None:
    """Puts Spanish numbers on the shelf."""
    await desk.pool.execute(
        "insert into numbers (msisdn, country_id, rnd) select $1::bigint + i, $2, i * 7919 from "
        "generate_series(1, $3::bigint) i",
        first,
        SPAIN,
        numbers,
    )
    desk.rt.memory.forget("rentals")


async def renter(
    desk: DeskOfTest,
    *,
    credit: int = 1_000_00,
    bonus: int = 0,
    options: dict[str, str] | None = None,
) -> Caller:
    """Registers a customer with so many cents in the wallet and as a bonus, and returns them as a
    caller."""
    new = await accounts.register(
        desk.rt, name="Renter", dialect=DIALECT, currency=CURRENCY, signed=True, credit=credit
    )
    if bonus:
        ref = f"bonus {new.customer_id}"
        await wallets.give_bonus(
            desk.rt, customer_id=new.customer_id, currency=CURRENCY, units=bonus, reason_ref=ref
        )
    for name, value in (options or {}).items():
        await accounts.set_option(desk.rt, new.customer_id, name=name, value=value)
    return await callers.authenticate(desk.rt, new.token.encode(), dialect=DIALECT)


async def rent(
    desk: DeskOfTest,
    caller: Caller,
    *,
    services: Sequence[str] = ("google",),
    units: int = 7,
    rent_type: RentType = RentType.LONG,
    key: str | None = None,
    fingerprint: bytes = b"same",
    signature: Signature | None = None,
) -> Rented:
    """Rents a Spanish number."""
    wanted = renting.RentRequest(
        key, fingerprint, "Spain", rent_type, tuple(services), units, signature
    )
    return (await renting.rent(desk.rt, caller, wanted))[0]


async def extend(
    desk: DeskOfTest, caller: Caller, rental_id: str, *, units: int = 7, key: str | None = None
) -> Extended:
    """Extends a rental."""
    return (
        await terms.extend(desk.rt, caller, terms.ExtendRequest(key, b"same", rental_id, units))
    )[0]


async def rerent(
    desk: DeskOfTest, caller: Caller, rental_id: str, *, units: int = 7, key: str | None = None
) -> Rented:
    """Rents a number again."""
    return (
        await terms.rerent(desk.rt, caller, terms.ExtendRequest(key, b"same", rental_id, units))
    )[0]


async def cancel(
    desk: DeskOfTest, caller: Caller, rental_id: str, *, key: str | None = None
) -> Canceled:
    """Cancels a rental."""
    return (await ending.cancel(desk.rt, caller, ending.CancelRequest(key, b"same", rental_id)))[0]


async def message(
    desk: DeskOfTest,
    to: int,
    text: str = "Your code is 482913",
    *,
    sender: str = "+34999",
    message_id: str | None = None,
) -> Taken:
    """Lets a message arrive; a new one unless it has an id."""
    name = message_id or f"r{next(_serials)}"
    return await receive.receive_message(
        desk.rt, MessageReceived("simulator", name, to, sender, text)
    )


async def money(desk: DeskOfTest, caller: Caller) -> tuple[int, int]:
    """Returns what is in the caller's wallet and of the bonus."""
    row = await desk.pool.fetchrow(
        """select coalesce(sum(balance) filter (where kind = 'wallet'), 0)::bigint,
                  coalesce(sum(balance) filter (where kind = 'bonus'), 0)::bigint from accounts
                    where owner = $1""",
        caller.customer_id,
    )
    assert row is not None, "an aggregate has one row"
    return row[0], row[1]


@pytest.fixture
async def rental_desk(desk: DeskOfTest) -> DeskOfTest:
    """The desk, with rentals on offer."""
    await open_shop(desk)
    return desk
