"""Tests of the partner API as its clients meet it: every case file run against a fresh desk where
Spanish numbers can be rented.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.dialects.cases import Case, Speaker, Step, Story, read_cases, run_case
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp
from numdesk.dialects import is_parameter
from numdesk.dialects.partner.routes import ROUTES
from numdesk.dialects.partner.signing import is_nothing, parse, sign, stringify
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import Intent, Invoice, Payment, PaymentHint
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.customers.accounts import NewCustomer
from numdesk.usecases.ledger import wallets
from numdesk.usecases.rentals import ending

RENT = '{"country":"Spain","rentType":"LONG","serviceIds":["google"],"period":"7"}'
CASES = read_cases(Path(__file__).parent / "cases")
INVOICE = r"inv_[0-9a-f]{20}"


class PayPage:
    """A payment gateway that gives invoices, which nobody pays, unless it is closed."""

    minimum: Mapping[str, Decimal] = {}
    repeatable = True
    is_set_up = True

    def __init__(self) -> None:
        """Begin open."""
        self.is_open = True

    async def create(self, intent: Intent) -> Invoice:
        """Return an invoice."""
        if not self.is_open:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "closed")
        ends = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
        url = f"https://pay.example/{intent.reference}"
        return Invoice(
            f"g-{intent.reference}", intent.reference, intent.amount, intent.currency, url, ends
        )

    async def look_up(
        self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()
    ) -> Sequence[Payment]:
        """Return no payment."""
        return []

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Return no invoice."""
        return None

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Return no payment."""
        return []

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Refuse to be called."""
        raise NotImplementedError


def signed(step: Step, new: NewCustomer, wall: datetime) -> dict[str, str]:
    """Return the headers of a signed request: over the full path and the body as it is, unless its
    header `signs` says `short`, `parsed` (the body as JavaScript would write it) or `late` (a
    quarter of an hour ago).
    """
    signs = step.headers.get("signs", "").split()
    url = step.path.removeprefix("/api/v1")
    body = "{}" if step.body in ("", "null") else step.body
    at = wall - timedelta(minutes=15) if "late" in signs else wall
    said = str(int(at.timestamp() * 1000))
    text = (
        said
        + step.method
        + (url if "short" in signs else f"/api/v1{url}")
        + (stringify(parse(body)) if "parsed" in signs else body)
    )
    assert new.secret is not None
    return {
        "x-api-key": new.token,
        "x-timestamp": said,
        "x-signature": sign(new.secret.encode(), text.encode()),
    }


async def _bonus(story: Story, rest: str) -> None:
    await wallets.give_bonus(
        story.desk.rt,
        customer_id=story.customer_id,
        currency="EUR",
        units=int(rest),
        reason_ref=f"bonus {rest}",
    )


async def _option(story: Story, rest: str) -> None:
    name, value = rest.split()
    await accounts.set_option(story.desk.rt, story.customer_id, name=name, value=value)
    story.desk.rt.memory.forget("customers")


async def _gateway(story: Story, rest: str) -> None:
    page = story.desk.rt.payments["cryptomus"]
    assert isinstance(page, PayPage)
    page.is_open = rest == "open"


async def _expire(story: Story, _rest: str) -> None:
    await ending.expire_due(story.desk.rt)


#: bonus CENTS; option NAME VALUE; gateway open or closed; expire (what is due).
SPEAKER = Speaker(
    dialect="partner",
    currency="EUR",
    credit=100_000,
    signed=True,
    headers=signed,
    placeholders={
        "<number>": re.compile(r"\+34600[0-9]{6}"),
        "Number rental: <number>": re.compile(r"Number rental: \+34600[0-9]{6}"),
        "Refund of a number rental: <number>": re.compile(
            r"Refund of a number rental: \+34600[0-9]{6}"
        ),
        "<rental>": re.compile(r"num_[0-9a-f]{20}"),
        "<invoice>": re.compile(INVOICE),
        "https://pay.example/<invoice>": re.compile(rf"https://pay\.example/{INVOICE}"),
        "<transaction>": re.compile(r"tx_[0-9a-f]{16}"),
        "<message>": re.compile(r"sms_[0-9a-f]{16}"),
        "<partner>": re.compile(r"partner_[0-9a-f]{16}"),
        "<api key>": re.compile(r"pk_test_[0-9A-Za-z]{43}"),
        "<secret key>": re.compile(r"sk_test_[0-9A-Za-z]{43}"),
        "<request>": re.compile(r"req_(?:[0-9a-f]{12}-[0-9a-f]{8}|<id>|my-own-id-1)"),
    },
    acts={"bonus": _bonus, "option": _option, "gateway": _gateway, "expire": _expire},
)


class TestCases:
    """The case files."""

    @pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
    async def test_is_told_as_written(
        self,
        case: Case,
        rental_desk: DeskOfTest,
        client: httpx.AsyncClient,
        pytestconfig: pytest.Config,
    ) -> None:
        """Every exchange of a case gives exactly the answer that its file holds."""
        rental_desk.rt.payments = {"cryptomus": PayPage(), "nowpayments": PayPage()}
        await run_case(
            case,
            rental_desk,
            client,
            update=bool(pytestconfig.getoption("--update-cases")),
            speaker=SPEAKER,
        )


class TestRetries:
    """The same signed request, many times."""

    async def test_are_one_request(
        self, rental_desk: DeskOfTest, client: httpx.AsyncClient
    ) -> None:
        """Twenty copies at once, over either path, rent and charge once; a copy without the answer
        is asked to wait for it.
        """
        new = await accounts.register(
            rental_desk.rt,
            name="Copy",
            dialect="partner",
            currency="EUR",
            signed=True,
            credit=100_000,
        )
        headers = signed(
            Step((), "POST", "/api/v1/numbers/rent", {}, RENT), new, rental_desk.clock.wall()
        )
        paths = ["/api/v1/numbers/rent", "/numbers/rent"] * 10
        answers = await asyncio.gather(
            *(client.post(path, headers=headers, content=RENT) for path in paths)
        )
        good = {answer.content for answer in answers if answer.status_code == 200}
        assert len(good) == 1
        assert {
            answer.json()["error"]["code"] for answer in answers if answer.status_code != 200
        } <= {"REQUEST_IN_PROGRESS"}
        assert (await client.post(paths[0], headers=headers, content=RENT)).content in good
        caller = await callers.authenticate(rental_desk.rt, new.token.encode(), dialect="partner")
        assert (await wallets.balances(rental_desk.rt, caller)).balance == 98_800

    async def test_are_one_request_whatever_their_keys(
        self, rental_desk: DeskOfTest, client: httpx.AsyncClient
    ) -> None:
        """Equal rents of one millisecond bear one signature, which no header is part of: keys do
        not make several requests of it.
        """
        new = await accounts.register(
            rental_desk.rt,
            name="Copy",
            dialect="partner",
            currency="EUR",
            signed=True,
            credit=100_000,
        )
        headers = signed(
            Step((), "POST", "/api/v1/numbers/rent", {}, RENT), new, rental_desk.clock.wall()
        )
        posts = (
            client.post(
                "/api/v1/numbers/rent", headers={**headers, "Idempotency-Key": key}, content=RENT
            )
            for key in "aabb"
        )
        answers = await asyncio.gather(*posts)
        assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
        caller = await callers.authenticate(rental_desk.rt, new.token.encode(), dialect="partner")
        assert (await wallets.balances(rental_desk.rt, caller)).balance == 98_800


FIELDS = st.sampled_from(
    sorted(
        {
            name
            for case in CASES
            for step in case.steps
            for name in re.findall(r'"(\w+)":', step.body)
        }
    )
)
WORDS = st.sampled_from(
    [
        "Spain",
        "Germany",
        "LONG",
        "short",
        "google",
        "7",
        "cryptomus",
        "days",
        "\x00",
        "\ud800",
        "a" * 3000,
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-2, 40)
    | st.floats()
    | st.text(max_size=30)
    | WORDS
    | st.lists(st.sampled_from(["google", "WhatsApp", "", "\x00"]) | st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
DEEP = [
    b"[" * 100_000,
    b'{"period":' * 5000,
    b'{"period":' + b"[" * 700 + b"]" * 700 + b"}",
    b"9" * 5000,
    b'{"amount":1e400}',
    b'{"period":NaN}',
]
BODIES = (
    st.binary(max_size=200)
    | st.sampled_from([b"", b"null", b"{}", *DEEP])
    | st.dictionaries(FIELDS, VALUES, max_size=6).map(lambda found: json.dumps(found).encode())
)
PARAMETERS = st.sampled_from(["page", "limit", "order", "status", "country", "rentType", "type"])
TEXTS = (
    st.text(max_size=6)
    | st.integers().map(str)
    | st.sampled_from(["Spain", "LONG", "asc", "inactive", "\x00", "9" * 5000])
)
QUERIES = st.binary(max_size=40) | st.dictionaries(PARAMETERS, TEXTS, max_size=4).map(
    lambda found: str(httpx.QueryParams(found)).encode()
)
SEGMENTS = st.sampled_from(["num_0000", "active", "\x00", "%2e", "a" * 300]) | st.text(
    min_size=1, max_size=12
)


class TestAnyBytes:
    """Whatever a customer signs."""

    @settings(
        max_examples=60,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    async def test_never_are_a_fault(
        self, data: st.DataObject, rental_desk: DeskOfTest, app: HttpApp
    ) -> None:
        """No path, query or body that is well signed makes an answer of 500; what is no request is
        refused in the vendor's envelope.
        """
        new = rental_desk.rt.local.get("any_bytes")
        if new is None:
            new = await accounts.register(
                rental_desk.rt,
                name="Any",
                dialect="partner",
                currency="EUR",
                signed=True,
                credit=10**7,
            )
            rental_desk.rt.local["any_bytes"] = new
            rental_desk.rt.payments = {"cryptomus": PayPage()}
            rental_desk.rt.settings = replace(rental_desk.rt.settings, rate_limits=False)
        for _ in range(data.draw(st.integers(1, 8))):
            route = data.draw(st.sampled_from(ROUTES))
            path = "/".join(
                data.draw(SEGMENTS).replace("/", "x") if is_parameter(part) else part
                for part in route.path.split("/")
            )
            query, body = data.draw(QUERIES), data.draw(BODIES)
            said = str(int(rental_desk.clock.wall().timestamp() * 1000)).encode()
            target = path.encode("utf-8", "surrogatepass") + (b"?" + query if query else b"")
            assert new.secret is not None
            text = said + route.method.encode() + target + (b"{}" if is_nothing(body) else body)
            sent = await _call(
                app,
                route.method,
                path,
                query,
                body,
                {
                    b"x-api-key": new.token.encode(),
                    b"x-timestamp": said,
                    b"x-signature": sign(new.secret.encode(), text).encode(),
                },
            )
            assert sent[0]["status"] not in (401, 500), f"{route.method} {path} {body[:100]!r}"
            if sent[0]["status"] != 200:
                assert list(json.loads(sent[1]["body"])) == ["success", "error", "requestId"]
            rental_desk.clock.advance(1)


async def _call(
    app: HttpApp, method: str, path: str, query: bytes, body: bytes, headers: dict[bytes, bytes]
) -> list[Any]:
    """Return what the application sends in answer to raw bytes."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = path.encode("utf-8", "surrogatepass")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw,
        "query_string": query,
        "headers": list(headers.items()),
        "client": ("192.0.2.7", 5),
        "root_path": "",
    }
    await app(scope, receive, send)
    return sent
