"""The guard against abuse: review customers whose orders end without a message, refuse the banned
ones."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from numdesk.domain.customers.abuse_guard import judge
from numdesk.domain.customers.callers import Caller
from numdesk.domain.customers.refusals import GuardBanned
from numdesk.domain.errors import Unavailable
from numdesk.runtime import Runtime
from numdesk.storage.customers import guard as rows
from numdesk.storage.database.pool import Tx
from numdesk.usecases.jobs import sweeps


async def review(rt: Runtime, customer_ids: Iterable[int]) -> None:
    """Let the abuse guard look at customers whose orders have just ended without a message.

    What ended them is committed, so an outage now is not a reason to refuse: the guard looks again
    when the next one ends.
    """
    if not rt.settings.rate_limits:
        return

    async def work(tx: Tx, customer_id: int) -> None:
        now = rt.clock.now()
        verdict = judge(await rows.hours(tx, customer_id, now=now), now=now)
        if verdict is not None:
            await rows.set_guard(tx, customer_id, verdict)

    ids = set(customer_ids)
    if not ids:
        return
    with suppress(Unavailable):
        aside = await sweeps.of_sweep(rt, "customers.review")
        failed = {int(one.item) for one in aside}
        for customer_id in sorted(ids | {int(one.item) for one in sweeps.again(rt, aside)}):
            judge_one = partial(
                rt.run, "customers.review", lambda tx, who=customer_id: work(tx, who)
            )
            await sweeps.attempt(
                rt, "customers.review", str(customer_id), judge_one, is_aside=customer_id in failed
            )


def check(rt: Runtime, caller: Caller) -> None:
    """Raises GuardBanned while the abuse guard keeps ordering closed."""
    now = rt.clock.now()
    if caller.guard_until is not None and now < caller.guard_until:
        seconds = max(1, int((caller.guard_until - now).total_seconds()))
        raise GuardBanned(
            until=caller.guard_until, tier=caller.guard_tier or "", retry_after_s=seconds
        )
