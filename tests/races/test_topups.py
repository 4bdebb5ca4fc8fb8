"""A process dies before or after any step of a top-up, or many are told of one payment at once: the
same money in the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from tests.races.processes import another, open_desks
from tests.support.gateway import PROVIDER, GatewayInMemory, Till, callback_of, open_till
from tests.support.ledger import assert_clean
from tests.support.mortal import Died, Life, MortalDatabase, MortalUpstream
from tests.support.server import TestServer

from numdesk.domain.errors import RequestInProgress
from numdesk.domain.payments.gateway_payments import PaymentStatus
from numdesk.domain.payments.refusals import GatewayUnavailable
from numdesk.ports.payments import PaymentGateway
from numdesk.runtime import Runtime
from numdesk.usecases.payments import callbacks, settlement, topups
from numdesk.usecases.payments.topups import TopUpRequest
from numdesk.workers import runner

REQUEST = TopUpRequest("key", b"same", PROVIDER, 50_000)


@dataclass
class Story:
    """A top-up from the wish to the refund, as far as a process comes with it."""

    till: Till
    money: PaymentStatus

    async def live(self, rt: Runtime) -> None:
        """Orders, pays, is called back, settles, polls."""
        topup, _ = await topups.create_topup(rt, self.till.caller, REQUEST)
        if not self.till.gateway.truth:  # a customer pays once, however often they ask for the page
            self.till.gateway.pay(topup, PaymentStatus.PAID)
        await callbacks.receive(rt, PROVIDER, *callback_of(topup))
        await self._work(rt)
        if self.money is PaymentStatus.REFUNDED:
            self.till.gateway.pay(topup, PaymentStatus.REFUNDED)
            await callbacks.receive(rt, PROVIDER, *callback_of(topup, number=1))
            await self._work(rt)

    async def _work(self, rt: Runtime) -> None:
        """Does the waiting jobs by hand, so that each of their steps is one of this process."""
        for row in await self.till.desk.pool.fetch(
            "select id, (payload->>'callback')::int from jobs where kind = 'payments.hear' order "
            "by id"
        ):
            await callbacks.settle_called(rt, {"callback": row[1]})
            await self.till.desk.pool.execute("delete from jobs where id = $1", row[0])

    async def finish(self, rt: Runtime) -> None:
        """What happens after a restart: the customer repeats their request, time passes, the
        workers work."""
        for _ in range(3):
            with suppress(RequestInProgress, GatewayUnavailable):
                await self.live(rt)
                break
            self.till.desk.clock.advance(120)
        for _ in range(2):
            self.till.desk.clock.advance(4_000)
            await runner.run_due(rt)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("money", [PaymentStatus.PAID, PaymentStatus.REFUNDED])
async def test_ends_alike_wherever_the_process_dies(
    server: TestServer, tmp_path: Path, money: PaymentStatus
) -> None:
    """Death before and after each transaction and each call to the gateway: one invoice, one
    credit, or none after a refund."""
    end = 50_000 if money is PaymentStatus.PAID else 0
    life = Life()
    await _run(server, tmp_path / "whole", money, life, end=end)
    assert life.taken >= 9
    for death in life.deaths():
        await _run(server, tmp_path / str(death), money, death, end=end)


async def _run(
    server: TestServer, folder: Path, money: PaymentStatus, life: Life, *, end: int
) -> None:
    """Lets a process live its life and another one finish.

    Fails unless the wallet then holds `end`.
    """
    await asyncio.to_thread(folder.mkdir)
    async with server.create_database() as url, open_desks(url, folder, processes=1) as (desk,):
        story = Story(await open_till(desk), money)
        mortal = another(desk.rt, MortalDatabase(desk.rt.database, life))
        mortal.payments = {
            PROVIDER: cast("PaymentGateway", MortalUpstream(story.till.gateway, life))
        }
        with suppress(Died):
            await life.lead(story.live(mortal))
        survivor = another(desk.rt, desk.rt.database)
        await story.finish(survivor)
        assert await story.till.balance() == end, life
        assert len(story.till.gateway.invoices) == 1
        assert await desk.pool.fetchval("select count(*) from topups") == 1
        await assert_clean(survivor)


@pytest.mark.timeout(400)
async def test_a_thousand_copies_of_a_callback_credit_once(
    server: TestServer, tmp_path: Path
) -> None:
    """A thousand copies at once at two processes, a hundred more at a third that has just begun:
    one credit."""
    async with server.create_database() as url, open_desks(url, tmp_path, processes=3) as desks:
        till = await open_till(desks[0], GatewayInMemory())
        for desk in desks[1:]:
            desk.rt.payments = desks[0].rt.payments
        topup = await till.order()
        till.gateway.pay(topup)
        working = [asyncio.ensure_future(runner.run_due(desk.rt)) for desk in desks[:2]]
        await asyncio.gather(
            *(
                callbacks.receive(desks[n % 2].rt, PROVIDER, *callback_of(topup))
                for n in range(1_000)
            )
        )
        await asyncio.gather(*working, *(runner.run_due(desk.rt) for desk in desks[:2]))
        assert await till.balance() == 50_000
        await asyncio.gather(
            *(callbacks.receive(desks[2].rt, PROVIDER, *callback_of(topup)) for _ in range(100))
        )
        await asyncio.gather(*(settlement.settle(desk.rt, topup.id) for desk in desks * 5))
        assert await till.balance() == 50_000
        assert await till.desk.pool.fetchval("select count(*) from payment_inbox") == 1
