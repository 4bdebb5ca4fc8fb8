"""The connection is lost at the commit of an act that moves money: the act finds out what happened,
and happens once."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.races.processes import another, open_desks
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest
from tests.support.lossy import LossyDatabase
from tests.support.money_acts import MONEY, rental
from tests.support.server import TestServer

import numdesk.usecases
from numdesk.domain.errors import OutcomeUnknown, Unavailable
from numdesk.runtime import Runtime
from numdesk.storage.database import pool as pool_module
from numdesk.storage.database.pool import Database


async def _sight(pool: asyncpg.Pool) -> dict[str, Any]:
    """Returns all money, and everything that an act may have made too much of."""
    row = await pool.fetchrow(
        """select (select jsonb_agg(jsonb_build_array(kind, currency, balance, held, credit_limit)
            order by id) from accounts) accounts,
                  (select jsonb_agg(reason order by id)
                    from journals) journals, (select jsonb_agg(state order by ref)
                    from holds) holds,
                  (select jsonb_agg(state order by id) from orders) orders, (select jsonb_agg(state
                    order by id) from rentals) rentals,
                  (select jsonb_agg(ends_at - starts_at order by id) from rental_terms) terms,
                  (select jsonb_agg(state order by id) from topups) topups, (select jsonb_agg(kind
                    order by id) from events) events,
                  (select jsonb_agg(state) from idempotency) keys, (select count(*)
                    from api_keys) api_keys"""
    )
    return dict(row)


def _with(desk: DeskOfTest, database: Database) -> DeskOfTest:
    """Returns the desk as a process on this database has it."""
    rt: Runtime = another(desk.rt, database)
    return DeskOfTest(rt, desk.clock, desk.simulator, desk.pool)


@pytest.mark.parametrize("name", MONEY)
async def test_an_act_whose_commit_is_lost_happens_once(
    server: TestServer, tmp_path: Path, name: str
) -> None:
    """Lost before or after the server committed: the act is answered as if nothing had been lost,
    and is booked once."""
    seen, said = [], []
    for after in (None, False, True):
        folder = tmp_path / str(after)
        await asyncio.to_thread(folder.mkdir)
        async with server.create_database() as url, open_desks(url, folder, processes=1) as (desk,):
            await shop.open_shop(desk)
            act = await MONEY[name](desk)
            lossy = LossyDatabase(
                desk.rt.database, name, after=bool(after), losses=0 if after is None else 1
            )
            said.append(type(await act(_with(desk, lossy))))
            assert lossy.losses == 0, f"{name} stands in this act"
            seen.append(await _sight(desk.pool))
    assert seen[1] == seen[0], "lost before the server committed"
    assert seen[2] == seen[0], "lost after the server committed"
    assert said[1:] == said[:1] * 2


#: Transactions that move no money: what they write is the same when it is written again, or is of
#: no value.
NO_MONEY = frozenset(
    """catalogue.add_providers catalogue.refresh_scores catalogue.set_health catalogue.take_tiers
        clock.advance customers.add_key
    customers.note_used_keys customers.review customers.revoke_key customers.set_option
      customers.set_state inbound.joined
 inbound.part installation.enter installation.keep_sandbox_credentials installation.probe_writes
    jobs.revive ledger.extend ledger.keep_report
    ledger.see limits.exchange orders.create.release orders.look_again orders.resend
      orders.resolve.ask otp_rules.add otp_rules.remove
    payments.begin_opening payments.end_opening payments.fail_unopened payments.heard
      payments.keep_audit
    payments.poll payments.receive
    providers.drop providers.store rates.remove rates.set rentals.country rentals.price
      rentals.receive rentals.spend
    routes.keep services.remove_word services.set_family services.set_word
    stock.load stock.add_named stock.price stock.release_quarantined stock.withdraw sweeps.drop
      sweeps.put
    webhooks.change webhooks.replay
    webhooks.replay_failed""".split()  # noqa: SIM905 - a list of words
)


def test_every_transaction_is_known_to_move_money_or_not() -> None:
    """A new transaction is put into one of the two lists, so that none that moves money goes
    untested."""
    folder = Path(numdesk.usecases.__file__).parent
    written = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    names = set(re.findall(r'\brt\.run[(,]\s*"([a-z_.]+)"', written)) | set(
        re.findall(r'\bSweep\(\s*"([a-z_.]+)",\s*[A-Z]', written)
    )
    assert names - {*MONEY, *NO_MONEY} == set()
    assert {*MONEY, *NO_MONEY} - names - {"orders.create", "inbound.receive"} == set()


async def _waits_for(pool: asyncpg.Pool, event: str) -> None:
    """Returns when a connection of the desk waits for such a thing."""
    while not await pool.fetchval(  # noqa: ASYNC110 - what is waited for happens in the server
        "select count(*) from pg_stat_activity where application_name = 'numdesk' and wait_event "
        "= $1",
        event,
    ):
        await asyncio.sleep(0)


class StrandedDatabase(LossyDatabase):
    """The connection ends in the middle of COMMIT, at which the server still works until a lock of
    the test is released."""

    def __init__(self, database: Database, name: str, pool: asyncpg.Pool) -> None:
        """Choose the transaction, and how to look at the server."""
        super().__init__(database, name, after=True)
        self._look = pool

    async def _commit(self, name: str, connection: Any) -> None:
        if not self._loses(name):
            await Database._commit(self, name, connection)
            return
        sent = asyncio.ensure_future(connection.execute("commit"))
        await _waits_for(self._look, "advisory")
        connection.terminate()
        await sent


SLOW_COMMIT = """
create function wait_at_commit() returns trigger language plpgsql as $$ begin perform
  pg_advisory_xact_lock(7); return null; end $$;
create constraint trigger wait_at_commit after insert
  on rental_charges deferrable initially deferred
  for each row execute function wait_at_commit();
"""


@pytest.mark.timeout(120)
async def test_a_commit_that_is_still_under_way_is_waited_for(rental_desk: DeskOfTest) -> None:
    """The server may commit after the connection was lost: nothing is done again before it has
    said."""
    desk = rental_desk
    caller, rental_id = await rental(desk)
    await desk.pool.execute(SLOW_COMMIT)
    async with desk.pool.acquire() as holder:
        await holder.execute("select pg_advisory_lock(7)")
        stranded = StrandedDatabase(desk.rt.database, "rentals.extend", desk.pool)
        extending = asyncio.ensure_future(shop.extend(_with(desk, stranded), caller, rental_id))
        await _waits_for(desk.pool, "transactionid")
        assert not extending.done()
        await holder.execute("select pg_advisory_unlock(7)")
    assert (await extending).rental.id == rental_id
    assert await desk.pool.fetchval("select count(*) from rental_charges") == 2


@pytest.mark.parametrize(("after", "refusal"), [(True, OutcomeUnknown), (False, OutcomeUnknown)])
async def test_what_cannot_be_found_out_in_time_is_said(
    rental_desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch, after: bool, refusal: type[Exception]
) -> None:
    """Once COMMIT was sent and never answered the outcome is unknown, and the same key gives the
    result later."""
    monkeypatch.setattr(pool_module, "OUTAGE_PATIENCE_S", 0.0)
    desk = rental_desk
    caller, rental_id = await rental(desk)
    lossy = LossyDatabase(desk.rt.database, "rentals.extend", after=after)
    with pytest.raises(refusal):
        await shop.extend(_with(desk, lossy), caller, rental_id, key="k")
    await shop.extend(desk, caller, rental_id, key="k")
    assert await desk.pool.fetchval("select count(*) from rental_charges") == 2


async def test_what_was_not_committed_is_only_unavailable(
    rental_desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost before COMMIT was sent leaves nothing behind: the refusal says no
    more than that."""
    monkeypatch.setattr(pool_module, "OUTAGE_PATIENCE_S", 0.0)

    async def work(tx: Any) -> None:
        await tx.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Unavailable) as refused:
        await rental_desk.rt.run("test", work)
    assert not isinstance(refused.value, OutcomeUnknown)


async def test_a_server_that_gives_up_refuses_plainly(desk: DeskOfTest) -> None:
    """A statement that took too long was rolled back: Unavailable, not a fault."""

    async def work(tx: Any) -> None:
        await tx.execute("set local statement_timeout = 1")
        await tx.execute("select pg_sleep(5)")

    with pytest.raises(Unavailable) as refused:
        await desk.rt.run("test", work)
    assert not isinstance(refused.value, OutcomeUnknown)
