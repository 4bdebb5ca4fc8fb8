"""Tests of the partner API as its clients meet it: every case file told to a fresh desk where Spanish numbers can be rented."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from tests.dialects.cases import Case, Speaker, Step, Story, read_cases, run_case
from tests.support.desk import DeskOfTest

from numdesk.dialects.partner.signing import parse, sign, stringify
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import Intent, Invoice, Payment, PaymentHint
from numdesk.usecases import customers, wallets
from numdesk.usecases.customers import NewCustomer

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
        """Gives an invoice."""
        if not self.is_open:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "closed")
        ends = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
        url = f"https://pay.example/{intent.reference}"
        return Invoice(f"g-{intent.reference}", intent.reference, intent.amount, intent.currency, url, ends)

    async def look_up(self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()) -> Sequence[Payment]:
        """Knows no payment."""
        return []

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Knows no invoice."""
        return None

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Knows no payment."""
        return []

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Is never called."""
        raise NotImplementedError


def signed(step: Step, new: NewCustomer, wall: datetime) -> dict[str, str]:
    """Return the headers of a signed request: over the full path and the body as it is, unless its header `signs` says `short`, `parsed`
    (the body as JavaScript would write it) or `late` (a quarter of an hour ago)."""
    signs = step.headers.get("signs", "").split()
    url = step.path.removeprefix("/api/v1")
    body = "{}" if step.body in ("", "null") else step.body
    at = wall - timedelta(minutes=15) if "late" in signs else wall
    said = str(int(at.timestamp() * 1000))
    text = said + step.method + (url if "short" in signs else f"/api/v1{url}") + (stringify(parse(body)) if "parsed" in signs else body)
    assert new.secret is not None
    return {"x-api-key": new.token, "x-timestamp": said, "x-signature": sign(new.secret.encode(), text.encode())}


async def _bonus(story: Story, rest: str) -> None:
    await wallets.give_bonus(story.desk.rt, customer_id=story.customer_id, currency="EUR", units=int(rest), reason_ref=f"bonus {rest}")


async def _option(story: Story, rest: str) -> None:
    name, value = rest.split()
    await customers.set_option(story.desk.rt, story.customer_id, name=name, value=value)
    story.desk.rt.memory.forget("customers")


async def _gateway(story: Story, rest: str) -> None:
    page = story.desk.rt.payments["cryptomus"]
    assert isinstance(page, PayPage)
    page.is_open = rest == "open"


#: bonus CENTS; option NAME VALUE; gateway open or closed.
SPEAKER = Speaker(
    dialect="partner",
    currency="EUR",
    credit=100_000,
    signed=True,
    headers=signed,
    placeholders={
        "<number>": re.compile(r"\+34600[0-9]{6}"),
        "Number rental: <number>": re.compile(r"Number rental: \+34600[0-9]{6}"),
        "Refund of a number rental: <number>": re.compile(r"Refund of a number rental: \+34600[0-9]{6}"),
        "<rental>": re.compile(r"num_[0-9a-f]{20}"),
        "<invoice>": re.compile(INVOICE),
        "https://pay.example/<invoice>": re.compile(rf"https://pay\.example/{INVOICE}"),
        "<transaction>": re.compile(r"tx_[0-9a-f]{16}"),
        "<message>": re.compile(r"sms_[0-9a-f]{16}"),
        "<partner>": re.compile(r"partner_[0-9a-f]{16}"),
        "<api key>": re.compile(r"pk_test_[0-9A-Za-z]{43}"),
        "<secret key>": re.compile(r"sk_test_[0-9A-Za-z]{43}"),
        "<request>": re.compile(r"req_(?:[0-9a-f]{12}-[0-9a-f]{8}|<id>)"),
    },
    acts={"bonus": _bonus, "option": _option, "gateway": _gateway},
)


class TestCases:
    """The case files."""

    @pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
    async def test_is_told_as_written(self, case: Case, shop: DeskOfTest, client: httpx.AsyncClient, pytestconfig: pytest.Config) -> None:
        """Every exchange of a case gives exactly the answer that its file holds."""
        shop.rt.payments = {"cryptomus": PayPage(), "nowpayments": PayPage()}
        await run_case(case, shop, client, update=bool(pytestconfig.getoption("--update-cases")), speaker=SPEAKER)
