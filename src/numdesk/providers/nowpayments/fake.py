"""A stand-in for NOWPayments itself: answers its calls, signs its callbacks as JavaScript does, and
does as it is told.

The sandbox and the tests use it. What it is told about money is true when it is read back; what a
callback of its says may be a lie.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from numdesk.kit.fake_company import Deliver, deliver_all, hang, over_http
from numdesk.ports.simulation import UnknownMoney, UnknownOutcome
from numdesk.protocols.json_tokens import read_object
from numdesk.providers import Surroundings
from numdesk.providers.nowpayments.callback import sign
from numdesk.providers.nowpayments.fake_lies import LIES
from numdesk.providers.nowpayments.fake_wire import as_told, coin_of, write_document, write_notice
from numdesk.providers.nowpayments.fake_world import (
    COIN,
    WORTH,
    Notice,
    Row,
    World,
    add_money,
    settle,
)

#: The account of the sandbox, unless it is told another.
ACCOUNT = {
    "api_key": "sandbox-api-key",
    "ipn_secret": "sandbox-ipn",
    "email": "desk@example.com",
    "password": "sandbox",
}
TOKEN_S = 300
ROWS_MAX = 500

#: What a call can meet, each before its work was done or (`..._made`) after it.
FAULTS = ("error_400", "error_429", "error_500", "garbage", "timeout")
OUTCOMES = (*FAULTS, *(f"{fault}_made" for fault in FAULTS), "ok")
CALLS = ("create", "payment", "list", "auth")
PLACES = ("list", "payment")


class FakeNowPayments:
    """The application, the hand that pays, and the director of everything that can go wrong.

    See `ports/simulation.py:FakeGateway`.
    """

    def __init__(self, around: Surroundings, words: Mapping[str, str]) -> None:
        """`words` are the adapter's settings.

        `base_url` says where callbacks may go without leaving this machine.
        """
        self._pages = words["base_url"] + "/pay"
        self.words: Mapping[str, str] = {**ACCOUNT, "invoice_page": f"{self._pages}/?iid=", **words}
        self.world = World(around.data / "nowpayments.sqlite", clock=around.clock)
        #: Sends a callback and returns the status of the answer, 0 for none; tests may put another
        #: way in its place.
        self.deliver: Deliver = over_http(around.http, base_url=words["base_url"])
        self._around = around
        self.app = Starlette(
            routes=[
                Route("/invoice", self._create, methods=["POST"]),
                Route("/auth", self._auth, methods=["POST"]),
                Route("/payment/", self._list, methods=["GET"]),
                Route("/payment/{payment_id}", self._payment, methods=["GET"]),
                Route("/pay/", self._page, methods=["GET"]),
            ]
        )

    async def pay(
        self,
        invoice: str,
        *,
        amount: Decimal | None = None,
        currency: str | None = None,
        times: int = 1,
    ) -> int:
        """See money for an invoice, settle it, and say so `times` times.

        Return how many callbacks were answered.
        """
        seen = await self.see(invoice, amount=amount, currency=currency)
        return await self.tell([await self.confirm(seen.payment_id)], times=times)

    async def open(
        self,
        *,
        reference: str,
        amount: Decimal,
        currency: str = "eur",
        callback_url: str | None = None,
    ) -> Row:
        """Make an invoice without a call."""
        asked = {
            "order_id": reference,
            "price_amount": format(amount, "f"),
            "price_currency": currency,
            "ipn_callback_url": callback_url,
        }
        return await self.world.make(asked, page=self._pages)

    async def choose(self, invoice: str, *, coin: str = COIN) -> Notice:
        """Somebody opens an invoice's page and chooses a coin: its first payment waits."""
        return await self.world.choose(invoice, coin=coin, repeats=False)

    async def see(
        self, invoice: str, *, amount: Decimal | None = None, currency: str | None = None
    ) -> Notice:
        """Money is on its way, and not settled yet.

        The first comes to the payment that waits, or makes one; every further one, and one in
        another coin, is a payment of its own, whose parent is the first. When nothing is due any
        more and no amount is named, nothing comes. Raises UnknownMoney.
        """
        coin = coin_of(currency)
        if currency and coin is None and currency.lower() not in WORTH:
            raise UnknownMoney(currency)
        rows = await self.world.payments(invoice)
        waiting = [
            row
            for row in rows
            if row["payment_status"] in ("waiting", "expired")
            and coin in (None, row["pay_currency"])
        ]
        chosen = coin or (rows[0]["pay_currency"] if rows else COIN)
        if rows and not waiting and amount is None:
            amount, currency = _left(rows, chosen), chosen
            if not amount:
                return await self.world.change(rows[-1]["payment_id"], lambda _row: None)
        opened = (
            None if waiting else await self.world.choose(invoice, coin=chosen, repeats=bool(rows))
        )
        payment_id = opened.payment_id if opened else waiting[0]["payment_id"]
        return await self.world.change(
            payment_id,
            lambda row: add_money(row, amount=amount, currency=coin_of(currency) or currency),
        )

    async def confirm(self, payment_id: int) -> Notice:
        """Payments on their way are settled."""
        return await self.world.change(payment_id, settle)

    async def move(self, payment_id: int, status: str) -> Notice:
        """Give a payment any status: sending, failed, refunded, expired..."""
        return await self.world.change(payment_id, lambda row: row.update(payment_status=status))

    async def say(self, invoice: str, word: str) -> None:
        """Give the payments of an invoice a status, known or not."""
        for row in await self.payments(invoice):
            await self.move(row["payment_id"], word)

    async def payments(self, invoice: str) -> list[Row]:
        """Return the payments of an invoice as they are, oldest first."""
        return await self.world.payments(invoice)

    async def notices(self, invoice: str) -> list[Notice]:
        """Return everything that was to be said of an invoice so far, oldest first, told or not."""
        return await self.world.notices(invoice)

    async def script(self, outcomes: Sequence[str]) -> None:
        """Say what the next calls meet, in the place of earlier scripts: `timeout` for any,
        `create:error_500_made` for one.

        Raises UnknownOutcome and then change nothing.
        """
        await self.world.script.write([_step(outcome) for outcome in outcomes])

    async def lie(self, invoice: str, lie: str | None, *, place: str | None = None) -> None:
        """Say what the `list` or a `payment` by itself (or both) tells of an invoice's payments
        from now on.

        One of LIES, or None for the truth; payments that come later are not lied about.
        """
        if lie is not None and lie not in LIES:
            raise UnknownOutcome(lie)
        for row in await self.world.payments(invoice):
            for told in PLACES if place is None else (place,):
                await self.world.set_lie(row["payment_id"], lie, place=told)

    async def tell(
        self,
        notices: Sequence[Notice],
        *,
        times: int = 1,
        claims: Mapping[str, Any] | None = None,
        escapes: bool = False,
        delay_s: float = 0,
    ) -> int:
        """Send callbacks in the order given, each `times` times at once.

        Return how many were answered.

        `claims` are lies, signed like the truth; `escapes` signs with escaped letters, as PHP's
        users do.
        """
        await self._around.sleep(delay_s)
        calls = (
            (one.url, *self.written(one, claims=claims, escapes=escapes))
            for one in notices
            if one.url is not None
        )
        return await deliver_all(self.deliver, calls, times=times)

    def written(
        self, notice: Notice, *, claims: Mapping[str, Any] | None = None, escapes: bool = False
    ) -> tuple[dict[str, str], bytes]:
        """Return a callback's headers and bytes, signed."""
        return write_notice(
            notice.document, claims=claims or {}, key=self.words["ipn_secret"], escapes=escapes
        )

    def close(self) -> None:
        """Close the file; a payment stays paid."""
        self.world.close()

    async def _create(self, request: Request) -> Response:
        """POST /invoice."""

        async def work() -> object:
            return await self.world.make(
                read_object((await request.body()).decode()), page=self._pages
            )

        return await self._answer(request, "create", work)

    async def _payment(self, request: Request) -> Response:
        """GET /payment/{id}."""

        async def work() -> object:
            found = await self.world.read(request.path_params["payment_id"])
            if found is None:
                return None
            row, lie = found
            told = next(iter(LIES[lie](row)), None) if lie else row
            return as_told(told) if told else None

        return await self._answer(request, "payment", work)

    async def _list(self, request: Request) -> Response:
        """GET /payment/: needs a token beside the key."""
        asked = request.query_params
        limit, page = min(int(asked["limit"]), ROWS_MAX), int(asked["page"])

        async def work() -> object:
            span = (asked["dateFrom"], asked.get("dateTo", "9999"))
            found, total = await self.world.page(
                span, asked.get("invoiceId"), rows=limit, skip=limit * page
            )
            data = [
                as_told(told) for row, lie in found for told in (LIES[lie](row) if lie else [row])
            ]
            return {
                "data": data,
                "limit": limit,
                "page": page,
                "pagesCount": -(-total // limit),
                "total": total,
            }

        if not self._is_token(request.headers.get("authorization", "").removeprefix("Bearer ")):
            return _refused(401, "AUTH_REQUIRED")
        return await self._answer(request, "list", work)

    async def _auth(self, request: Request) -> Response:
        """POST /auth: a token for five minutes."""

        async def work() -> object:
            asked = msgspec.json.decode(await request.body())
            is_right = (asked.get("email"), asked.get("password")) == (
                self.words.get("email"),
                self.words.get("password"),
            )
            return (
                {"token": self._token(int(self._around.clock.wall().timestamp()) + TOKEN_S)}
                if is_right
                else None
            )

        return await self._answer(request, "auth", work)

    async def _page(self, request: Request) -> Response:
        """GET /pay/?iid=: what a customer's browser sees.

        Money is seen through the sandbox's API.
        """
        row = await self.world.invoice(request.query_params.get("iid", ""))
        text = (
            f"{row['price_amount']} {row['price_currency'].upper()}\n"
            if row
            else "There is no such invoice.\n"
        )
        return Response(text, 200 if row else 404, media_type="text/plain")

    async def _answer(
        self, request: Request, call: str, work: Callable[[], Awaitable[object]]
    ) -> Response:
        """Check who asks, plays the next scripted fault, does the work, and answers."""
        if request.headers.get("x-api-key") != self.words["api_key"]:
            return _refused(403, "INVALID_API_KEY")
        await request.body()
        outcome = await self.world.script.take(call) or "ok"
        result = await work() if outcome == "ok" or outcome.endswith("_made") else None
        if outcome != "ok":
            return await _fault(request, outcome.removesuffix("_made"))
        return (
            _refused(404, "NOT_FOUND")
            if result is None
            else Response(write_document(result), media_type="application/json")
        )

    def _token(self, until: int) -> str:
        return f"{until}.{sign(str(until), key=self.words['password'])}"

    def _is_token(self, token: str) -> bool:
        until = token.partition(".")[0]
        is_due = until.isdigit() and int(until) > self._around.clock.wall().timestamp()
        return is_due and hmac.compare_digest(token.encode(), self._token(int(until)).encode())


async def _fault(request: Request, outcome: str) -> Response:
    """Answer as a scripted fault does."""
    if outcome == "timeout":
        await hang(request)
    if outcome == "garbage":
        return Response("<html>", 200)
    return _refused(
        int(outcome.removeprefix("error_")) if outcome != "timeout" else 500, "SCRIPTED"
    )


def _refused(status: int, code: str) -> Response:
    document = {
        "status": False,
        "statusCode": status,
        "code": code,
        "message": code.replace("_", " ").capitalize(),
    }
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def _left(rows: Sequence[Row], coin: str) -> Decimal:
    """Return how much of a coin is still missing for the first payment."""
    if rows[0]["pay_currency"] != coin:
        return Decimal(0)
    return max(
        Decimal(0),
        Decimal(rows[0]["pay_amount"])
        - sum(Decimal(row["actually_paid"]) for row in rows if row["pay_currency"] == coin),
    )


def _step(text: str) -> tuple[str | None, str]:
    call, separator, outcome = text.rpartition(":")
    if outcome not in OUTCOMES or (separator and call not in CALLS):
        raise UnknownOutcome(text)
    return (call or None), outcome
