"""The door of payment gateways: quick, narrow, and silent about why it refuses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.desk import DeskOfTest
from tests.support.gateway import PROVIDER, SIGNATURE, Till, callback_of, open_till

from numdesk.asgi import make_app
from numdesk.callbacks import routes
from numdesk.callbacks.routes import PREFIX, make_callbacks
from numdesk.kit.incoming import pacing
from numdesk.usecases.payments import callbacks


@pytest.fixture
async def till(desk: DeskOfTest) -> Till:
    """A customer about to pay."""
    return await open_till(desk)


def client(till: Till) -> httpx.AsyncClient:
    """Returns what posts to the door as the server would be reached."""
    app = make_app(till.rt, dialects=(), mounts={PREFIX: make_callbacks(till.rt)})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test")


class TestCallbacks:
    """POST /callbacks/{provider}."""

    async def test_answers_200_to_the_first_and_to_every_copy(self, till: Till) -> None:
        """A copy is told the same and changes nothing."""
        headers, body = callback_of(await till.order())
        async with client(till) as door:
            answers = [
                await door.post(f"/callbacks/{PROVIDER}", content=body, headers=headers)
                for _ in range(3)
            ]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 1

    async def test_answers_without_asking_the_gateway(self, till: Till) -> None:
        """What a callback means is found out afterwards, so a slow gateway never makes us late."""
        headers, body = callback_of(await till.order())
        async with client(till) as door:
            await door.post(f"/callbacks/{PROVIDER}", content=body, headers=headers)
        assert till.gateway.asked == 0

    async def test_answers_400_to_a_forgery_and_keeps_nothing(self, till: Till) -> None:
        """The answer holds nothing of what was sent, and not which rule it broke."""
        _, body = callback_of(await till.order())
        async with client(till) as door:
            answer = await door.post(
                f"/callbacks/{PROVIDER}", content=body, headers={"x-signature": "forged"}
            )
        assert (answer.status_code, answer.text) == (400, "The callback does not verify.\n")
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 0

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", PROVIDER, 405), ("POST", "paypal", 404), ("POST", f"{PROVIDER}/x", 404)],
    )
    async def test_has_one_door_for_each_gateway(
        self, till: Till, method: str, path: str, status: int
    ) -> None:
        """Other methods, gateways and paths are told so."""
        async with client(till) as door:
            assert (await door.request(method, f"/callbacks/{path}")).status_code == status

    async def test_counts_what_does_not_verify(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address that sends too many is told so until the minute ends.

        What verifies is never counted, and always kept.
        """
        monkeypatch.setattr(routes, "REFUSED_PER_MINUTE", 3)
        headers, body = callback_of(await till.order())
        sent = [headers] * 5 + [{"x-signature": "forged"}] * 4 + [headers]
        async with client(till) as door:
            answers = [
                await door.post(f"/callbacks/{PROVIDER}", content=body, headers=one) for one in sent
            ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [400] * 3 + [429, 200]
        till.desk.clock.advance(60)
        async with client(till) as door:
            assert (
                await door.post(
                    f"/callbacks/{PROVIDER}", content=body, headers={"x-signature": "forged"}
                )
            ).status_code == 400

    async def test_logs_no_flood(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an address sends beyond its limit leaves no line in the log."""
        monkeypatch.setattr(routes, "REFUSED_PER_MINUTE", 3)
        with capture_logs() as lines:
            async with client(till) as door:
                for _ in range(6):
                    await door.post(
                        f"/callbacks/{PROVIDER}", content=b"{}", headers={"x-signature": "forged"}
                    )
        assert [(line["event"], line["reason"]) for line in lines] == [
            ("a callback was refused", "signature")
        ] * 3

    async def test_counts_the_clients_behind_a_proxy_apart(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Forgeries through the operator's proxy count for the address that the proxy named, not
        for the proxy."""
        monkeypatch.setattr(routes, "REFUSED_PER_MINUTE", 1)
        till.rt.settings = replace(till.rt.settings, trusted_proxies=(ip_network("127.0.0.1/32"),))
        statuses = []
        async with client(till) as door:
            for said in ("203.0.113.7:5", "203.0.113.7:6", "203.0.113.8", "[2001:db8::1]:443"):
                answer = await door.post(
                    f"/callbacks/{PROVIDER}", content=b"{}", headers={"x-forwarded-for": said}
                )
                statuses.append(answer.status_code)
        assert statuses == [400, 429, 400, 400]

    async def test_spaces_out_refusals_and_lets_genuine_ones_through(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An address that forges again and again waits for each refusal.

        A genuine callback from it is answered at once.
        """
        monkeypatch.setattr(pacing, "REFUSALS_PER_S", 1)
        monkeypatch.setattr(pacing, "REFUSAL_WAIT_MAX_S", 3600)
        headers, body = callback_of(await till.order())
        async with client(till) as door:
            for _ in range(2):
                await door.post(
                    f"/callbacks/{PROVIDER}", content=b"{}", headers={"x-signature": "forged"}
                )
            slow = asyncio.create_task(
                door.post(
                    f"/callbacks/{PROVIDER}", content=b"{}", headers={"x-signature": "forged"}
                )
            )
            assert (
                await door.post(f"/callbacks/{PROVIDER}", content=body, headers=headers)
            ).status_code == 200
            assert not slow.done()
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)

    async def test_bounds_the_body(self, till: Till) -> None:
        """A byte above 16 KiB is too much, whoever signed it."""
        async with client(till) as door:
            body = b"x" * (callbacks.BODY_BYTES_MAX + 1)
            answer = await door.post(
                f"/callbacks/{PROVIDER}", content=body, headers={"x-signature": SIGNATURE}
            )
        assert answer.status_code == 413

    async def test_reads_header_names_in_any_case(self, till: Till) -> None:
        """HTTP does not care, nor may a signature."""
        _, body = callback_of(await till.order())
        async with client(till) as door:
            answer = await door.post(
                f"/callbacks/{PROVIDER}", content=body, headers={"X-SIGNATURE": SIGNATURE}
            )
        assert answer.status_code == 200

    async def test_believes_no_amount(self, till: Till) -> None:
        """A genuine callback that claims a payment moves no money when the gateway, asked, knows of
        none."""
        headers, body = callback_of(await till.order())
        claim = json.dumps({**json.loads(body), "amount": "1000000.00", "status": "paid"}).encode()
        async with client(till) as door:
            assert (
                await door.post(f"/callbacks/{PROVIDER}", content=claim, headers=headers)
            ).status_code == 200
        for row in await till.desk.pool.fetch(
            "select payload::text from jobs where kind = 'payments.hear'"
        ):
            await callbacks.settle_called(till.rt, json.loads(row[0]))
        assert await till.balance() == 0
