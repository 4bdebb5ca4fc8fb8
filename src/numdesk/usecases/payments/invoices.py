"""Invoices at payment gateways: one per top-up, whatever becomes of the call that asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from numdesk.domain.errors import NotFound, RequestInProgress
from numdesk.domain.money import DECIMALS
from numdesk.domain.payments.refusals import GatewayUnavailable
from numdesk.domain.payments.topups import TopUp, TopUpState
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import Intent, Invoice, Payment, PaymentGateway
from numdesk.storage.payments import invoices as invoice_rows
from numdesk.storage.payments import topups as rows
from numdesk.usecases.desk.provider_calls import answered

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: A gateway that takes longer has not answered; whether it made an invoice is found out later.
CALL_TIMEOUT_S = 20.0
#: Who asks has this long for it, until somebody else may.
OPENING = timedelta(seconds=30)

_log = get_logger(__name__, "provider", "topup_id")


async def open_invoice(rt: Runtime, topup: TopUp) -> TopUp:
    """Return the top-up with its invoice, which is made now if there is none.

    Raises GatewayUnavailable (also when the intent is over, because nobody can say any more what
    became of it) or RequestInProgress while somebody else is asking.
    """
    wall = rt.clock.steady()
    unsure = await rt.run(
        "payments.begin_opening",
        lambda tx: invoice_rows.begin_opening(tx, topup.id, wall=wall, until=wall + OPENING),
    )
    if unsure is None:
        return await _opened_by_other(rt, topup)
    return await opened_now(rt, topup, unsure=unsure)


async def opened_now(rt: Runtime, topup: TopUp, *, unsure: bool) -> TopUp:
    """Ask for the invoice as the one who has the right to.

    `unsure` says that an earlier call may have made it.
    """
    gateway = gateway_of(rt, topup.provider)
    is_over = False
    try:
        asking = (
            _find(gateway, topup)
            if unsure and not gateway.repeatable
            else gateway.create(_intent(rt, topup))
        )
        invoice = await answered(asking, within_s=CALL_TIMEOUT_S)
        is_over = invoice is None
    except ProviderError as error:
        since = rt.clock.steady() if unsure or error.unknown else None
        await rt.run(
            "payments.end_opening",
            lambda tx: invoice_rows.end_opening(tx, topup.id, unsure_since=since),
        )
        _log.warning(
            "no invoice",
            provider=topup.provider,
            topup_id=topup.public_id,
            error=type(error).__name__,
            reason=str(error),
        )
        raise GatewayUnavailable(provider=topup.provider) from error
    if invoice is None or not _is_ours(topup, invoice):
        await rt.run("payments.fail_unopened", lambda tx: invoice_rows.fail_unopened(tx, topup.id))
        _log.error(
            "an invoice is not what was asked for" if not is_over else "an invoice got lost",
            provider=topup.provider,
            topup_id=topup.public_id,
        )
        raise GatewayUnavailable(provider=topup.provider)
    return await _adopt(rt, topup, invoice)


async def find_invoice(rt: Runtime, topup: TopUp) -> TopUp:
    """Return the top-up with the invoice that a call without an answer has made after all, or as it
    was. Raises ProviderError.

    One that has none long after it was wanted is over.
    """
    if topup.state is not TopUpState.CREATED:
        return topup
    invoice = await answered(_find(gateway_of(rt, topup.provider), topup))
    if invoice is not None and _is_ours(topup, invoice):
        return await _adopt(rt, topup, invoice)
    if rt.clock.now() >= topup.created_at + timedelta(seconds=rt.settings.topup_lifetime_s):
        await rt.run("payments.fail_unopened", lambda tx: invoice_rows.fail_unopened(tx, topup.id))
    return topup


async def look_up(
    rt: Runtime, topup: TopUp, invoice_id: str, *, payment_ids: Sequence[str]
) -> Sequence[Payment]:
    """Return how every payment of a top-up's invoice stands now. Raises ProviderError.

    Raises GatewayUnavailable.
    """
    gateway = gateway_of(rt, topup.provider)
    return await answered(
        gateway.look_up(
            invoice_id=invoice_id,
            reference=topup.public_id,
            since=topup.created_at,
            payment_ids=payment_ids,
        )
    )


def gateway_of(rt: Runtime, provider: str) -> PaymentGateway:
    """Return the gateway. Raises GatewayUnavailable when it is not set up any more."""
    gateway = rt.payments.get(provider)
    if gateway is None:
        raise GatewayUnavailable(provider=provider)
    return gateway


async def read(rt: Runtime, topup_id: int) -> TopUp:
    """Return a top-up. Raises NotFound."""
    topup = await rt.repeat("payments.read", lambda tx: rows.read(tx, topup_id))
    if topup is None:
        raise NotFound(what="top-up")
    return topup


async def _opened_by_other(rt: Runtime, topup: TopUp) -> TopUp:
    found = await read(rt, topup.id)
    if found.invoice_id is not None:
        return found
    if found.state is TopUpState.CREATED:
        raise RequestInProgress
    raise GatewayUnavailable(provider=topup.provider)


async def _find(gateway: PaymentGateway, topup: TopUp) -> Invoice | None:
    return await gateway.find(reference=topup.public_id, since=topup.created_at)


async def _adopt(rt: Runtime, topup: TopUp, invoice: Invoice) -> TopUp:
    """Keep the invoice, and return the top-up with whichever it has."""
    ends = topup.created_at + timedelta(seconds=rt.settings.topup_lifetime_s)
    expires_at = invoice.expires_at or ends
    kept = await rt.run(
        "payments.set_invoice",
        lambda tx: invoice_rows.set_invoice(
            tx,
            topup.id,
            invoice_id=invoice.gateway_id,
            payment_url=invoice.payment_url,
            expires_at=expires_at,
        ),
    )
    if not kept:
        return await read(rt, topup.id)
    return replace(
        topup,
        state=TopUpState.AWAITING,
        invoice_id=invoice.gateway_id,
        payment_url=invoice.payment_url,
        expires_at=expires_at,
    )


def _intent(rt: Runtime, topup: TopUp) -> Intent:
    base = rt.settings.public_url
    callback_url = f"{base}/callbacks/{topup.provider}" if base else None
    return Intent(
        topup.public_id, _asked(topup), topup.currency, rt.settings.topup_lifetime_s, callback_url
    )


def _asked(topup: TopUp) -> Decimal:
    """Return the price in whole units, with all its decimals."""
    return Decimal(topup.final_amount).scaleb(-DECIMALS[topup.currency])


def _is_ours(topup: TopUp, invoice: Invoice) -> bool:
    """Return whether this invoice is the one we asked for.

    An id used before brings the earlier invoice.
    """
    return (invoice.reference, invoice.amount, invoice.currency) == (
        topup.public_id,
        _asked(topup),
        topup.currency,
    )
