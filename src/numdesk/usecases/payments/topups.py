"""Top-ups of wallets: wanted by customers, called back about by gateways, asked about when nobody calls."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import Counter

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    GatewayUnavailable,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Refusal,
    TooManyRequests,
    TopUpTooSmall,
    Unavailable,
)
from numdesk.domain.money import AMOUNT_MAX, DECIMALS
from numdesk.domain.payments import topups
from numdesk.domain.payments.topups import Policy, TopUp, TopUpState
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import CallbackRefused, PaymentGateway
from numdesk.storage import idempotency
from numdesk.storage.idempotency import Namespace
from numdesk.storage.jobs import queue
from numdesk.storage.payments import inbox
from numdesk.storage.payments import topups as rows
from numdesk.storage.payments.inbox import Callback
from numdesk.storage.payments.topups import Booked
from numdesk.usecases.desk.provider_calls import each
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.payments import invoices
from numdesk.usecases.payments.settlement import settle

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

__all__ = [
    "TopUpRequest",
    "create_topup",
    "hear",
    "listed",
    "poll_due",
    "read",
    "receive",
    "settle",
]

#: When a top-up that nobody calls back about is asked about: after so long, and then each hour.
POLL_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60))
#: Late payments are watched for so long after the invoice's end; the nightly comparison finds what comes later still.
WATCHED = timedelta(days=30)
POLL_BATCH = 100
#: Questions to one gateway under way at a time.
POLL_PARALLEL = 8
#: Callbacks are documents of two kilobytes.
BODY_BYTES_MAX = 16 * 1024
#: Headers of a callback that are kept.
HEADERS_MAX = 50
HEADER_CHARS_MAX = 1_000
PAGE_MAX = 1_000

_log = get_logger(__name__, "callback_id", "provider", "topup_id")
_callbacks = Counter(
    "numdesk_callbacks_total",
    "Callbacks of payment gateways, by what became of them",
    ["provider", "result"],
)


@dataclass(frozen=True, slots=True)
class TopUpRequest:
    """What a customer asks: `amount` minor units of credit through a gateway, once per idempotency key."""

    key: str | None
    fingerprint: bytes
    provider: str
    amount: int
    signature: Signature | None = None


async def create_topup(rt: Runtime, caller: Caller, request: TopUpRequest) -> tuple[TopUp, bool]:
    """Returns a top-up with the page where it is paid, and whether this repeats what the key had before.

    Refuses with InvalidInput (provider, amount), TopUpTooSmall, GatewayUnavailable (the same key may be tried again), KeyReused,
    TooManyRequests (top-ups that wait for money), RequestInProgress, Unavailable or OutcomeUnknown.
    """
    _check(rt, caller, request)
    topup, replayed = await rt.run("payments.intend", lambda tx: _intend(rt, tx, caller, request))
    if topup.invoice_id is None:
        try:
            topup = await (
                invoices.open_invoice(rt, topup)
                if replayed
                else invoices.opened_now(rt, topup, unsure=False)
            )
        except GatewayUnavailable:
            raise
        except Unavailable as error:  # the top-up is there, and so may its invoice be
            raise OutcomeUnknown from error
    # What became of it since is not part of the answer: a repeat gets the one that the first got.
    return replace(topup, state=TopUpState.AWAITING), replayed


async def receive(rt: Runtime, provider: str, headers: Mapping[str, str], body: bytes) -> None:
    """Keeps a callback that verifies, to be looked into in the background; one that is there already changes nothing.

    Header names are in lower case. Refuses with NotFound (no such gateway), or InvalidInput when it does not verify.
    """
    gateway = rt.payments.get(provider)
    if gateway is None:
        raise NotFound(what=f"gateway {provider[:40]}")
    try:
        hint = gateway.read_callback(headers, body)
    except CallbackRefused as error:
        raise InvalidInput(field="callback", reason="does not verify") from error
    callback = Callback(
        provider, _kept(headers), body, hint.reference, hint.invoice_id, hint.payment_id
    )
    # Anybody may space a genuine callback anew, and its signature still holds: copies are known by what was signed.
    signed = hint.signed.encode() or body
    fresh = await rt.run("payments.receive", lambda tx: _keep(rt, tx, callback, signed))
    _callbacks.labels(provider, "kept" if fresh else "repeated").inc()


def note_refused(provider: str, *, reason: str) -> None:
    """Logs and counts a callback that does not verify; the door leaves out those of an address that sends too many."""
    _callbacks.labels(provider, "refused").inc()
    _log.warning("a callback was refused", provider=provider, reason=reason)


async def hear(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """Looks into a kept callback (job `payments.hear`): it only says which top-up to ask the gateway about. Raises ProviderError."""
    inbox_id = int(payload["callback"])
    callback = await rt.repeat("payments.callback", lambda tx: inbox.read(tx, inbox_id))
    if callback is None:
        return
    found = await rt.repeat(
        "payments.find",
        lambda tx: rows.by_reference(
            tx, provider=callback.provider, references=[callback.reference]
        ),
    )
    result = _fault_of(callback, found)
    if result is None:
        await settle(
            rt, found[0].id, payment_ids=[callback.payment_id] if callback.payment_id else []
        )
        result = "settled"
    else:
        _log.error(
            "a callback is about nothing of ours",
            provider=callback.provider,
            callback_id=inbox_id,
            reason=result,
        )
    _callbacks.labels(callback.provider, result).inc()
    await rt.run(
        "payments.heard", lambda tx: inbox.end(tx, inbox_id, result=result, now=rt.clock.now())
    )


async def poll_due(rt: Runtime, *, provider: str) -> int:
    """Asks a gateway about its top-ups that are due to be asked about; returns how many."""
    polling = rows.Round(provider, rt.clock.now(), POLL_DELAYS, WATCHED)
    due, put_off = (
        partial(rows.due_to_poll, polling=polling),
        partial(rows.put_off, polling=polling),
    )
    work = sweeps.Sweep("payments.poll", POLL_BATCH, due, put_off, int)
    aside = [int(one.item) for one in sweeps.again(rt, await sweeps.of_sweep(rt, work.name))]
    again = (
        await rt.repeat(
            "payments.of_gateway",
            lambda tx: rows.of_gateway(tx, provider=provider, topup_ids=aside),
        )
        if aside
        else []
    )
    taken = await sweeps.once(rt, work)
    gate = asyncio.Semaphore(POLL_PARALLEL)

    async def ask(topup_id: int) -> None:
        try:
            await settle(rt, topup_id)
        except (ProviderError, Refusal) as error:
            # The next look is written down already.
            _log.warning(
                "a top-up could not be asked about",
                provider=provider,
                topup_id=topup_id,
                reason=str(error),
            )

    async def ask_again(topup_id: int) -> None:
        await sweeps.only(rt, work, [topup_id])
        await ask(topup_id)

    async def poll(topup_id: int, ask: Callable[[int], Awaitable[None]]) -> None:
        async with gate:
            await sweeps.attempt(
                rt, work.name, str(topup_id), partial(ask, topup_id), is_aside=ask is ask_again
            )

    await each(
        [
            *(poll(topup_id, ask) for topup_id in taken),
            *(poll(topup_id, ask_again) for topup_id in again),
        ]
    )
    return len(taken) + len(again)


async def listed(
    rt: Runtime,
    *,
    states: Sequence[TopUpState] | None = None,
    doubtful: bool = False,
    customer_id: int | None = None,
    limit: int = 50,
) -> list[TopUp]:
    """Returns top-ups, newest first; with `doubtful` only those of which a payment waits for a person."""
    return await rt.repeat(
        "payments.list",
        lambda tx: rows.listed(
            tx, states=states, doubtful=doubtful, customer_id=customer_id, limit=limit
        ),
    )


async def read(rt: Runtime, public_id: str) -> tuple[TopUp, list[Booked]]:
    """Returns a top-up with its payments and what is booked of them; refuses with NotFound."""
    topup = await rt.repeat("payments.read_public", lambda tx: rows.read_public(tx, public_id))
    if topup is None:
        raise NotFound(what=f"top-up {public_id[:80]}")
    return topup, await rt.repeat("payments.known", lambda tx: rows.payments_of(tx, [topup.id]))


def _check(rt: Runtime, caller: Caller, request: TopUpRequest) -> None:
    """Refuses what no gateway is asked."""
    gateway = rt.payments.get(request.provider)
    if gateway is None:
        raise InvalidInput(field="provider", reason="must be one of " + ", ".join(rt.payments))
    if not 0 < request.amount <= AMOUNT_MAX // 2:
        raise InvalidInput(
            field="amount", reason="must be above zero, and less than any wallet may hold"
        )
    minimum = _minimum(rt, request, gateway, caller.currency)
    if request.amount < minimum:
        raise TopUpTooSmall(
            field="amount",
            reason=f"must be at least {minimum} minor units of {caller.currency}",
            minimum=minimum,
        )


def _minimum(rt: Runtime, request: TopUpRequest, gateway: PaymentGateway, currency: str) -> int:
    own = dict(rt.settings.topup_minimums).get(request.provider, rt.settings.topup_minimum)
    return max(own, int(gateway.minimum.get(currency, Decimal(0)).scaleb(DECIMALS[currency])))


async def _intend(rt: Runtime, tx: Tx, caller: Caller, request: TopUpRequest) -> tuple[TopUp, bool]:
    """Writes the intent down under its key, or finds the one that the key has."""
    now = rt.clock.now()
    key = key_of(caller, Namespace.TOPUP, request)
    claimed = await idempotency.claim(tx, key, now=now)
    if isinstance(claimed, str):
        known = await rows.read(tx, msgspec.json.decode(claimed)["topup"])
        assert known is not None, "top-ups are never deleted"
        return known, True
    await _check_open(rt, tx, caller)
    topup = _wanted(rt, caller, request)
    until = rt.clock.steady() + invoices.OPENING
    topup_id = await rows.insert_topup(
        tx, topup, opening_until=until, next_poll_at=now + POLL_DELAYS[0]
    )
    await idempotency.keep(tx, key, msgspec.json.encode({"v": 1, "topup": topup_id}).decode())
    return replace(topup, id=topup_id), False


async def _check_open(rt: Runtime, tx: Tx, caller: Caller) -> None:
    """Refuses who has more invoices than anybody pays: each is asked about for weeks."""
    now, lifetime = rt.clock.now(), timedelta(seconds=rt.settings.topup_lifetime_s)
    ends = await rows.open_of(tx, customer_id=caller.customer_id, now=now, lifetime=lifetime)
    over = len(ends) - rt.settings.topup_open_max
    if over >= 0:
        raise TooManyRequests(
            group="topups.open", retry_after_s=max(1, int((ends[over] - now).total_seconds()))
        )


def _wanted(rt: Runtime, caller: Caller, request: TopUpRequest) -> TopUp:
    discount_bp = topups.discount_for(request.amount, tiers=dict(rt.settings.topup_discounts))
    return TopUp(
        id=0,
        public_id=f"inv_{secrets.token_hex(10)}",
        customer_id=caller.customer_id,
        dialect=caller.dialect,
        provider=request.provider,
        currency=caller.currency,
        amount=request.amount,
        final_amount=topups.final_amount(request.amount, discount_bp=discount_bp),
        discount_bp=discount_bp,
        state=TopUpState.CREATED,
        created_at=rt.clock.now(),
        policy=Policy(
            overpaid_bp=rt.settings.topup_overpaid_bp,
            dust=rt.settings.topup_dust,
            credits_underpaid=rt.settings.topup_underpaid,
            late_grace=timedelta(hours=rt.settings.topup_grace_h),
            tiers=rt.settings.topup_discounts
            if rt.settings.topup_partial_discount == "reached"
            else (),
        ),
    )


async def _keep(rt: Runtime, tx: Tx, callback: Callback, signed: bytes) -> bool:
    """Keeps the callback, and the job that looks into it, unless it is there."""
    inbox_id = await inbox.keep(tx, callback, signed=signed, now=rt.clock.now())
    if inbox_id is not None:
        payload = {"callback": inbox_id, "provider": callback.provider}
        await queue.add(tx, kind="payments.hear", payload=payload, run_at=rt.clock.now())
    return inbox_id is not None


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Returns what is kept of the headers, as PostgreSQL can hold it."""
    return {
        name[:HEADER_CHARS_MAX]: value.replace("\0", "")[:HEADER_CHARS_MAX]
        for name, value in list(headers.items())[:HEADERS_MAX]
    }


def _fault_of(callback: Callback, found: Sequence[TopUp]) -> str | None:
    """Returns why a callback is about no top-up of ours, or None."""
    if not found:
        return "unknown"
    ours = found[0].invoice_id
    return "mismatch" if ours and callback.invoice_id and ours != callback.invoice_id else None
