"""Deliveries that were set aside, because they cannot be taken or their outcome not recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from numdesk.storage.webhooks import deliveries as rows
from numdesk.usecases.jobs import sweeps

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

#: The name under which deliveries are set aside.
SWEEP = "webhooks"
#: How soon a process learns what another set aside: before a lease that was lost with the outcome
#: has run out.
REFRESH_EVERY = timedelta(seconds=10)


class Aside:
    """The deliveries set aside, remembered so that a lease costs no extra query."""

    def __init__(self, rt: Runtime) -> None:
        """Start with nothing known; `refresh` reads."""
        self._rt = rt
        self._again_at: dict[int, datetime] = {}
        self._refresh_at: datetime | None = None

    def waiting(self) -> list[int]:
        """Return the ids of deliveries that are not to be tried yet."""
        now = self._rt.clock.now()
        return [delivery_id for delivery_id, again_at in self._again_at.items() if again_at > now]

    async def refresh(self) -> None:
        """Read, now and then, the deliveries set aside, and forget ended ones."""
        rt, now = self._rt, self._rt.clock.now()
        if self._refresh_at is not None and now < self._refresh_at:
            return
        self._refresh_at = now + REFRESH_EVERY
        await self.read()
        again = sorted(self._again_at.keys() - set(self.waiting()))
        if again:
            await self.forget(await rt.repeat("webhooks.ended", lambda tx: rows.ended(tx, again)))

    async def read(self) -> None:
        """Read the deliveries set aside."""
        self._again_at = {
            int(one.item): one.again_at for one in await sweeps.of_sweep(self._rt, SWEEP)
        }

    async def forget(self, delivery_ids: Iterable[int]) -> None:
        """Forget that these deliveries were set aside."""
        for delivery_id in self._again_at.keys() & set(delivery_ids):
            await sweeps.forget(self._rt, SWEEP, str(delivery_id))
            self._again_at.pop(delivery_id, None)
