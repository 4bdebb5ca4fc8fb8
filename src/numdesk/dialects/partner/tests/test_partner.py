"""Tests of the partner API as its clients meet it: every case file run against a fresh desk where
Spanish numbers can be rented.
"""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.dialects.cases import Case, Speaker, Step, Story, read_cases, run_case
from tests.dialects.pay_page import PayPage
from tests.support.desk import DeskOfTest

from numdesk.dialects.partner.javascript_json import parse, stringify
from numdesk.dialects.partner.signing import sign
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.customers.accounts import NewCustomer
from numdesk.usecases.ledger import wallets
from numdesk.usecases.rentals import ending

RENT = '{"country":"Spain","rentType":"LONG","serviceIds":["google"],"period":"7"}'
CASES = read_cases(Path(__file__).parent / "cases")
INVOICE = r"inv_[0-9a-f]{20}"


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
