"""Checks of the database and its contents."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from numdesk.bootstrap import Desk
from numdesk.cli.doctor.finding import FAIL, OK, WARN, Finding
from numdesk.storage.desk.installation import Condition
from numdesk.usecases import ledger_check, rates
from numdesk.usecases.desk import clock, installation
from numdesk.usecases.inbound import withheld
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.payments import held as payment_held

#: The period in which messages of other services are counted.
WITHHELD_HOURS = 24
#: The accepted difference between the database's clock and ours.
CLOCK_OFFSET_MAX = timedelta(seconds=2)
#: Work that waits longer is stuck, or no worker runs.
WAITING_MAX = timedelta(minutes=10)
#: The share of the database's connections from which it is near its limit.
CONNECTIONS_WARN = 0.8


async def desk_findings(desk: Desk) -> list[Finding]:
    rt = desk.rt
    seen = await installation.condition(rt)
    now, wall = rt.clock.now(), rt.clock.wall()
    report = await ledger_check.check_ledger(rt, full=False)
    return [
        _fsync(seen),
        _clock(seen, wall, lag=await clock.heed_books(rt), set_back_max=rt.clock.set_back_max),
        Finding("ledger", OK, "no violations")
        if report.violations == 0
        else Finding(
            "ledger",
            FAIL,
            f"{report.violations} violations: run `numdesk ledger check` and stop selling",
        ),
        _connections(seen),
        _waiting(
            "jobs", seen.jobs_oldest, now, "check that `numdesk serve` or `numdesk work` runs"
        ),
        Finding("dead jobs", OK, "none")
        if seen.jobs_dead == 0
        else Finding(
            "dead jobs",
            WARN,
            f"{seen.jobs_dead} jobs are dead: `numdesk jobs list --dead` shows why, `revive` "
            "tries again",
        ),
        _waiting(
            "webhooks",
            seen.delivery_oldest,
            now,
            "check that `numdesk serve` or `numdesk work` runs",
        ),
        _waiting(
            "pending orders",
            seen.order_oldest_pending,
            now,
            "a supplier does not report their outcome",
        ),
        await _serials(desk),
        await _set_aside(desk),
        await _rates(desk),
        await _topups(desk),
        await _withheld(desk),
        Finding("offers", OK, "there are offers")
        if seen.offers
        else Finding(
            "offers", WARN, "nothing is for sale: `numdesk stock price FILE.csv` sets prices"
        ),
        Finding("stock", OK, "there are free numbers of our own")
        if seen.numbers_free
        else Finding(
            "stock", WARN, "no number of our own is free: `numdesk stock load FILE.csv` adds some"
        ),
        Finding(
            "mode",
            OK,
            f"{await installation.mode(rt)}; the database holds {seen.size_bytes / 1024**2:,.0f} "
            "MB",
        ),
    ]


def _fsync(seen: Condition) -> Finding:
    if seen.fsync and seen.synchronous_commit:
        return Finding("durability", OK, "fsync and synchronous_commit are on")
    return Finding(
        "durability",
        FAIL,
        "fsync or synchronous_commit is off: a power failure would lose money; switch both on",
    )


def _clock(seen: Condition, wall: datetime, *, lag: timedelta, set_back_max: timedelta) -> Finding:
    if lag > clock.LAG_UNNOTICED:
        rest = (
            "the desk's time runs on at half speed until it has caught up "
            "(NUMDESK_CLOCK_BEHIND_MAX_H=0 disables the wait)"
        )
        if lag > set_back_max:
            rest = "that is too long to wait, so new bookings have earlier times than existing ones"
        return Finding(
            "clock",
            FAIL,
            f"this machine's clock is {lag.total_seconds():.0f} s behind the books: correct it "
            f"with NTP; {rest}",
        )
    offset = abs(seen.wall - wall)
    if offset <= CLOCK_OFFSET_MAX:
        return Finding(
            "clock",
            OK,
            f"the database's clock agrees within {offset.total_seconds():.2f} s, and the books "
            "are not ahead of it",
        )
    return Finding(
        "clock",
        FAIL,
        f"the database's clock is {offset.total_seconds():.0f} s off: run NTP on both machines",
    )


def _connections(seen: Condition) -> Finding:
    state = OK if seen.connections < CONNECTIONS_WARN * seen.connections_max else WARN
    return Finding("connections", state, f"{seen.connections} of {seen.connections_max} are in use")


def _waiting(name: str, oldest: datetime | None, now: datetime, advice: str) -> Finding:
    if oldest is None or now - oldest <= WAITING_MAX:
        return Finding(name, OK, "nothing waits too long")
    return Finding(name, WARN, f"the oldest has waited since {oldest:%Y-%m-%d %H:%M} UTC: {advice}")


async def _topups(desk: Desk) -> Finding:
    held = await payment_held.count(desk.rt)
    if held:
        reasons = Counter[str]()
        for (_, doubt), n in held.items():
            reasons[doubt] += n
        doubts = ", ".join(f"{n} {doubt}" for doubt, n in sorted(reasons.items()))
        advice = "`numdesk topup list --held` shows them and what to do"
        return Finding(
            "top-ups", WARN, f"{reasons.total()} payments wait for staff ({doubts}): {advice}"
        )
    return Finding("top-ups", OK, "no payment waits for staff")


async def _serials(desk: Desk) -> Finding:
    most, *_ = await installation.serials(desk.rt)
    state = (
        FAIL
        if most.used >= installation.SERIALS_FAIL
        else WARN
        if most.used >= installation.SERIALS_WARN
        else OK
    )
    advice = (
        ""
        if state == OK
        else ": when it runs out, everything that needs it is refused; docs/runbook.md, 'A serial "
        "runs out', has the steps"
    )
    return Finding("serials", state, f"the most used is {most.name} at {most.used:.1%}{advice}")


async def _set_aside(desk: Desk) -> Finding:
    found = await sweeps.every(desk.rt)
    if not found:
        return Finding("set aside", OK, "background work has set nothing aside")
    first = found[0]
    names = ", ".join(f"{one.sweep} {one.item}" for one in found[:10])
    details = (
        f"{names}. The first, since {first.since:%Y-%m-%d %H:%M} UTC, tried {first.failures} "
        f"times: {first.reason}"
    )
    advice = (
        "Fix the cause; each is retried automatically (that one at "
        f"{first.again_at:%Y-%m-%d %H:%M} UTC)"
    )
    return Finding(
        "set aside",
        WARN,
        f"{len(found)} items failed in background work: {details}. {advice}",
    )


async def _withheld(desk: Desk) -> Finding:
    count = await withheld.count_withheld(desk.rt, hours=WITHHELD_HOURS)
    if count:
        advice = (
            "`numdesk message list` shows them and why, `numdesk service word` corrects the "
            "recognition"
        )
        return Finding(
            "foreign messages",
            WARN,
            f"{count} withheld in the last {WITHHELD_HOURS} hours: {advice}",
        )
    return Finding("foreign messages", OK, f"none withheld in the last {WITHHELD_HOURS} hours")


async def _rates(desk: Desk) -> Finding:
    now = desk.rt.clock.now()
    known = await rates.every(desk.rt)
    if not known:
        return Finding(
            "rates",
            WARN,
            "there are no rates, so prices in another currency are refused: `numdesk rate set "
            "USD/IDR 16250` sets one",
        )
    old = [rate.pair for rate in known if not rates.is_fresh(rate, now)]
    if old:
        return Finding(
            "rates",
            WARN,
            f"{', '.join(old)} are older than a day, so they are not used: `numdesk rate set` "
            "renews them",
        )
    return Finding("rates", OK, "all rates are fresh")
