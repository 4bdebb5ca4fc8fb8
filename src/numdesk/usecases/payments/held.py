"""Payments that wait for a person: which, how many, and what the metrics say of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from numdesk.domain.payments.topups import Doubt, TopUp
from numdesk.storage.payments import gateway_payments as payment_rows
from numdesk.storage.payments import held
from numdesk.storage.payments import topups as rows
from numdesk.storage.payments.gateway_payments import Booked

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

_held = Gauge(
    "numdesk_topup_payments_held",
    "Payments that wait for a person, by gateway and doubt",
    ["provider", "reason"],
)


async def listed(
    rt: Runtime, *, customer_id: int | None = None, limit: int = 50
) -> list[tuple[TopUp, list[Booked]]]:
    """Return top-ups of which payments wait for a person, newest first, each with those
    payments."""
    found = await rt.repeat(
        "payments.held",
        lambda tx: rows.listed(
            tx, states=None, doubtful=True, customer_id=customer_id, limit=limit
        ),
    )
    known = await rt.repeat(
        "payments.known", lambda tx: payment_rows.payments_of(tx, [topup.id for topup in found])
    )
    doubtful: dict[int, list[Booked]] = defaultdict(list)
    for booked in known:
        if booked.doubt:
            doubtful[booked.topup_id].append(booked)
    return [(topup, doubtful[topup.id]) for topup in found]


async def count(rt: Runtime) -> Mapping[tuple[str, Doubt], int]:
    """Return how many payments wait for a person, by gateway and doubt."""
    return await rt.repeat("payments.count_held", held.count)


async def measure(rt: Runtime) -> None:
    """Show in the metrics how many payments wait for a person; every process does it for itself."""
    found = await count(rt)
    _held.clear()
    for (provider, doubt), n in found.items():
        _held.labels(provider, doubt.value).set(n)
