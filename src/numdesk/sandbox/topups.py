"""Payments of sandbox top-ups: play a payer at a fake gateway."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.ports.simulation import FakeGateway, UnknownInvoice, UnknownMoney
from numdesk.runtime import Runtime
from numdesk.sandbox.wire import Strict
from numdesk.usecases.payments import topups

#: Where the fake gateways are mounted, each under its slug.
GATEWAYS = "/sandbox/gateways"
#: A limit on amounts, in minor units; more money than exists in any currency.
PAID_MAX = 10**12
#: Copies of one callback that a call may ask for.
TIMES_MAX = 2_000


class Paid(Strict, frozen=True):
    """The body of POST /topups/{invoice_id}/pay.

    `amount` is in whole units of `currency` (default: the invoice's); without it, all that is due
    is paid.
    """

    amount: Decimal | None = None
    currency: Annotated[str, Meta(min_length=2, max_length=20)] | None = None
    times: Annotated[int, Meta(ge=1, le=TIMES_MAX)] = 1


async def pay(rt: Runtime, gateways: Mapping[str, FakeGateway], invoice: str, paid: Paid) -> int:
    """Pay a top-up at its gateway, and return how many of its callbacks were answered.

    Refuses with NotFound or InvalidInput.
    """
    topup, _ = await topups.read(rt, invoice)
    gateway = gateways.get(topup.provider)
    if gateway is None:
        raise InvalidInput(field="invoice", reason="belongs to a gateway that is not a fake")
    if paid.amount is not None and not (paid.amount.is_finite() and 0 < paid.amount <= PAID_MAX):
        raise InvalidInput(field="amount", reason=f"must be above 0 and at most {PAID_MAX}")
    try:
        return await gateway.pay(
            topup.public_id, amount=paid.amount, currency=paid.currency, times=paid.times
        )
    except UnknownMoney as error:
        raise InvalidInput(
            field="currency", reason=f"must be a currency that {topup.provider} has a rate for"
        ) from error
    except UnknownInvoice as error:
        raise NotFound(what=f"invoice {invoice} at {topup.provider}") from error


async def show(rt: Runtime, invoice: str) -> dict[str, object]:
    """Return the state of a top-up; amounts in minor units."""
    topup, _ = await topups.read(rt, invoice)
    return {
        "invoice_id": topup.public_id,
        "status": topup.state.name.lower(),
        "credited": topup.credited,
        "currency": topup.currency,
    }
