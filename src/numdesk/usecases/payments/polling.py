"""Ask gateways about top-ups of which no callback came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from numdesk.domain.errors import (
    Refusal,
)
from numdesk.kit.log import get_logger
from numdesk.ports.errors import ProviderError
from numdesk.storage.payments import polls as poll_rows
from numdesk.storage.payments import topups as rows
from numdesk.usecases.desk.provider_calls import each
from numdesk.usecases.jobs import sweeps
from numdesk.usecases.payments.settlement import settle

if TYPE_CHECKING:
    from numdesk.runtime import Runtime


_log = get_logger(__name__, "provider", "topup_id")
#: When a top-up that nobody calls back about is asked about: after so long, and then each hour.
POLL_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60))
#: Late payments are watched for so long after the invoice's end; the nightly comparison finds what
#: comes later still.
WATCHED = timedelta(days=30)
POLL_BATCH = 100
#: Questions to one gateway under way at a time.
POLL_PARALLEL = 8


async def poll_due(rt: Runtime, *, provider: str) -> int:
    """Ask a gateway about its top-ups that are due to be asked about; return how many."""
    polling = poll_rows.Round(provider, rt.clock.now(), POLL_DELAYS, WATCHED)
    due, put_off = (
        partial(poll_rows.due_to_poll, polling=polling),
        partial(poll_rows.put_off, polling=polling),
    )
    work = sweeps.Sweep("payments.poll", POLL_BATCH, due, put_off, int)
    aside = [int(one.item) for one in sweeps.again(rt, await sweeps.of_sweep(rt, work.name))]
    again = (
        await rt.repeat(
            "payments.of_gateway",
            lambda tx: rows.of_gateway(tx, provider=provider, topup_ids=aside),
        )
        if aside
        else []
    )
    taken = await sweeps.once(rt, work)
    gate = asyncio.Semaphore(POLL_PARALLEL)

    async def ask(topup_id: int) -> None:
        try:
            await settle(rt, topup_id)
        except (ProviderError, Refusal) as error:
            # The next look is written down already.
            _log.warning(
                "a top-up could not be asked about",
                provider=provider,
                topup_id=topup_id,
                reason=str(error),
            )

    async def ask_again(topup_id: int) -> None:
        await sweeps.only(rt, work, [topup_id])
        await ask(topup_id)

    async def poll(topup_id: int, ask: Callable[[int], Awaitable[None]]) -> None:
        async with gate:
            await sweeps.attempt(
                rt, work.name, str(topup_id), partial(ask, topup_id), is_aside=ask is ask_again
            )

    await each(
        [
            *(poll(topup_id, ask) for topup_id in taken),
            *(poll(topup_id, ask_again) for topup_id in again),
        ]
    )
    return len(taken) + len(again)
