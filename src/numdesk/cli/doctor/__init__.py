"""`numdesk doctor`: check an installation, and say how to fix each problem."""

from __future__ import annotations

import asyncio

import asyncpg

from numdesk.cli.attach import Common, attached, existing_database
from numdesk.cli.doctor.desk import desk_findings
from numdesk.cli.doctor.finding import FAIL, OK, Finding
from numdesk.cli.doctor.machine import machine_findings
from numdesk.cli.outcome import print_result, sentence_of, table
from numdesk.config import Settings
from numdesk.storage.database.migrate import pending_migrations
from numdesk.storage.database.postgres import check_server


def doctor(*, common: Common | None = None) -> int:
    """Check the installation; the exit code is 1 when something must be fixed."""
    common = common or Common()
    settings = common.settings()
    findings = [*machine_findings(settings), *asyncio.run(_with_database(common, settings))]
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
                findings += await desk_findings(desk)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is a finding
        text = sentence_of(error) or f"{type(error).__name__}: {error}"
        findings.append(Finding("database", FAIL, text))
    return findings


async def _migrations(dsn: str) -> Finding:
    connection = await asyncpg.connect(dsn)
    try:
        pending = await pending_migrations(connection)
    finally:
        await connection.close()
    if pending:
        return Finding("migrations", FAIL, f"{len(pending)} are missing: run `numdesk migrate`")
    return Finding("migrations", OK, "the database is up to date")
