"""The sandbox API: what a test needs to play the world, and strict about how it is asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.sandbox import open_sandbox, sell, shelve

from numdesk.bootstrap import Desk
from numdesk.cli.listening import base_url_of
from numdesk.config import Address
from numdesk.sandbox.inbox import Inbox
from numdesk.sandbox.routes import SandboxDoor, make_routes
from numdesk.sandbox.seed import Terms
from numdesk.usecases import rates
from numdesk.usecases.customers import callers
from numdesk.usecases.ledger import wallets
from numdesk.workers import runner

BASE = base_url_of(Address("127.0.0.1", 8080))


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """A sandbox's desk with a few numbers for sale."""
    async with open_sandbox(database_url, tmp_path) as opened:
        await shelve(opened, numbers=3)
        await sell(opened)
        await rates.refresh(opened.rt)
        yield opened


@pytest.fixture
async def client(desk: Desk, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the sandbox API."""
    assert desk.simulation
    inbox = Inbox(tmp_path / "inbox.sqlite")
    door = SandboxDoor(
        desk.rt,
        desk.simulation,
        {"smscode": Terms("IDR", signed=False)},
        BASE,
        inbox,
        runner.run_due,
    )
    transport = httpx.ASGITransport(make_routes(door))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as opened:
        yield opened
    inbox.close()


class TestBrokenFile:
    """The sandbox's own files."""

    async def test_that_cannot_be_read_are_no_fault(self, desk: Desk, tmp_path: Path) -> None:
        """Who asks while a file of the sandbox cannot be read is told so, and to look at the
        disk."""
        assert desk.simulation
        (tmp_path / "broken.sqlite").mkdir()
        inbox = Inbox(tmp_path / "broken.sqlite")
        door = SandboxDoor(
            desk.rt,
            desk.simulation,
            {"smscode": Terms("IDR", signed=False)},
            BASE,
            inbox,
            runner.run_due,
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(make_routes(door)), base_url=BASE
        ) as client:
            answer = await client.get("/webhooks/inbox")
        inbox.close()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


class TestHost:
    """Which names the sandbox API answers to."""

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:8080", 200),
            ("LOCALHOST:8080", 200),
            ("[::1]:8080", 200),
            ("rebound.example:8080", 403),
            ("localhost.rebound.example:8080", 403),
            ("127.0.0.1:8081", 403),
            ("localhost", 403),
            ("", 403),
        ],
    )
    async def test_gives_its_tokens_to_nobody_by_another_name(
        self, client: httpx.AsyncClient, host: str, status: int
    ) -> None:
        """A name that an attacker turned towards this machine is refused before anything is
        read."""
        answer = await client.get("/credentials", headers={"host": host})
        assert answer.status_code == status
        assert ("token" in answer.text) == (status == 200)

    async def test_answers_to_the_address_it_listens_on(self, desk: Desk, tmp_path: Path) -> None:
        """Whoever listens on a host of its own is called by it."""
        assert desk.simulation
        url = base_url_of(Address("desk.test", 80))
        inbox = Inbox(tmp_path / "other.sqlite")
        app = make_routes(
            SandboxDoor(
                desk.rt,
                desk.simulation,
                {"smscode": Terms("IDR", signed=False)},
                url,
                inbox,
                runner.run_due,
            )
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client:
            assert (await client.get("/clock")).status_code == 200
            assert (await client.get("/clock", headers={"host": "desk.test:80"})).status_code == 200
        inbox.close()


class TestCustomers:
    """Credentials and fresh customers."""

    async def test_shows_the_same_credentials_every_time(self, client: httpx.AsyncClient) -> None:
        """A program can be pointed at the sandbox once and for all."""
        first = (await client.get("/credentials")).json()
        assert first == (await client.get("/credentials")).json()
        assert set(first["smscode"]) == {"base_url", "token", "currency", "balance"}

    async def test_adds_a_customer_who_can_buy(self, client: httpx.AsyncClient, desk: Desk) -> None:
        """A fresh customer is approved and has exactly the money that was asked for."""
        made = (await client.post("/customers", json={"dialect": "smscode", "balance": 777})).json()
        caller = await callers.authenticate(desk.rt, made["token"].encode(), dialect="smscode")
        assert caller.customer_id == made["customer_id"]
        assert (await wallets.balance(desk.rt, caller)).units == 777

    @pytest.mark.parametrize(
        "body",
        [
            {"dialect": "nope"},
            {"dialect": "smscode", "balance": -1},
            {"dialect": "smscode", "balance": "1"},
            {"dialect": "smscode", "unknown": 1},
            {},
            [],
        ],
    )
    async def test_refuses_what_it_does_not_understand(
        self, client: httpx.AsyncClient, body: object
    ) -> None:
        """A misspelt field is told and never ignored."""
        answer = await client.post("/customers", json=body)
        assert answer.status_code == 422
        assert set(answer.json()["error"]) == {"code", "message"}


class TestMessages:
    """Messages from the world."""

    async def test_takes_a_message_for_a_number_of_ours(self, client: httpx.AsyncClient) -> None:
        """The answer comes when the message is committed, with its id.

        Two equal texts are two messages.
        """
        body = {"to": "+620000000000", "from": "WhatsApp", "text": "Code 123-456"}
        first, second = [(await client.post("/messages", json=body)).json() for _ in range(2)]
        assert isinstance(first["message_id"], int)
        assert first["message_id"] != second["message_id"]

    async def test_knows_no_other_number(self, client: httpx.AsyncClient) -> None:
        """A message to a number that nobody has is a 404."""
        answer = await client.post(
            "/messages", json={"to": "629999999999", "from": "A", "text": "b"}
        )
        assert answer.status_code == 404

    async def test_says_that_it_takes_no_calls(self, client: httpx.AsyncClient) -> None:
        """A call is refused in words rather than lost."""
        answer = await client.post("/calls", json={"to": "+620000000000", "from": "+620000000001"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_implemented")


class TestWorld:
    """The clock, faults, rates and the books."""

    async def test_moves_the_clock(self, client: httpx.AsyncClient, desk: Desk) -> None:
        """The clock goes forward by what was asked, and rates that a source knows stay usable."""
        answer = (await client.post("/clock", json={"advance_s": 200_000})).json()
        assert answer["offset_s"] == 200_000
        assert (await rates.current(desk.rt, "USD/IDR")).value == 16250

    @pytest.mark.parametrize("seconds", ["-1", '"x"', "1e400", "null"])
    async def test_refuses_a_clock_that_goes_back(
        self, client: httpx.AsyncClient, seconds: str
    ) -> None:
        """Only a number of seconds moves the clock."""
        answer = await client.post("/clock", content=f'{{"advance_s": {seconds}}}')
        assert answer.status_code == 422

    async def test_scripts_faults(self, client: httpx.AsyncClient) -> None:
        """What the next calls will meet is told back; an unknown provider or outcome is refused."""
        answer = await client.post(
            "/faults", json={"provider": "simulator", "next": ["no_numbers", "late_ok"]}
        )
        assert answer.json()["next"] == ["no_numbers", "late_ok"]
        for body in (
            {"provider": "local", "next": []},
            {"provider": "simulator", "next": ["nope"]},
        ):
            assert (await client.post("/faults", json=body)).status_code == 422

    async def test_takes_a_rate_away_for_good(self, client: httpx.AsyncClient, desk: Desk) -> None:
        """A rate that was taken away does not come back with the next refresh."""
        assert (
            await client.post("/rates", json={"pair": "USD/IDR", "rate": None})
        ).status_code == 200
        assert await rates.refresh(desk.rt) == 0
        assert rates.remembered(desk.rt, "USD/IDR") is None

    async def test_shows_the_books(self, client: httpx.AsyncClient) -> None:
        """Every check says how much it looked at and what it found."""
        report = (await client.get("/ledger/check")).json()
        assert report["ok"]
        assert all(set(check) == {"checked", "violations"} for check in report["checks"].values())

    async def test_answers_every_path_in_its_own_words(self, client: httpx.AsyncClient) -> None:
        """An unknown call or method is JSON like everything else."""
        for answer in (await client.get("/nope"), await client.delete("/customers")):
            assert set(answer.json()["error"]) == {"code", "message"}


class TestInbox:
    """The receiver of webhooks."""

    async def test_keeps_what_it_got_in_order(self, client: httpx.AsyncClient) -> None:
        """Bytes and headers are kept as they came, and the answer is the one that was asked for."""
        for name, status in (("a", 200), ("b", 503)):
            answer = await client.post(
                f"/webhooks/inbox/{name}?status={status}", content=b'{"n":1}'
            )
            assert answer.status_code == status
        items = (await client.get("/webhooks/inbox")).json()["items"]
        assert [(item["name"], item["method"], item["body"]) for item in items] == [
            ("a", "POST", '{"n":1}'),
            ("b", "POST", '{"n":1}'),
        ]
        assert len((await client.get("/webhooks/inbox?name=a")).json()["items"]) == 1
        await client.delete("/webhooks/inbox")
        assert (await client.get("/webhooks/inbox")).json() == {"items": []}
