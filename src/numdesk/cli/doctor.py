"""`numdesk doctor`: check an installation, and say how to fix each problem."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import socket
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from numdesk.bootstrap import Desk, unused_settings
from numdesk.cli.attach import Common, attached, existing_database
from numdesk.cli.outcome import print_result, sentence_of, table
from numdesk.config import Settings
from numdesk.kit.descriptors import raise_limit, room_for_connections
from numdesk.kit.keyfile import KeyFile, KeyFileError
from numdesk.kit.private import open_to_others
from numdesk.storage.database.migrate import pending_migrations
from numdesk.storage.database.postgres import check_server, running_dsn
from numdesk.storage.desk.installation import Condition
from numdesk.usecases import ledger_check, rates
from numdesk.usecases.desk import clock, installation
from numdesk.usecases.inbound import withheld
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.payments import held as payment_held

#: Free bytes below which a busy day (WARN) or a busy hour (FAIL) can fill the disk.
DISK_WARN_BYTES = 5 * 1024**3
DISK_FAIL_BYTES = 512 * 1024**2
#: The period in which messages of other services are counted.
WITHHELD_HOURS = 24
#: The accepted difference between the database's clock and ours.
CLOCK_OFFSET_MAX = timedelta(seconds=2)
#: Work that waits longer is stuck, or no worker runs.
WAITING_MAX = timedelta(minutes=10)
#: Fewer connections per process than this are few.
CONNECTIONS_FEW = 2_000
#: The share of the database's connections from which it is near its limit.
CONNECTIONS_WARN = 0.8

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `text` says what to do when it is not ok."""

    name: str
    state: str
    text: str


def doctor(*, common: Common | None = None) -> int:
    """Check the installation; the exit code is 1 when something must be fixed."""
    common = common or Common()
    settings = common.settings()
    findings = [*_without_database(settings), *asyncio.run(_with_database(common, settings))]
    rows = [(finding.state, finding.name, finding.text) for finding in findings]
    facts = [
        {"name": finding.name, "state": finding.state, "text": finding.text} for finding in findings
    ]
    is_well = all(finding.state != FAIL for finding in findings)
    print_result(
        {"ok": is_well, "checks": facts},
        as_json=common.json,
        text=table(["", "check", "finding"], rows),
    )
    return 0 if is_well else 1


def _without_database(settings: Settings) -> Iterator[Finding]:
    """Yield the findings that need no database."""
    yield _data_folder(settings.data)
    yield _privacy(settings)
    yield _disk(settings.data)
    yield _key_file(settings.key_path)
    yield _port(settings)
    yield _descriptors(settings)
    yield _settings(settings)


async def _with_database(common: Common, settings: Settings) -> list[Finding]:
    """Return the findings about the database and its contents."""
    findings: list[Finding] = []
    try:
        async with existing_database(settings) as dsn:
            major = await check_server(dsn)
            findings.append(Finding("database", OK, f"PostgreSQL {major} answers"))
            findings.append(await _migrations(dsn))
            if findings[-1].state == FAIL:
                return findings
            async with attached(common, read_only=True) as desk:
                findings += await _of_desk(desk)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is a finding
        text = sentence_of(error) or f"{type(error).__name__}: {error}"
        findings.append(Finding("database", FAIL, text))
    return findings


async def _of_desk(desk: Desk) -> list[Finding]:
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


def _data_folder(data: Path) -> Finding:
    if not data.exists():
        return Finding("data folder", OK, f"{data} does not exist yet; the first start makes it")
    probe = data / ".doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding(
            "data folder",
            FAIL,
            f"{data} cannot be written ({error.strerror}): make this user its owner",
        )
    return Finding("data folder", OK, f"{data} can be written")


def _privacy(settings: Settings) -> Finding:
    found = open_to_others(settings.data, apart=settings.guarded_paths)
    if not found:
        return Finding("privacy", OK, "only its user can read the data folder")
    first = shlex.quote(str(found[0]))
    return Finding(
        "privacy",
        WARN,
        f"other users have rights to {len(found)} files or folders: `chmod go= {first}` removes "
        "them from the first",
    )


def _settings(settings: Settings) -> Finding:
    unused = unused_settings(settings)
    if not unused:
        return Finding("settings", OK, "all settings are known")
    return Finding(
        "settings",
        WARN,
        f"{', '.join(unused)}: no setting or provider has this name; see `numdesk --help`",
    )


def _disk(data: Path) -> Finding:
    place = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(place).free
    state = FAIL if free < DISK_FAIL_BYTES else WARN if free < DISK_WARN_BYTES else OK
    advice = "" if state == OK else ": free some space, or move the data folder"
    return Finding("disk space", state, f"{free / 1024**3:.1f} GB free{advice}")


def _key_file(path: Path) -> Finding:
    try:
        keys = KeyFile.load(path)
    except KeyFileError as error:
        if not path.exists():
            return Finding(
                "key file",
                WARN,
                f"{path} does not exist yet; the first start on an empty database makes it",
            )
        return Finding("key file", FAIL, str(error))
    mode = stat.S_IMODE(path.stat().st_mode)
    return Finding(
        "key file",
        OK,
        f"{path} holds {len(keys.keys)} keys, mode {mode:04o}; keep a copy elsewhere",
    )


def _descriptors(settings: Settings) -> Finding:
    """Return the number of connections that a server started like this command can hold."""
    limit = raise_limit()
    most = min(settings.connections_max, room_for_connections(limit))
    text = (
        f"a process holds up to {most:,} connections ({limit:,} descriptors; "
        f"NUMDESK_CONNECTIONS_MAX is {settings.connections_max:,})"
    )
    if most < min(settings.connections_max, CONNECTIONS_FEW):
        return Finding(
            "descriptors",
            WARN,
            f"{text}: raise the limit of descriptors (ulimit -n, or LimitNOFILE of systemd)",
        )
    return Finding("descriptors", OK, text)


def _port(settings: Settings) -> Finding:
    address = settings.listen
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            if settings.database_url is None and running_dsn(settings.data):
                return Finding(
                    "port", OK, f"{address} is in use, and a numdesk runs on this data folder"
                )
            return Finding(
                "port",
                WARN,
                f"{address} cannot be opened for listening ({error.strerror}): another program "
                "may use it",
            )
    return Finding("port", OK, f"{address} is free")


async def _migrations(dsn: str) -> Finding:
    connection = await asyncpg.connect(dsn)
    try:
        pending = await pending_migrations(connection)
    finally:
        await connection.close()
    if pending:
        return Finding("migrations", FAIL, f"{len(pending)} are missing: run `numdesk migrate`")
    return Finding("migrations", OK, "the database is up to date")


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
