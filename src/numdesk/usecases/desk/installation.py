"""The installation itself: in which mode its database has lived, and whether anything of value is
in it yet."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from numdesk.domain.errors import Unavailable
from numdesk.faults import OperatorError
from numdesk.storage.desk import installation as rows
from numdesk.storage.desk import settings

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

#: From this part of a sequence on there is reason to act; beyond the second one it may be late.
SERIALS_WARN = 0.5
SERIALS_FAIL = 0.9
#: Whether the database takes writes is tried out at most this often by a process, however often it
#: is asked.
PROBE_AGE_MAX_S = 1.0

_used = Gauge(
    "numdesk_sequence_used_ratio",
    "How much of a sequence of the database is used, from 0 to 1",
    ["sequence"],
)


class Mode(StrEnum):
    """The mode in which a database has been served."""

    NEVER_SERVED = "never_served"
    SANDBOX = "sandbox"
    PRODUCTION = "production"


class SandboxRefused(OperatorError):
    """The sandbox was asked for on a database that holds, or may hold, real money.

    The text is a sentence for the operator.
    """

    def __init__(self, reason: str) -> None:
        """Say why."""
        super().__init__(
            f"The sandbox is refused on this database ({reason}): "
            "give the sandbox a data folder of its own with --data, or serve this one without "
            "--sandbox."
        )


class MoneyIsMakeBelieve(OperatorError):
    """A sandbox's database was to be served in earnest; the text is a sentence for the operator."""

    def __init__(self) -> None:
        """Say what to do instead."""
        super().__init__(
            "This database is a sandbox's, and its money is make-believe: add --sandbox, or name "
            "a data folder (--data) or database "
            "that no sandbox has used."
        )


async def mode(rt: Runtime) -> Mode:
    """Return how the database has been served so far; once in production, always."""
    found = await rt.repeat("installation.mode", lambda tx: settings.read(tx, name="mode"))
    return Mode(found) if found else Mode.NEVER_SERVED


async def enter(rt: Runtime, *, sandbox: bool) -> bool:
    """Take note that the database is going to be served, and return whether it is new to the
    sandbox and wants seeds.

    Raises SandboxRefused, and MoneyIsMakeBelieve where the sandbox is not asked for and was there
    first.
    """

    async def work(tx: Tx) -> bool:
        found = await settings.read(tx, name="mode")
        _require_mode(found, sandbox=sandbox)
        if not sandbox:
            if found != Mode.PRODUCTION:
                await settings.write(tx, name="mode", value=Mode.PRODUCTION)
            return False
        seeds = await settings.read(tx, name="sandbox.credentials")
        if found is None:
            if not await rows.is_empty(tx):
                raise SandboxRefused("it holds customers, numbers or offers that no sandbox made")
            await settings.write(tx, name="mode", value=Mode.SANDBOX)
        return seeds is None

    return await rt.run("installation.enter", work)


async def require_mode(rt: Runtime, *, sandbox: bool) -> None:
    """Raise SandboxRefused or MoneyIsMakeBelieve when the database has been served the other way.

    Take no note.
    """
    _require_mode(await mode(rt), sandbox=sandbox)


async def keep_sandbox_credentials(
    rt: Runtime, credentials: Mapping[str, tuple[int, str, str | None]]
) -> None:
    """Keep the sandbox customers' ids, tokens and secrets in the clear, so that every start can
    show them, and the data as complete."""

    async def work(tx: Tx) -> None:
        await settings.write(tx, name="sandbox.credentials", value=credentials)

    await rt.run("installation.keep_sandbox_credentials", work)


async def sandbox_credentials(rt: Runtime) -> dict[str, tuple[int, str, str | None]]:
    """Return the sandbox customers' ids, tokens and secrets (None where nothing is signed) by
    dialect."""
    found = await rt.repeat(
        "installation.sandbox_credentials", lambda tx: settings.read(tx, name="sandbox.credentials")
    )
    return {
        slug: (customer_id, token, secret)
        for slug, (customer_id, token, secret) in (found or {}).items()
    }


async def customers(rt: Runtime) -> list[rows.CustomerLine]:
    """Return the customers by id."""
    return await rt.repeat("installation.customers", rows.customers)


async def serials(rt: Runtime) -> list[rows.Serial]:
    """Return how much of every sequence is used, the most used first.

    The metrics show it from then on.
    """
    found = await rt.repeat("installation.serials", rows.serials)
    for one in found:
        _used.labels(one.name).set(one.used)
    return found


async def check_writes(rt: Runtime) -> None:
    """Try out whether the database takes writes. Raises Unavailable when it does not."""

    async def probe() -> bool:
        try:
            await rt.run("installation.probe_writes", rows.probe_writes)
        except Unavailable:
            return False
        return True

    if not await rt.memory.get("installation.writes", probe, age_max_s=PROBE_AGE_MAX_S):
        raise Unavailable


async def condition(rt: Runtime) -> rows.Condition:
    """Return the state of the database and of the work that waits in it."""
    return await rt.repeat("installation.condition", rows.condition)


def _require_mode(found: str | None, *, sandbox: bool) -> None:
    """Once served with or without the sandbox, a database is only ever served so."""
    if sandbox and found == Mode.PRODUCTION:
        raise SandboxRefused("it has been served without --sandbox before")
    if not sandbox and found == Mode.SANDBOX:
        raise MoneyIsMakeBelieve
