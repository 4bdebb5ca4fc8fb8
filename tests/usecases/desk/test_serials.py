"""Sequences near their end: seen in time, and at the end everybody who needs one is told that it
cannot be now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.support import rentals as shop
from tests.support.desk import DIALECT, DeskOfTest
from tests.support.gateway import PROVIDER, callback_of, open_till
from tests.support.webhooks import RendererOfTest

from numdesk.domain.errors import Unavailable
from numdesk.usecases.customers import accounts
from numdesk.usecases.desk import installation
from numdesk.usecases.payments import callbacks
from numdesk.usecases.webhooks import endpoints


async def use_up(desk: DeskOfTest, name: str, part: float = 1.0) -> None:
    """Sets a sequence near its end."""
    await desk.pool.execute(
        """select setval($1::text::regclass, greatest(1, (seqmax * $2::float8::numeric)::bigint))
             from pg_sequence where seqrelid = $1::text::regclass""",
        name,
        part,
    )


async def test_every_sequence_is_looked_at(desk: DeskOfTest) -> None:
    """How much of each is used is known, by the type of its column where that holds less than the
    sequence."""
    names = [row[0] for row in await desk.pool.fetch("select sequencename from pg_sequences")]
    assert sorted(one.name for one in await installation.serials(desk.rt)) == sorted(names)
    for name in names:
        await use_up(desk, name, 0.75)
    assert {round(one.used, 2) for one in await installation.serials(desk.rt)} == {0.75}
    await desk.pool.execute(
        "create sequence wide; create table narrow (id int default nextval('wide')); select "
        "setval('wide', 2147483647)"
    )
    first, *_ = await installation.serials(desk.rt)
    assert (first.name, first.used) == ("wide", 1.0)


@pytest.mark.parametrize(
    ("sequence", "act"),
    [
        ("order_serials", "buy"), ("rental_serials", "rent"), ("rental_term_serials", "rent"), ("rental_charge_serials", "rent"),
        ("journals_id_seq", "rent"), ("transfers_id_seq", "rent"), ("entries_id_seq", "rent"), ("rental_term_serials", "rerent"),
        ("request_serials", "extend"), ("rental_charge_serials", "extend"), ("journals_id_seq", "extend"), ("request_serials", "cancel"),
        ("events_id_seq", "message"), ("messages_id_seq", "message"), ("customers_id_seq", "register"), ("api_keys_id_seq", "register"),
    ],
)  # fmt: skip
async def test_is_unavailable_at_the_end(rental_desk: DeskOfTest, sequence: str, act: str) -> None:
    """Whatever draws from a sequence that is used up is refused as unavailable, without effect."""
    desk = rental_desk
    buyer, renter = await desk.customer(), await shop.renter(desk)
    order, rented, over = (
        await desk.order(buyer),
        await shop.rent(desk, renter),
        await shop.rent(desk, renter),
    )
    await shop.cancel(desk, renter, over.rental.id)
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "buy": lambda: desk.buy(buyer),
        "rent": lambda: shop.rent(desk, renter),
        "extend": lambda: shop.extend(desk, renter, rented.rental.id),
        "rerent": lambda: shop.rerent(desk, renter, over.rental.id),
        "cancel": lambda: shop.cancel(desk, renter, rented.rental.id),
        "message": lambda: desk.message(order.msisdn),
        "register": lambda: accounts.register(
            desk.rt, name="New", dialect="smscode", currency="IDR"
        ),
    }
    await use_up(desk, sequence)
    with pytest.raises(Unavailable):
        await acts[act]()


@pytest.mark.parametrize(
    ("sequence", "act"),
    [
        ("topups_id_seq", "open"), ("topup_payments_id_seq", "settle"), ("journals_id_seq", "settle"), ("events_id_seq", "settle"),
        ("payment_inbox_id_seq", "callback"), ("jobs_id_seq", "callback"), ("webhook_endpoints_id_seq", "endpoint"),
    ],
)  # fmt: skip
async def test_is_unavailable_at_the_end_for_top_ups_and_webhooks(
    desk: DeskOfTest, sequence: str, act: str
) -> None:
    """The same holds for what opens a top-up, credits it, hears of it, and for what makes an
    endpoint."""
    till = await open_till(desk)
    topup, customer = await till.order(), await desk.customer()
    till.gateway.pay(topup)
    desk.rt.renderers = {**desk.rt.renderers, DIALECT: RendererOfTest()}
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "open": till.order,
        "settle": lambda: till.settle(topup),
        "callback": lambda: callbacks.receive(desk.rt, PROVIDER, *callback_of(topup)),
        "endpoint": lambda: endpoints.change_endpoint(
            desk.rt, customer, url="https://1.1.1.1/", secret=None
        ),
    }
    await use_up(desk, sequence)
    with pytest.raises(Unavailable):
        await acts[act]()
    assert await till.balance() == 0
