"""Top-ups of wallets: create one, read them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import (
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unavailable,
)
from numdesk.domain.money import AMOUNT_MAX, DECIMALS
from numdesk.domain.payments import topups
from numdesk.domain.payments.refusals import GatewayUnavailable, TopUpTooSmall
from numdesk.domain.payments.topups import Policy, TopUp, TopUpState
from numdesk.ports.payments import PaymentGateway
from numdesk.storage import idempotency
from numdesk.storage.idempotency import Namespace
from numdesk.storage.payments import gateway_payments as payment_rows
from numdesk.storage.payments import topups as rows
from numdesk.storage.payments.gateway_payments import Booked
from numdesk.usecases.idempotency import Signature, key_of
from numdesk.usecases.payments import invoices
from numdesk.usecases.payments.polling import POLL_DELAYS

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


PAGE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class TopUpRequest:
    """The request of a customer: `amount` minor units of credit through a gateway, once per
    idempotency key."""

    key: str | None
    fingerprint: bytes
    provider: str
    amount: int
    signature: Signature | None = None


async def create_topup(rt: Runtime, caller: Caller, request: TopUpRequest) -> tuple[TopUp, bool]:
    """Return a top-up with the page where it is paid, and whether this repeats what the key had
    before.

    Raises InvalidInput (provider, amount), TopUpTooSmall, GatewayUnavailable (the same key may be
    tried again), KeyReused, TooManyRequests (top-ups that wait for money), RequestInProgress,
    Unavailable or OutcomeUnknown.
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


async def listed(
    rt: Runtime,
    *,
    states: Sequence[TopUpState] | None = None,
    doubtful: bool = False,
    customer_id: int | None = None,
    limit: int = 50,
) -> list[TopUp]:
    """Return top-ups, newest first.

    With `doubtful` only those of which a payment waits for a person.
    """
    return await rt.repeat(
        "payments.list",
        lambda tx: rows.listed(
            tx, states=states, doubtful=doubtful, customer_id=customer_id, limit=limit
        ),
    )


async def read(rt: Runtime, public_id: str) -> tuple[TopUp, list[Booked]]:
    """Return a top-up with its payments and their bookings. Raises NotFound."""
    topup = await rt.repeat("payments.read_public", lambda tx: rows.read_public(tx, public_id))
    if topup is None:
        raise NotFound(what=f"top-up {public_id[:80]}")
    return topup, await rt.repeat(
        "payments.known", lambda tx: payment_rows.payments_of(tx, [topup.id])
    )


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
    """Write the intent down under its key, or finds the one that the key has."""
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
