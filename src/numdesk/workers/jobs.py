"""The kinds of background jobs by name, and the timetable of recurring work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from numdesk.runtime import Runtime
from numdesk.usecases import ledger_check, rates, retention
from numdesk.usecases.customers import callers, rate_limits
from numdesk.usecases.desk import clock, installation, versions
from numdesk.usecases.inbound import receive
from numdesk.usecases.orders import changes, from_suppliers, supplier_answers
from numdesk.usecases.orders import ending as order_lifecycle
from numdesk.usecases.payments import audit, callbacks, held, polling, settlement
from numdesk.usecases.rentals import ending
from numdesk.usecases.stock import catalogue, scores


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job: its use case, the delays between its tries, and its limits."""

    do: Callable[[Runtime, Mapping[str, Any]], Awaitable[None]]
    #: Delays before the second, third... try, in seconds; a job that fails after the last is dead.
    delays_s: tuple[float, ...]
    #: A try that takes longer is cancelled and counts as failed.
    time_limit_s: float
    #: Tries of this kind under way in one process for one provider. The limit is per provider, so
    #: that one that hangs does not block the others.
    parallel: int


@dataclass(frozen=True, slots=True)
class Recurring:
    """One line of the timetable."""

    name: str
    every_s: float
    do: Callable[[Runtime], Awaitable[object]]
    #: Run it also when the desk's clock is moved; it then returns the number of things it did.
    by_clock: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """A timetable line per provider: one that hangs or fails delays only its own line."""

    name: str
    every_s: float
    do: Callable[..., Awaitable[object]]
    providers: Callable[[Runtime], Iterable[str]]
    by_clock: bool = False

    def lines(self, rt: Runtime) -> list[Recurring]:
        """Return the line of each provider."""
        return [
            Recurring(
                f"{self.name}.{slug}", self.every_s, partial(self.do, provider=slug), self.by_clock
            )
            for slug in self.providers(rt)
        ]


#: About a day in all: a supplier that is down for a night must still learn how its number was used.
_PATIENT_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 3600.0, 14_400.0, 14_400.0, 43_200.0)

KINDS: Mapping[str, JobKind] = {
    "orders.release": JobKind(
        order_lifecycle.release_at_supplier, _PATIENT_S, time_limit_s=30.0, parallel=16
    ),
    "orders.look_again": JobKind(
        supplier_answers.look_again, _PATIENT_S, time_limit_s=30.0, parallel=8
    ),
    # The money stays held until the supplier has reported the order's outcome, so this never gives
    # up.
    "orders.resolve": JobKind(
        from_suppliers.resolve_pending,
        (*_PATIENT_S, *[43_200.0] * 100_000),
        time_limit_s=60.0,
        parallel=8,
    ),
    # Ask about a callback until the gateway answers; after a day only the poller goes on asking.
    "payments.hear": JobKind(callbacks.settle_called, _PATIENT_S, time_limit_s=30.0, parallel=8),
    "payments.settle": JobKind(settlement.settle_again, _PATIENT_S, time_limit_s=30.0, parallel=4),
}

#: Recurring work of every process, whether or not it does background work.
UPKEEP: tuple[Recurring, ...] = (
    Recurring("versions.look", 0.25, versions.look),
    Recurring("limits.exchange", 0.5, rate_limits.exchange),
    Recurring("news.look", 1.0, changes.look),
    Recurring("ledger.learn_report", 10.0, ledger_check.learn_report),
    Recurring("payments.measure_held", 30.0, held.measure),
    Recurring("clock.heed_books", 10.0, clock.heed_books),
    Recurring("installation.serials", 60.0, installation.serials),
    Recurring("customers.note_used_keys", 60.0, callers.note_used_keys),
)

#: Recurring work of a working process. Several processes may do it at once, because each item is
#: safe under concurrency.
TIMETABLE: tuple[Recurring, ...] = (
    Recurring("orders.expire", 0.5, order_lifecycle.expire_due, by_clock=True),
    Recurring("rentals.expire", 0.5, ending.expire_due, by_clock=True),
    Recurring("stock.release_quarantined", 1.0, order_lifecycle.release_quarantined, by_clock=True),
    Recurring("inbound.join_overdue", 1.0, receive.join_overdue, by_clock=True),
    Recurring("ledger.tick", 5.0, ledger_check.tick),
    Recurring("ledger.tick_full", 60.0, ledger_check.tick_full),
    Recurring("catalogue.refresh_scores", 600.0, scores.refresh_scores),
    Recurring("rates.refresh", 300.0, rates.refresh),
    Recurring(
        retention.KEYS.name, 3600.0, partial(retention.sweep, one=retention.KEYS), by_clock=True
    ),
    *(Recurring(one.name, 3600.0, partial(retention.sweep, one=one)) for one in retention.SWEEPS),
)

#: Recurring requests of a working process to providers.
ASKING: tuple[Asking, ...] = (
    Asking(
        "catalogue.refresh_supplier", 30.0, catalogue.refresh_supplier, catalogue.remote_suppliers
    ),
    Asking("payments.poll", 15.0, polling.poll_due, lambda rt: rt.payments, by_clock=True),
    Asking("payments.audit", 3600.0, audit.audit_due, lambda rt: rt.payments),
)
