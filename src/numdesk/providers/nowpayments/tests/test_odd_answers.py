"""Whatever the gateway answers, the adapter gives what the port promises or one kind of failure."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import EgressPolicy, HttpAnswer
from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import Intent
from numdesk.protocols.json_tokens import NumberToken, write_js
from numdesk.providers.nowpayments.adapter import NowPayments
from numdesk.providers.nowpayments.calls import Calls
from numdesk.providers.nowpayments.settings import NowPaymentsSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENT = Intent("topup-42", Decimal(10), "EUR", 3600, None)
SETTINGS = NowPaymentsSettings(api_key="k", ipn_secret="s", email="e", password="p")
NAMES = [
    "id",
    "payment_id",
    "parent_payment_id",
    "invoice_id",
    "order_id",
    "price_amount",
    "pay_amount",
    "actually_paid",
    "pay_currency",
]
NAMES += [
    "price_currency",
    "outcome_amount",
    "outcome_currency",
    "payment_status",
    "payin_hash",
    "invoice_url",
    "created_at",
    "updated_at",
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers().map(lambda number: NumberToken(str(number)))
    | st.sampled_from(
        [
            "10",
            "1e99",
            "0",
            "-1",
            "finished",
            "eur",
            "topup-42",
            "0001-01-01T00:00:00+23:59",
            "99999999999999",
            "x" * 300,
        ]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=20)
    ),
    max_leaves=40,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from([*NAMES, "data", "data", "pagesCount", "token"]), VALUES, max_size=20
)
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 404, 408, 422, 429, 500, 503])


class OddHttp:
    """Gives a token, then the odd answer, then no more."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.bodies = status, [body]

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Lets everybody in."""
        return HttpAnswer(200, b'{"token":"t"}', 1) if url.endswith("/auth") else self._next()

    async def get(
        self, url: str, *, headers: Mapping[str, str], policy: EgressPolicy
    ) -> HttpAnswer:
        """Gives the odd answer once, later ones are empty."""
        return self._next()

    def _next(self) -> HttpAnswer:
        return HttpAnswer(self.status, self.bodies.pop() if self.bodies else b"", 1)


async def holds(status: int, body: bytes) -> None:
    """Calls every method; only ProviderError may come out."""
    calls: list[Callable[[NowPayments], Awaitable[Any]]] = [
        lambda gateway: gateway.create(INTENT),
        lambda gateway: gateway.look_up(invoice_id="u", reference="r", since=NOON),
        lambda gateway: gateway.look_up(
            invoice_id="u", reference="r", since=NOON, payment_ids=["1"]
        ),
        lambda gateway: gateway.find(reference="r", since=NOON),
        lambda gateway: gateway.payments(since=NOON, until=NOON + timedelta(days=1)),
    ]
    for call in calls:
        http = cast("OutgoingHttp", OddHttp(status, body))
        try:
            await call(NowPayments(SETTINGS, calls=Calls(SETTINGS, http=http)))
        except ProviderError as error:
            assert "topup" not in str(error)  # noqa: PT017 - any number of them may come


@pytest.mark.timeout(600)  # as long as 5,000 examples take on a busy machine
class TestOddAnswers:
    """Answers that nobody documented."""

    @given(STATUSES, DOCUMENTS)
    async def test_in_the_documented_shape(self, status: int, document: dict[str, Any]) -> None:
        """Known names with unexpected values are noticed."""
        await holds(status, write_js(document).encode())

    @given(STATUSES, st.lists(DOCUMENTS, max_size=3))
    async def test_in_a_list(self, status: int, rows: list[dict[str, Any]]) -> None:
        """So they are in the rows of a list."""
        await holds(status, write_js({"data": rows, "pagesCount": NumberToken("1")}).encode())

    @given(STATUSES, st.binary(max_size=40))
    async def test_of_any_bytes(self, status: int, body: bytes) -> None:
        """Bytes that are no document are noticed."""
        await holds(status, body)
