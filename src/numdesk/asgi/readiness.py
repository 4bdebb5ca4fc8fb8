"""Readiness: the checks of an installation, and their report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from numdesk.kit.remembered import Remembered
from numdesk.runtime import Runtime
from numdesk.usecases import ledger_check
from numdesk.usecases.desk import installation

#: Time limit for one check of readiness; a slower part counts as not ready.
READY_S = 2.0
#: How long a /readyz result is reused: each one costs a database query.
READY_KEPT_S = 0.5
#: Return the state of one part of the installation, or raise; shown under its name by the
#: operators' /readyz.
Check = Callable[[], Awaitable[object]]


class Report(msgspec.Struct, frozen=True):
    """The state of every part of the installation, and whether it is ready to serve."""

    ready: bool
    checks: dict[str, object]


class Readiness:
    """The readiness checks of an installation."""

    def __init__(self, rt: Runtime, checks: Mapping[str, Check] | None = None) -> None:
        """Check the database, the ledger and the parts in `checks`."""
        self._rt = rt
        self._checks = {
            "database": self._check_database,
            "ledger": self._check_ledger,
            **(checks or {}),
        }
        self._report = Remembered(self._check, keep_s=READY_KEPT_S)

    async def report(self) -> Report:
        """Return the current report, at most READY_KEPT_S old."""
        return await self._report.get()

    async def _check(self) -> Report:
        parts: dict[str, object] = {}
        for name, check in self._checks.items():
            try:
                async with asyncio.timeout(READY_S):
                    parts[name] = await check()
            except Exception as error:  # noqa: BLE001 - whatever it is, this part is not ready
                parts[name] = {"ok": False, "error": type(error).__name__}
        return Report(not any(_is_bad(part) for part in parts.values()), parts)

    async def _check_database(self) -> object:
        """Check that the database accepts writes; a read-only one cannot serve buyers."""
        await installation.check_writes(self._rt)
        return {"ok": True}

    async def _check_ledger(self) -> object:
        """Return the result and age of the last ledger check.

        Without a check yet the desk is ready; with one that is too old it is not.
        """
        report = ledger_check.last_report(self._rt)
        if report is None:
            return {"ok": True, "checked": False}
        age_s = ledger_check.report_age_s(self._rt)
        ok = report.violations == 0 and age_s <= ledger_check.REPORT_AGE_MAX_S
        return {
            "ok": ok,
            "checked": True,
            "violations": report.violations,
            "age_s": round(age_s, 1),
        }


def _is_bad(part: object) -> bool:
    return isinstance(part, Mapping) and part.get("ok") is False
