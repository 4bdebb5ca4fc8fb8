"""The sandbox API, /sandbox/v1: customers without forms, messages without phones, time at will."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.ports.simulation import FakeGateway, Simulation, UnknownOutcome
from numdesk.runtime import Runtime
from numdesk.sandbox import topups, wire
from numdesk.sandbox.hosts import OwnHostOnly, own_hosts
from numdesk.sandbox.inbox import Inbox, Received
from numdesk.sandbox.seed import Credential, Terms, credentials, new_customer
from numdesk.usecases import ledger_check, rates
from numdesk.usecases.customers import callers
from numdesk.usecases.desk import clock as desk_clock
from numdesk.usecases.inbound import receive as inbound_receive
from numdesk.usecases.ledger import wallets
from numdesk.usecases.webhooks import endpoints

PREFIX = "/sandbox/v1"
#: The inbox can be told to answer late, up to this limit: a test must not end before its webhook.
DELAY_MS_MAX = 60_000
_STATUS_MIN, _STATUS_MAX = 200, 599
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SandboxDoor:
    """The handlers of the sandbox API.

    `dialects` has each dialect's terms, `base_url` is the server's own URL, `run_due` does
    everything that is due by the desk's clock, and `gateways` are the fake payment gateways by
    slug.
    """

    rt: Runtime
    simulation: Simulation
    dialects: Mapping[str, Terms]
    base_url: str
    inbox: Inbox
    run_due: Callable[[Runtime], Awaitable[None]]
    gateways: Mapping[str, FakeGateway] = field(default_factory=dict)

    async def show_credentials(self, _request: Request) -> Response:
        """GET /credentials: an object keyed by dialect."""
        found = await credentials(self.rt, dialects=self.dialects)
        return wire.answer({one.dialect: await self._entry(one) for one in found})

    async def add_customer(self, request: Request) -> Response:
        """POST /customers: a new, approved customer."""
        wanted = await wire.parse(request, wire.CustomerWanted)
        terms = self.dialects.get(wanted.dialect)
        if terms is None:
            raise InvalidInput(field="dialect", reason=f"must be one of {', '.join(self.dialects)}")
        made = await new_customer(
            self.rt, dialect=wanted.dialect, terms=terms, balance=wanted.balance
        )
        if wanted.webhook_url:
            caller = await callers.authenticate(self.rt, made.token.encode(), dialect=made.dialect)
            await endpoints.change_endpoint(
                self.rt, caller, url=wanted.webhook_url, secret=made.secret
            )
        return wire.answer({**await self._entry(made), "customer_id": made.customer_id})

    async def send_message(self, request: Request) -> Response:
        """POST /messages: an SMS arrives by the same way as a provider's."""
        sent = await wire.parse(request, wire.MessageSent)
        to = int(sent.to.removeprefix("+"))
        if not await inbound_receive.is_known(self.rt, to) and not await self.simulation.owns(to):
            raise NotFound(what=f"number {sent.to}")
        taken = await inbound_receive.receive_message(
            self.rt, self.simulation.text(to=to, sender=sent.sender, text=sent.text)
        )
        return wire.answer({"message_id": taken.message_id})

    async def place_call(self, request: Request) -> Response:
        """POST /calls: voice calls are not supported; the answer says so instead of losing one."""
        await wire.parse(request, wire.CallPlaced)
        return wire.refuse(
            501,
            "not_implemented",
            "This desk receives messages only; inbound calls are not supported.",
        )

    async def show_clock(self, _request: Request) -> Response:
        """GET /clock."""
        return self._clock()

    async def move_clock(self, request: Request) -> Response:
        """POST /clock: move every process's clock, do everything that became due, then answer."""
        moved = await wire.parse(request, wire.ClockMoved)
        await desk_clock.advance(self.rt, moved.advance_s)
        await rates.refresh(self.rt)
        await self.run_due(self.rt)
        return self._clock()

    async def pay_topup(self, request: Request) -> Response:
        """POST /topups/{invoice_id}/pay: a fake gateway receives money and sends a callback."""
        paid = await wire.parse_optional(request, topups.Paid)
        answered = await topups.pay(self.rt, self.gateways, request.path_params["invoice_id"], paid)
        await self.run_due(self.rt)
        return wire.answer(
            {"callbacks": answered, **await topups.show(self.rt, request.path_params["invoice_id"])}
        )

    async def script_faults(self, request: Request) -> Response:
        """POST /faults: script the outcomes of the next calls of a provider."""
        faults = await wire.parse(request, wire.Faults)
        if faults.provider != "simulator":
            raise InvalidInput(
                field="provider", reason="must be simulator, the only provider that can be scripted"
            )
        try:
            await self.simulation.script(faults.next)
        except UnknownOutcome as error:
            raise InvalidInput(
                field="next", reason=f"holds {error}, which is not an outcome"
            ) from error
        return wire.answer({"provider": faults.provider, "next": await self.simulation.scripted()})

    async def set_rate(self, request: Request) -> Response:
        """POST /rates: set or remove the rate that the fake rate source reports."""
        wanted = await wire.parse(request, wire.RateSet)
        await rates.set_rate(self.rt, wanted.pair, wanted.rate)
        await self.simulation.set_rate(wanted.pair, wanted.rate)
        return wire.answer({"pair": wanted.pair, "rate": wanted.rate})

    async def check_ledger(self, _request: Request) -> Response:
        """GET /ledger/check: a full check of the ledger, from the first entry on."""
        report = wire.json_of(
            ledger_check.print_report(await ledger_check.check_ledger(self.rt, full=True))
        )
        checks = {
            name: {"checked": check["checked"], "violations": check["violations"]}
            for name, check in report["checks"].items()
        }
        return wire.answer({"ok": report["ok"], "checks": checks})

    async def show_inbox(self, request: Request) -> Response:
        """GET /webhooks/inbox (?name=): the received requests, oldest first."""
        items = await self.inbox.items(name=request.query_params.get("name"))
        return wire.answer(
            {
                "items": [
                    {
                        "name": item.name,
                        "method": item.method,
                        "headers": item.headers,
                        "body": _text(item.body),
                    }
                    for item in items
                ]
            }
        )

    async def empty_inbox(self, _request: Request) -> Response:
        """DELETE /webhooks/inbox: delete all received requests."""
        await self.inbox.empty()
        return wire.answer({"items": []})

    async def receive_webhook(self, request: Request) -> Response:
        """ANY /webhooks/inbox/{name}: store the request; answer with the query's status and
        delay.
        """
        status = _number(request, "status", least=_STATUS_MIN, most=_STATUS_MAX, otherwise=200)
        delay_ms = _number(request, "delay_ms", least=0, most=DELAY_MS_MAX, otherwise=0)
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in request.scope["headers"]
        }
        body = await wire.read_body(request)
        await self.inbox.add(Received(request.path_params["name"], request.method, headers, body))
        await asyncio.sleep(delay_ms / 1000)
        return Response(status_code=status)

    async def _entry(self, one: Credential) -> dict[str, object]:
        """Return the credential and URL with which a program speaks a dialect."""
        caller = await callers.authenticate(self.rt, one.token.encode(), dialect=one.dialect)
        balance = await wallets.balance(self.rt, caller)
        return {
            "base_url": self.base_url,
            **one.key(),
            "currency": balance.currency,
            "balance": balance.units,
        }

    def _clock(self) -> Response:
        clock = self.rt.clock
        return wire.answer(
            {"now": clock.now().isoformat(), "offset_s": clock.offset.total_seconds()}
        )


def make_routes(door: SandboxDoor) -> Starlette:
    """Return the ASGI application of the sandbox API, to be mounted at PREFIX."""
    table = [
        ("GET", "/credentials", door.show_credentials),
        ("POST", "/customers", door.add_customer),
        ("POST", "/messages", door.send_message),
        ("POST", "/calls", door.place_call),
        ("GET", "/clock", door.show_clock),
        ("POST", "/clock", door.move_clock),
        ("POST", "/topups/{invoice_id}/pay", door.pay_topup),
        ("POST", "/faults", door.script_faults),
        ("POST", "/rates", door.set_rate),
        ("GET", "/ledger/check", door.check_ledger),
        ("GET", "/webhooks/inbox", door.show_inbox),
        ("DELETE", "/webhooks/inbox", door.empty_inbox),
    ]
    routes = [
        Route(path, wire.guarded(handler), methods=[method]) for method, path, handler in table
    ]
    inbox = Route("/webhooks/inbox/{name}", wire.guarded(door.receive_webhook), methods=_METHODS)
    only = Middleware(OwnHostOnly, hosts=own_hosts(door.base_url))
    handlers = {
        HTTPException: _answer_unknown,
        OSError: _answer_unavailable,
        ProviderError: _answer_unavailable,
        Exception: _answer_fault,
    }
    return Starlette(routes=[*routes, inbox], middleware=[only], exception_handlers=handlers)


async def _answer_unknown(_request: Request, error: Exception) -> Response:
    """Answer an unknown path or method."""
    assert isinstance(error, HTTPException)
    code = "not_found" if error.status_code == 404 else "method_not_allowed"
    return wire.refuse(
        error.status_code, code, f"The sandbox API has no such call ({error.detail})."
    )


async def _answer_unavailable(_request: Request, error: Exception) -> Response:
    """Answer 503 when a file of the sandbox cannot be written."""
    _log.error("sandbox file unavailable", reason=str(error))
    return wire.refuse(
        503,
        "unavailable",
        "A file of the sandbox cannot be read or written now: check that its disk has room.",
    )


async def _answer_fault(_request: Request, error: Exception) -> Response:
    """Answer 500 for a program fault; the details are in the log."""
    _log.error("sandbox request failed", exc_info=error)
    return wire.refuse(500, "internal_error", "Internal error of numdesk; its log has the details.")


def _number(request: Request, name: str, *, least: int, most: int, otherwise: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise InvalidInput(field=name, reason=f"must be a whole number from {least} to {most}")
    return int(text)


def _text(body: bytes) -> str:
    """Return a body as text; bytes that are not UTF-8 become escapes."""
    return body.decode("utf-8", "backslashreplace")
