"""The ledger against itself: the hash chain that is extended, the checks that run every minute and
every hour, their report."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import Gauge

from numdesk.domain.ledger.journals import Check, Report
from numdesk.domain.payments import judging
from numdesk.kit.log import get_logger
from numdesk.runtime import ProcessState
from numdesk.storage.ledger import check as ledger_check
from numdesk.storage.orders import check as order_check
from numdesk.storage.payments import check as payment_check
from numdesk.storage.payments import gateway_payments as payment_rows
from numdesk.storage.payments import topups as payment_topups
from numdesk.storage.rentals import check as rental_check

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx
    from numdesk.storage.ledger.check import Sight

#: How often the running desk looks at what is new, and at everything.
INCREMENTAL_EVERY_S = 60
FULL_EVERY_S = 3600
#: A desk whose newest report is older than this is not ready: nobody checks its books any more.
REPORT_AGE_MAX_S = 300
#: A block that is not full is built when the last one is so old: an idle desk makes at most one a
#: minute.
PARTIAL_BLOCK_EVERY_S = 60
#: Blocks added by one tick at most; 100 hold a million entries.
BLOCKS_PER_TICK = 100
#: Top-ups whose facts are judged in one turn of the loop.
FACTS_BATCH = 200
#: Where the last report lies in the memory of a process.
REPORT = "ledger.report"

_log = get_logger(
    __name__, "block", "block_hash", "examples", "rule", "scope", "seconds", "violations"
)
_imbalance = Gauge(
    "numdesk_ledger_imbalance", "Violations that the last check of the ledger found; must be 0"
)
_check_age = Gauge(
    "numdesk_ledger_check_age_seconds", "Seconds since the last check of the ledger ended"
)


@dataclass(slots=True)
class _Progress:
    """The state of this process between ticks; losing it costs one tick."""

    began: float = field(default_factory=time.monotonic)
    sight: Sight | None = None
    partial_at: float = float("-inf")
    incremental_at: float = float("-inf")
    full_at: float = float("-inf")
    #: When the check ended whose report is known here.
    ended: float | None = None


async def tick(rt: Runtime) -> Report | None:
    """Extend the chain, and check new entries when that is due; call it every few seconds.

    Returns the report, if any.
    """
    progress = _progress(rt)
    await extend_chain(rt)
    if time.monotonic() - progress.incremental_at < INCREMENTAL_EVERY_S:
        return None
    report = await check_ledger(rt, full=False)
    progress.incremental_at = time.monotonic()
    return await _publish(rt, report)


async def tick_full(rt: Runtime) -> Report | None:
    """Check everything when that is due; call it every minute, beside `tick`: one that fails or
    takes long must not hold up the other."""
    progress = _progress(rt)
    if time.monotonic() - progress.full_at < FULL_EVERY_S:
        return None
    report = await check_ledger(rt, full=True)
    progress.full_at = time.monotonic()
    return await _publish(rt, report)


async def learn_report(rt: Runtime) -> None:
    """Take over the newest report, whichever process made it, so that every process can say how the
    books are and for how long.

    Where there never was a check, the age grows from this process's start: an alarm on it must not
    sleep because nobody works.
    """
    document = await rt.repeat("ledger.newest_report", ledger_check.newest_report)
    known = last_report(rt)
    if document is None:
        if known is None:
            _show_age(_progress(rt).began)
        return
    report = msgspec.json.decode(document, type=Report)
    if known is None or known.at != report.at:
        age_s = max(0.0, (rt.clock.now() - report.at).total_seconds())
        await _remember(rt, report, ended=time.monotonic() - age_s)


async def extend_chain(rt: Runtime) -> int:
    """Put entries that are final into blocks and roll them up; return how many blocks were added.

    What one call has seen becomes final by the next: entries of a transaction that is slow to end
    are waited for, never left out.
    """
    progress = _progress(rt)
    added = 0 if progress.sight is None else await _build(rt, progress, progress.sight)
    if added is None:
        return 0
    progress.sight = await rt.run("ledger.see", ledger_check.see)
    return added


async def check_ledger(rt: Runtime, *, full: bool) -> Report:
    """Check the books and the chain, in full or since the last block.

    Raises Unavailable when the database is away.

    The books are seen at one moment. The chain is verified beside them: blocks never change, so no
    moment matters to it.
    """
    started = time.perf_counter()
    (head, checks), chain = await asyncio.gather(
        _check_books(rt, full=full), _check_chain(rt, full=full)
    )
    seconds = round(time.perf_counter() - started, 3)
    return Report(
        full,
        rt.clock.now(),
        seconds,
        head.newest_entry_id,
        head.block,
        head.block_hash,
        checks | chain,
    )


async def keep_report(rt: Runtime, found: Report) -> Report:
    """Write a report down for every process to learn, with the violations of the one before it that
    stand; return it with those.

    A check of new entries says nothing of violations found further back: that stands until a full
    check was clean.
    """

    async def work(tx: Tx) -> Report:
        await ledger_check.lock_reports(tx)
        document = await ledger_check.newest_report(tx)
        report = (
            found if document is None else found.after(msgspec.json.decode(document, type=Report))
        )
        scope = "full" if report.full else "incremental"
        await ledger_check.keep_report(
            tx,
            at=report.at,
            through_entry_id=report.through_entry_id,
            scope=scope,
            document=print_report(report),
        )
        return report

    return await rt.run("ledger.keep_report", work)


def last_report(rt: Runtime) -> Report | None:
    """Return what the last check found, as far as this process has heard."""
    return rt.memory.peek(REPORT)


def report_age_s(rt: Runtime) -> float:
    """Return the age of the last report in real seconds, whatever the desk's clock was moved by.

    Without one, that of this process.
    """
    progress = _progress(rt)
    return time.monotonic() - (progress.began if progress.ended is None else progress.ended)


def facts_of(report: Report) -> dict[str, object]:
    """Return the report as plain values, "ok" first."""
    return {"ok": report.violations == 0, **msgspec.to_builtins(report)}


def print_report(report: Report) -> str:
    """Return the report as JSON text."""
    return msgspec.json.encode(facts_of(report)).decode()


async def check_books(tx: Tx, *, full: bool) -> tuple[ledger_check.Head, dict[str, Check]]:
    """Check everything but the chain in one snapshot, and return where chain and entries end in
    it."""
    head = await ledger_check.prepare(tx)
    after = ledger_check.EVERYTHING if full else head.rolled_entry_id
    checks = await ledger_check.check_accounts(tx, after=after)
    checks |= await ledger_check.check_transfers(tx, after=after)
    checks |= await order_check.check_open_orders(tx)
    if full:
        checks |= await ledger_check.check_rollups(tx, rolled_entry_id=head.rolled_entry_id)
        checks |= await ledger_check.check_histories(tx)
        checks |= await order_check.check_all_orders(tx)
        checks |= await rental_check.check_rentals(tx)
        checks |= await payment_check.check_topups(tx)
        checks |= await payment_check.check_earnings(tx)
        checks |= await _check_facts(tx)
    return head, checks


async def _check_books(rt: Runtime, *, full: bool) -> tuple[ledger_check.Head, dict[str, Check]]:
    async with rt.transaction("ledger.check", snapshot=True) as tx:
        return await check_books(tx, full=full)


async def _check_facts(tx: Tx) -> dict[str, Check]:
    """Check the booking of each payment against its facts and the rules frozen in its top-up."""
    checked, wrong, after = 0, list[str](), 0
    while ids := await payment_check.paid_after(tx, after, limit=FACTS_BATCH):
        owners, after = await payment_topups.read_many(tx, ids), ids[-1]
        for booked in await payment_rows.payments_of(tx, ids):
            checked += 1
            due = judging.judge(owners[booked.topup_id], booked.line).share
            if due != booked.share:
                wrong.append(
                    f"payment {booked.line.payment.payment_id}: booked is {booked.share}, its "
                    f"facts come to {due}"
                )
        await asyncio.sleep(0)
    return {
        "topup_payments_match_facts": Check(
            checked, len(wrong), tuple(wrong[: ledger_check.EXAMPLES_MAX])
        )
    }


async def _check_chain(rt: Runtime, *, full: bool) -> dict[str, Check]:
    async with rt.transaction("ledger.check_chain", snapshot=True) as tx:
        return await ledger_check.check_chain(tx, newest_only=not full)


async def _build(rt: Runtime, progress: _Progress, sight: Sight) -> int | None:
    """Add blocks, a few per transaction, until nothing final is left or the tick has done its
    share; None when it is too early."""
    partial = time.monotonic() - progress.partial_at >= PARTIAL_BLOCK_EVERY_S
    added = 0
    while added < BLOCKS_PER_TICK:
        step = await rt.run(
            "ledger.extend",
            lambda tx: ledger_check.extend_chain(tx, sight, partial=partial, now=rt.clock.now()),
        )
        if step is None:
            return None
        added += step
        if step < ledger_check.BLOCKS_PER_TRANSACTION:
            break
    if added and partial:
        progress.partial_at = time.monotonic()
    return added


async def _publish(rt: Runtime, found: Report) -> Report:
    """Make the report known: to the database, the process, the metrics and the log.

    Returns it with the violations that stand.
    """
    ended = time.monotonic()
    report = await keep_report(rt, found)
    await _remember(rt, report, ended=ended)
    scope = "full" if report.full else "incremental"
    for name, check in report.checks.items():
        if check.violations:
            _log.error(
                "the ledger breaks a rule",
                rule=name,
                violations=check.violations,
                examples=check.examples,
            )
    _log.info(
        "ledger checked",
        scope=scope,
        violations=report.violations,
        seconds=report.seconds,
        block=report.block,
        block_hash=report.block_hash,
    )
    return report


async def _remember(rt: Runtime, report: Report, *, ended: float) -> None:
    """Make the report this process's last one.

    `ended` is when its check ended, by the monotonic watch.
    """
    _imbalance.set(report.violations)
    _show_age(ended)
    _progress(rt).ended = ended
    rt.memory.forget(REPORT)
    await rt.memory.get(REPORT, lambda: _ready(report))


def _show_age(since: float) -> None:
    _check_age.set_function(lambda: time.monotonic() - since)


async def _ready(report: Report) -> Report:
    return report


PROGRESS = ProcessState(lambda _: _Progress())


def _progress(rt: Runtime) -> _Progress:
    """Return what this process remembers."""
    return PROGRESS.of(rt)
