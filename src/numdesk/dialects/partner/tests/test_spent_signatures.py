"""A signature is good for one effect: tests of every signed write, sent again in every spelling and
under any key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import pytest
from tests.support.desk import DeskOfTest
from tests.support.rentals import money

from numdesk.dialects.partner.routes import ROUTES
from numdesk.dialects.partner.signing import PREFIX, sign
from numdesk.dialects.partner.tests.test_partner import PayPage
from numdesk.domain.customers.callers import Caller
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.customers.accounts import NewCustomer

RENT = {"country": "Spain", "rentType": "LONG", "serviceIds": ["google"], "period": "7"}
WEEK_S = 7 * 86_400
#: Calls that are signed and change nothing, and the one that is not signed.
NO_WRITES = {"numbers.calculate_price", "auth.register"}
#: What each signed write is sent with.
BODIES: Mapping[str, Mapping[str, Any]] = {
    "wallet.topup": {"amount": 500, "provider": "cryptomus"},
    "numbers.rent": RENT,
    "numbers.extend": {"period": "7"},
    "numbers.rerent": {"period": "7"},
    "numbers.cancel": {"reason": "none"},
}
WRITES = [
    route
    for route in ROUTES
    if route.method != "GET" and route.operation not in NO_WRITES and route.path.startswith(PREFIX)
]


class Signed(NamedTuple):
    """A signed request that somebody captured."""

    path: str
    headers: Mapping[str, str]
    body: str


class Partner:
    """A customer of the desk, who signs, and somebody who sends again what was signed."""

    def __init__(
        self, desk: DeskOfTest, client: httpx.AsyncClient, new: NewCustomer, caller: Caller
    ) -> None:
        """Begin with nothing sent."""
        self.desk, self._client, self._new, self.caller = desk, client, new, caller

    def sign(self, path: str, body: Mapping[str, Any]) -> Signed:
        """Return a request that is signed now, in a millisecond of its own."""
        self.desk.clock.advance(0.001)
        text = json.dumps(body, separators=(",", ":"))
        said = str(round(self.desk.clock.wall().timestamp() * 1000))
        assert self._new.secret is not None
        signature = sign(self._new.secret.encode(), f"{said}POST{path}{text}".encode())
        return Signed(
            path,
            {"x-api-key": self._new.token, "x-timestamp": said, "x-signature": signature},
            text,
        )

    async def send(self, request: Signed, key: str | None = None) -> httpx.Response:
        """Return the answer, under a key or none."""
        headers = {**request.headers, **({} if key is None else {"idempotency-key": key})}
        return await self._client.post(request.path, headers=headers, content=request.body)

    async def prepare(self, operation: str) -> Signed:
        """Return a signed request of an operation that can be done now."""
        path = next(route.path for route in WRITES if route.operation == operation)
        if "{rentId}" in path:
            rental = (await self.send(self.sign(PREFIX + "/numbers/rent", RENT))).json()["data"][
                "rentId"
            ]
            path = path.replace("{rentId}", rental)
        if operation == "numbers.rerent":
            self.desk.clock.advance(WEEK_S)
        return self.sign(path, BODIES[operation])

    async def effects(self) -> tuple[object, ...]:
        """Return the money, and how many there are of each thing that a write makes."""
        counts = await self.desk.pool.fetchrow(
            """select (select count(*) from journals), (select count(*) from rentals),
                      (select count(*) from rental_terms), (select count(*) from topups),
                      (select count(*) from rentals where state = 0)"""
        )
        assert counts is not None
        return (*await money(self.desk, self.caller), *counts)


@pytest.fixture
async def partner(rental_desk: DeskOfTest, client: httpx.AsyncClient) -> Partner:
    """A partner with money."""
    rental_desk.rt.payments = {"cryptomus": PayPage()}
    return await make_partner(rental_desk, client)


async def make_partner(
    desk: DeskOfTest, client: httpx.AsyncClient, *, replay: str = "dedupe"
) -> Partner:
    """Return a partner with money and this option."""
    new = await accounts.register(
        desk.rt, name="P", dialect="partner", currency="EUR", signed=True, credit=100_000
    )
    await accounts.set_option(desk.rt, new.customer_id, name="replay", value=replay)
    return Partner(
        desk,
        client,
        new,
        await callers.authenticate(desk.rt, new.token.encode(), dialect="partner"),
    )


def spellings(request: Signed) -> list[Signed]:
    """Return all ways to write one signed request: case of the digits, path, space in the body."""
    upper = {**request.headers, "x-signature": request.headers["x-signature"].upper()}
    spaced = json.dumps(json.loads(request.body), indent=3)
    return [
        request,
        request._replace(headers=upper),
        request._replace(path=request.path.removeprefix(PREFIX)),
        request._replace(body=spaced),
        Signed(request.path.removeprefix(PREFIX), upper, spaced),
    ]


def test_every_signed_write_is_tried() -> None:
    """A write that is added to the table is tried below."""
    assert {route.operation for route in WRITES} == set(BODIES)


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("first", [None, "k1"])
async def test_a_signature_acts_once(partner: Partner, operation: str, first: str | None) -> None:
    """In every spelling and under any key or none, a captured request gets the first answer and
    changes nothing.
    """
    request = await partner.prepare(operation)
    answer = await partner.send(request, first)
    assert answer.status_code == 200, answer.text
    effects = await partner.effects()
    for spelling in spellings(request):
        for key in (None, "k1", "k2", "k3", "k4"):
            again = await partner.send(spelling, key)
            assert (again.status_code, again.content) == (200, answer.content)
    assert await partner.effects() == effects


@pytest.mark.parametrize("operation", BODIES)
async def test_copies_at_once_act_once(partner: Partner, operation: str) -> None:
    """Copies that arrive together under different keys and none are done once, and all get one
    answer.
    """
    request = await partner.prepare(operation)
    before = await partner.effects()
    spelled = spellings(request)
    answers = await asyncio.gather(
        *(partner.send(spelled[n % 5], None if n % 4 == 0 else f"k{n}") for n in range(20))
    )
    good = {answer.content for answer in answers if answer.status_code == 200}
    assert len(good) == 1, {answer.text for answer in answers}
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code != 200} <= {
        "REQUEST_IN_PROGRESS"
    }
    effects = await partner.effects()
    assert effects != before
    assert (await partner.send(request, "k-late")).content in good
    assert await partner.effects() == effects


@pytest.mark.parametrize("operation", BODIES)
async def test_a_key_knows_a_request_that_is_signed_anew(partner: Partner, operation: str) -> None:
    """A repeat under its key spends its new signature, too; with another body the key is
    refused.
    """
    request = await partner.prepare(operation)
    answer = await partner.send(request, "k1")
    effects = await partner.effects()
    anew = partner.sign(request.path, BODIES[operation])
    assert (await partner.send(anew, "k1")).content == answer.content
    assert (await partner.send(anew, "k2")).content == answer.content
    assert (await partner.send(anew)).content == answer.content
    other = await partner.send(partner.sign(request.path, {**BODIES[operation], "more": 1}), "k1")
    assert (other.status_code, other.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert await partner.effects() == effects


@pytest.mark.parametrize("operation", BODIES)
async def test_a_spent_signature_wins_over_the_key_of_another_request(
    partner: Partner, operation: str
) -> None:
    """Under a key that stands for another request a captured one still gets its own first
    answer.
    """
    request = await partner.prepare(operation)
    answer = await partner.send(request)
    other = await partner.send(partner.sign(PREFIX + "/numbers/rent", RENT), "other")
    assert other.status_code == 200
    assert (await partner.send(request, "other")).content == answer.content


async def test_a_refused_request_leaves_its_signature_and_key_free(partner: Partner) -> None:
    """What had no effect may be tried again, under its key or another, until it has one."""
    desk = partner.desk
    request = partner.sign(PREFIX + "/numbers/rent", RENT)
    await desk.pool.execute("update numbers set state = 3")
    for key in ("k1", None, "k2"):
        assert (await partner.send(request, key)).json()["error"]["code"] == "NO_NUMBERS_AVAILABLE"
    assert await desk.pool.fetchval("select count(*) from idempotency where namespace = 2") == 0
    await desk.pool.execute("update numbers set state = 0")
    answer = await partner.send(request, "k2")
    assert answer.status_code == 200
    assert (await partner.send(request, "k1")).content == answer.content


async def test_a_signature_is_spent_also_on_an_answer_from_memory(partner: Partner) -> None:
    """A request that is answered by its key while it could not be done now does not act later under
    another key.
    """
    rent = PREFIX + "/numbers/rent"
    answer = await partner.send(partner.sign(rent, RENT), "k1")
    captured = partner.sign(rent, RENT)
    await partner.desk.pool.execute("update rental_countries set open = false")
    partner.desk.rt.memory.forget("rentals")
    assert (await partner.send(captured, "k1")).content == answer.content
    await partner.desk.pool.execute("update rental_countries set open = true")
    partner.desk.rt.memory.forget("rentals")
    effects = await partner.effects()
    assert (await partner.send(captured, "k2")).content == answer.content
    assert await partner.effects() == effects


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize("first", [None, "k1"])
async def test_a_repeated_signature_is_refused_to_who_wants_that(
    rental_desk: DeskOfTest, client: httpx.AsyncClient, operation: str, first: str | None
) -> None:
    """With the option `reject` a signature that comes again is refused whatever its key; a key
    still knows what is signed anew.
    """
    rental_desk.rt.payments = {"cryptomus": PayPage()}
    partner = await make_partner(rental_desk, client, replay="reject")
    request = await partner.prepare(operation)
    answer = await partner.send(request, first)
    effects = await partner.effects()
    copies = await asyncio.gather(*(partner.send(request, key) for key in (None, "k1", "k2")))
    assert [copy.json()["error"]["code"] for copy in copies] == ["REPLAYED_REQUEST"] * 3
    if first is not None:
        assert (
            await partner.send(partner.sign(request.path, BODIES[operation]), first)
        ).content == answer.content
    assert await partner.effects() == effects


async def test_equal_reads_of_one_millisecond_are_legal(
    partner: Partner, client: httpx.AsyncClient
) -> None:
    """A read spends nothing: the same signature reads again."""
    prices = partner.sign(
        PREFIX + "/numbers/calculate-price",
        {name: RENT[name] for name in ("country", "rentType", "serviceIds")},
    )
    answers = [await partner.send(prices, key) for key in (None, "k", None)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert await partner.desk.pool.fetchval("select count(*) from idempotency") == 0
