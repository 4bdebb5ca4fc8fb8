"""Records outcomes of deliveries, all that end while one batch is being written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from numdesk.domain.errors import Unavailable
from numdesk.kit.log import get_logger
from numdesk.storage.webhooks import deliveries as rows
from numdesk.storage.webhooks.deliveries import Outcome
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.webhooks.aside import SWEEP, Aside

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: Outcomes recorded by one command.
RECORD_MAX = 1024
#: How long outcomes gather before they are recorded, while others are still on their way.
GATHER_S = 0.01

_log = get_logger(__name__, "customer_id")


class Recorder:
    """The outcomes of one process that are not recorded yet."""

    def __init__(
        self, rt: Runtime, aside: Aside, *, is_busy: Callable[[], bool], on_idle: Callable[[], None]
    ) -> None:
        """Start with none. `is_busy` says whether more will end soon; `on_idle` hears of an end."""
        self._rt = rt
        self._aside = aside
        self._is_busy = is_busy
        self._on_idle = on_idle
        self._ended: list[Outcome] = []
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Return how many outcomes wait."""
        return len(self._ended)

    def is_idle(self) -> bool:
        """Return whether everything is recorded."""
        return self._task is None

    def add(self, outcome: Outcome) -> None:
        """See an outcome recorded with the next batch."""
        self._ended.append(outcome)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._record())

    async def _record(self) -> None:
        """Record until nothing is left."""
        while self._ended:
            if self._is_busy():
                await asyncio.sleep(GATHER_S)
            batch, self._ended = self._ended[:RECORD_MAX], self._ended[RECORD_MAX:]
            await self._write(batch)
        self._task = None
        self._on_idle()

    async def _write(self, outcomes: list[Outcome]) -> None:
        """Record outcomes; set aside one that cannot be recorded, or it would be sent forever.

        In an outage the leases run out, and the deliveries are sent again.
        """
        try:
            await self._write_in_parts(outcomes)
        except Exception as error:  # noqa: BLE001 - a lost batch must not stop the next one
            _log.warning(
                "webhook outcomes not recorded", error=type(error).__name__, count=len(outcomes)
            )

    async def _write_in_parts(self, outcomes: list[Outcome]) -> None:
        try:
            await self._write_batch(outcomes)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - one bad outcome must not spoil the others
            await sweeps.apart(
                self._rt,
                SWEEP,
                outcomes,
                self._write_batch,
                text=lambda outcome: str(outcome.delivery_id),
            )
            await self._aside.read()

    async def _write_batch(self, outcomes: Sequence[Outcome]) -> list[None]:
        """Record outcomes in one command."""
        rt = self._rt
        for off in await rt.repeat(
            "webhooks.record", lambda tx: rows.record(tx, now=rt.clock.now(), outcomes=outcomes)
        ):
            _log.warning(
                "webhook endpoint switched off",
                customer_id=off["customer_id"],
                reason=off["reason"],
            )
        await self._aside.forget(outcome.delivery_id for outcome in outcomes)
        return []
