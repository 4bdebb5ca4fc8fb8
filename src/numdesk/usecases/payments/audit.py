"""The nightly comparison with each payment gateway: its list of payments against ours, and ours
against the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from numdesk.domain.payments import audit as payment_audit
from numdesk.domain.payments.audit import Difference, Fault, Known
from numdesk.domain.payments.gateway_payments import Payment, has_money
from numdesk.domain.payments.topups import TopUp
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.storage.payments import audit as audits
from numdesk.storage.payments import gateway_payments as payment_rows
from numdesk.storage.payments import topups as rows
from numdesk.usecases.desk.provider_calls import answered
from numdesk.usecases.payments import invoices, settlement

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

#: How often each gateway is compared, and how far back beyond the last time: what was on its way
#: then is looked at once more.
EVERY = timedelta(hours=24)
OVERLAP = timedelta(hours=48)
#: A gateway whose list is longer has not answered.
LIST_TIMEOUT_S = 600.0
#: Payments that are missing from the list are asked for one by one, so many at most; more of them
#: are one fault, not many.
ASKED_MAX = 200

_log = get_logger(__name__, "fault", "invoice_id", "payment_id", "provider", "topup_id")
_differences = Gauge(
    "numdesk_payment_differences",
    "Differences that the last comparison with a gateway found; must be 0",
    ["provider"],
)


@dataclass(frozen=True, slots=True)
class _Ours:
    """Our side: the top-ups that the list names, and payments by the gateway's id."""

    topups: dict[str, TopUp]
    known: dict[str, Known]


async def audit_due(rt: Runtime, *, provider: str) -> bool:
    """Compare a gateway that was not compared for a day; return whether it was compared now."""
    until = rt.clock.now()
    last = await rt.repeat("payments.last_audit", lambda tx: audits.newest(tx, provider=provider))
    is_due = until >= last + EVERY if last is not None else await _has_topups(rt)
    if not is_due:
        return False
    try:
        await audit(rt, provider, since=(last or until) - OVERLAP, until=until)
    except ProviderError as error:
        _log.warning("a gateway could not be compared", provider=provider, reason=str(error))
        return False
    return True


async def audit(
    rt: Runtime, provider: str, *, since: datetime, until: datetime
) -> list[Difference]:
    """Compare one gateway, record the differences, tell staff of each difference, and settle the
    top-ups that they name.

    Raises ProviderError.
    """
    found, checked = await _compare(rt, provider, since=since, until=until)
    await rt.run(
        "payments.keep_audit",
        lambda tx: audits.keep(
            tx, provider=provider, since=since, until=until, checked=checked, differences=found
        ),
    )
    _differences.labels(provider).set(len(found))
    for one in found:
        _log.error(
            "a payment differs",
            provider=provider,
            fault=one.fault,
            invoice_id=one.invoice,
            payment_id=one.payment_id,
            reason=one.what,
        )
    await _settle_named(rt, provider, found)
    return found


async def compare(
    rt: Runtime, *, since: datetime, until: datetime, provider: str | None = None
) -> list[Difference]:
    """Return every difference between the gateways' payments of a span of time and ours.

    Changes nothing.

    A gateway that does not answer is a difference beside those of the others. Raises ProviderError
    when none answers; refuses with GatewayUnavailable.
    """
    wanted = list(rt.payments) if provider is None else [provider]
    told = await asyncio.gather(
        *(_compare(rt, slug, since=since, until=until) for slug in wanted), return_exceptions=True
    )
    found: list[Difference] = []
    for slug, one in zip(wanted, told, strict=True):
        if isinstance(one, tuple):
            found += one[0]
        elif isinstance(one, ProviderError) and not all(
            isinstance(other, ProviderError) for other in told
        ):
            found.append(
                Difference(slug, Fault.UNANSWERED, None, "", f"the gateway did not answer: {one}")
            )
        else:
            raise one
    return found


async def _compare(
    rt: Runtime, provider: str, *, since: datetime, until: datetime
) -> tuple[list[Difference], int]:
    told = await answered(
        invoices.gateway_of(rt, provider).payments(since=since, until=until),
        within_s=LIST_TIMEOUT_S,
    )

    async def work(tx: Tx) -> _Ours:
        return await _read(tx, provider, told, since=since, until=until)

    ours = await rt.repeat("payments.compare", work)
    listed = {payment.payment_id for payment in told}
    unlisted = [
        one
        for payment_id, one in ours.known.items()
        if payment_id not in listed and has_money(one.line.payment)
    ]
    found = payment_audit.compare(provider, told=told, owners=ours.topups, known=ours.known)
    found += await _ask_again(rt, provider, unlisted, ours)
    found += payment_audit.check_books(provider, ours.known.values())
    return found, len(told) + len(unlisted)


async def _has_topups(rt: Runtime) -> bool:
    """Return whether there was ever a top-up to compare. A fresh desk asks nobody."""
    return bool(
        await rt.repeat(
            "payments.any",
            lambda tx: rows.listed(tx, states=None, doubtful=False, customer_id=None, limit=1),
        )
    )


async def _settle_named(rt: Runtime, provider: str, found: Sequence[Difference]) -> None:
    """Read back what differs: news that no callback brought are booked now.

    A lie stays one, and is told again the next night.
    """
    ids: dict[str, list[str]] = {}
    for one in found:
        if one.invoice is not None and one.fault in (Fault.UNHEARD, Fault.FACTS):
            ids.setdefault(one.invoice, []).append(one.payment_id)
    named = await rt.repeat(
        "payments.find", lambda tx: rows.by_reference(tx, provider=provider, references=sorted(ids))
    )
    for topup in named[:ASKED_MAX]:
        try:
            await settlement.settle(rt, topup.id, payment_ids=ids[topup.public_id])
        except Exception:  # noqa: BLE001 - one that nobody can settle must not stop the others
            _log.exception(
                "a top-up could not be settled", provider=provider, topup_id=topup.public_id
            )


async def _ask_again(
    rt: Runtime, provider: str, unlisted: Sequence[Known], ours: _Ours
) -> list[Difference]:
    """Ask for payments by themselves that the list does not have: lists go by other times than
    ours."""
    found: list[Difference] = []
    for place, one in enumerate(unlisted):
        told: Sequence[Payment] = ()
        if place < ASKED_MAX and one.topup.invoice_id is not None:
            told = await invoices.look_up(
                rt, one.topup, one.topup.invoice_id, payment_ids=[one.line.payment.payment_id]
            )
        same = [payment for payment in told if payment.payment_id == one.line.payment.payment_id]
        if same:
            found += payment_audit.compare(
                provider, told=same, owners=ours.topups, known=ours.known
            )
        else:
            found.append(payment_audit.missing(provider, one))
    return found


async def _read(
    tx: Tx, provider: str, told: Sequence[Payment], *, since: datetime, until: datetime
) -> _Ours:
    """Read what we have of the payments in the list, and of those that should be in it."""
    named = await rows.by_reference(
        tx, provider=provider, references=sorted({payment.reference for payment in told})
    )
    ids = [payment.payment_id for payment in told]
    touched = await rows.touched(tx, provider=provider, payment_ids=ids, since=since, until=until)
    by_id = {topup.id: topup for topup in (*named, *touched)}
    booked = await payment_rows.payments_of(tx, list(by_id))
    units = await payment_rows.booked_in_ledger(tx, topup_ids=list(by_id))
    wanted = set(ids)
    known = {
        one.line.payment.payment_id: Known(
            by_id[one.topup_id], one.line, one.share, units.get(one.id, 0), one.doubt
        )
        for one in booked
        if one.line.payment.payment_id in wanted
        or _is_within(one.line.payment.changed_at or one.heard_at, since, until)
    }
    return _Ours({topup.public_id: topup for topup in by_id.values()}, known)


def _is_within(moment: datetime, since: datetime, until: datetime) -> bool:
    return since <= moment < until
