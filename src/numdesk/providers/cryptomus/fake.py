"""A stand-in for Cryptomus itself: answers its calls, signs its callbacks as PHP does, and does as
it is told.

The sandbox and the tests use it. What it is told about money is true when it is read back; what a
callback of its says may be a lie.
"""

from __future__ import annotations

import base64
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
from numdesk.ports.simulation import UnknownOutcome
from numdesk.protocols.json_tokens import write_php
from numdesk.providers import Surroundings
from numdesk.providers.cryptomus.fake_lies import LIES
from numdesk.providers.cryptomus.fake_world import (
    Notice,
    Row,
    World,
    add_money,
    close_invoice,
    set_status,
    settle,
)
from numdesk.providers.cryptomus.wire import sign

#: The account of the sandbox, unless it is told another.
ACCOUNT = {"merchant": "8b03432e-385b-4670-8d06-064591096795", "payment_key": "sandbox-payment-key"}
LIST_ROWS = 15

#: What a call can meet, each before its work was done or (`..._made`) after it.
FAULTS = ("error_422", "error_429", "error_500", "garbage", "timeout")
OUTCOMES = (*FAULTS, *(f"{fault}_made" for fault in FAULTS), "ok")
CALLS = ("create", "info", "list")
PLACES = ("list", "info")


class FakeCryptomus:
    """The application, the hand that pays, and the director of everything that can go wrong.

    See `ports/simulation.py:FakeGateway`.
    """

    def __init__(self, around: Surroundings, words: Mapping[str, str]) -> None:
        """`words` are the adapter's settings.

        `base_url` says where callbacks may go without leaving this machine.
        """
        self.words: Mapping[str, str] = {**ACCOUNT, **words}
        self.world = World(around.data / "cryptomus.sqlite", clock=around.clock)
        #: Sends a callback and returns the status of the answer, 0 for none; tests may put another
        #: way in its place.
        self.deliver: Deliver = over_http(around.http, base_url=words["base_url"])
        self._around = around
        self.app = Starlette(
            routes=[
                Route("/v1/payment", self._create, methods=["POST"]),
                Route("/v1/payment/info", self._info, methods=["POST"]),
                Route("/v1/payment/list", self._list, methods=["POST"]),
                Route("/pay/{uuid}", self._page, methods=["GET"]),
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
        await self.see(invoice, amount=amount, currency=currency)
        return await self.tell([await self.confirm(invoice)], times=times)

    async def open(
        self,
        *,
        reference: str,
        amount: Decimal,
        currency: str = "EUR",
        callback_url: str | None = None,
        **more: object,
    ) -> Row:
        """Make an invoice without a call."""
        asked = {
            "order_id": reference,
            "amount": format(amount, "f"),
            "currency": currency,
            "url_callback": callback_url,
            **more,
        }
        return await self.world.make(asked, page=self._pages)

    async def see(
        self, invoice: str, *, amount: Decimal | None = None, currency: str | None = None
    ) -> Notice:
        """Money is on its way, and not settled yet."""
        return await self.world.change(
            invoice, lambda row: add_money(row, amount=amount, currency=currency)
        )

    async def confirm(self, invoice: str) -> Notice:
        """Payments on their way are settled."""
        return await self.world.change(invoice, settle)

    async def expire(self, invoice: str) -> Notice:
        """The invoice's time is over."""
        return await self.world.change(invoice, close_invoice)

    async def move(self, invoice: str, status: str) -> Notice:
        """Give an invoice any status: fail, locked, refund_process, refund_paid..."""
        return await self.world.change(invoice, lambda row: set_status(row, status))

    async def say(self, invoice: str, word: str) -> None:
        """Give an invoice a status, known or not."""
        await self.move(invoice, word)

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
        """Say what the `list` or `info` (or both) tells of an invoice from now on: one of LIES, or
        None for the truth."""
        if lie is not None and lie not in LIES:
            raise UnknownOutcome(lie)
        for told in PLACES if place is None else (place,):
            await self.world.set_lie(invoice, lie, place=told)

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

        `claims` are lies, signed like the truth; `escapes` writes the body with escaped letters
        after it was signed without.
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
        document = {**notice.document, **(claims or {})}
        signature = sign(
            write_php(document, escape_unicode=False).encode(), key=self.words["payment_key"]
        )
        return {"Content-Type": "application/json"}, write_php(
            {**document, "sign": signature}, escape_unicode=escapes
        ).encode()

    def close(self) -> None:
        """Close the file; a payment stays paid."""
        self.world.close()

    @property
    def _pages(self) -> str:
        return self.words["base_url"] + "/pay"

    async def _create(self, request: Request) -> Response:
        """POST /v1/payment."""
        return await self._answer(
            request, "create", lambda asked: self.world.make(asked, page=self._pages)
        )

    async def _info(self, request: Request) -> Response:
        """POST /v1/payment/info: given both names, the order id wins."""

        async def work(asked: Mapping[str, Any]) -> object:
            row = await self.world.read(str(asked.get("order_id") or asked.get("uuid")))
            lie = await self.world.lie_about(row["uuid"], place="info") if row else None
            return next(iter(LIES[lie](row)), None) if row and lie else row

        return await self._answer(request, "info", work)

    async def _list(self, request: Request) -> Response:
        """POST /v1/payment/list: pages of invoices made in a span of Moscow's time, newest
        first."""
        skip = _skip_of(request.query_params.get("cursor"))

        async def work(asked: Mapping[str, Any]) -> object:
            span = [str(asked[name]).replace(" ", "T") for name in ("date_from", "date_to")]
            found = await self.world.page(span[0], span[1], rows=LIST_ROWS + 1, skip=skip)
            items = [
                told
                for row, lie in found[:LIST_ROWS]
                for told in (LIES[lie](row) if lie else [row])
            ]
            more = _cursor_of(skip + LIST_ROWS) if len(found) > LIST_ROWS else None
            paginate = {
                "count": len(items),
                "hasPages": bool(more or skip),
                "nextCursor": more,
                "previousCursor": None,
                "perPage": LIST_ROWS,
            }
            return {"merchant_uuid": self.words["merchant"], "items": items, "paginate": paginate}

        return await self._answer(request, "list", work)

    async def _page(self, request: Request) -> Response:
        """GET /pay/{uuid}: what a customer's browser sees.

        Money is seen through the sandbox's API.
        """
        row = await self.world.read(request.path_params["uuid"])
        text = (
            f"{row['amount']} {row['currency']}: {row['status']}\n"
            if row
            else "There is no such invoice.\n"
        )
        return Response(text, 200 if row else 404, media_type="text/plain")

    async def _answer(
        self, request: Request, call: str, work: Callable[[Mapping[str, Any]], Awaitable[object]]
    ) -> Response:
        """Check who asks, plays the next scripted fault, does the work, and answers."""
        body = await request.body()
        signature = sign(body, key=self.words["payment_key"])
        is_known = request.headers.get("merchant") == self.words["merchant"]
        if (
            not hmac.compare_digest(
                request.headers.get("sign", "").encode("latin-1"), signature.encode()
            )
            or not is_known
        ):
            return _told({"state": 1, "message": "Unauthorized"}, 401)
        outcome = await self.world.script.take(call) or "ok"
        asked = msgspec.json.decode(body)
        result = await work(asked) if outcome == "ok" or outcome.endswith("_made") else None
        if outcome != "ok":
            return await _fault(request, outcome.removesuffix("_made"))
        return (
            _told({"state": 0, "result": result})
            if result is not None
            else _told({"state": 1, "message": "Payment was not found"}, 422)
        )


async def _fault(request: Request, outcome: str) -> Response:
    """Answer as a scripted fault does."""
    if outcome == "timeout":
        await hang(request)
    if outcome == "garbage":
        return Response("<html>", 200)
    if outcome == "error_422":
        return _told({"state": 1, "errors": {"amount": ["validation.min"]}}, 422)
    return _told({"state": 1, "message": "Server error"}, 429 if outcome == "error_429" else 500)


def _told(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def _cursor_of(skip: int) -> str:
    return base64.b64encode(b'{"skip":%d,"_pointsToNextItems":true}' % skip).decode()


def _skip_of(cursor: str | None) -> int:
    return int(msgspec.json.decode(base64.b64decode(cursor))["skip"]) if cursor else 0


def _step(text: str) -> tuple[str | None, str]:
    call, separator, outcome = text.rpartition(":")
    if outcome not in OUTCOMES or (separator and call not in CALLS):
        raise UnknownOutcome(text)
    return (call or None), outcome
