"""Deleting what nobody needs any longer."""

from __future__ import annotations

from datetime import timedelta

from tests.support.desk import DeskOfTest

from numdesk.usecases import retention


async def test_forgets_keys_that_are_too_old_to_be_replayed(desk: DeskOfTest) -> None:
    """A recorded key goes after eight days, in batches; a younger one and one still in progress stay."""
    caller = await desk.customer()
    now = desk.clock.now()
    old, young = now - retention.KEYS_KEPT - timedelta(seconds=1), now - timedelta(days=7)
    await desk.pool.execute(
        """insert into idempotency (customer_id, namespace, key, fingerprint, state, outcome, created_at)
           select $1::int, 0, 'old' || n, ''::bytea, 2, '{}'::jsonb, $2::timestamptz from generate_series(1, 2500) n
           union all select $1, 0, 'young', '', 2, '{}', $3::timestamptz
           union all select $1, 0, 'open', '', 1, null, $2""",
        caller.customer_id,
        old,
        young,
    )
    assert await retention.forget_keys(desk.rt) == 2500
    left = [row[0] for row in await desk.pool.fetch("select key from idempotency order by key")]
    assert left == ["open", "young"]
