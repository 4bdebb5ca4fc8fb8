"""Buying: from our own stock, from suppliers, with keys, bounds and failures."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.support.desk import (
    NUMBERS,
    PRICE,
    REMOTE_OFFER,
    REMOTE_ONLY_OFFER,
    REMOTE_PRICE,
    DeskOfTest,
)

from numdesk.domain.customers.callers import Caller
from numdesk.domain.customers.refusals import GuardBanned
from numdesk.domain.errors import KeyReused, NotFound, RequestInProgress, WalletShort
from numdesk.domain.fx import PriceCap
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.orders.refusals import SupplierFailed
from numdesk.domain.stock.refusals import NoOffer
from numdesk.domain.stock.routing import Policy, Wish
from numdesk.storage.customers import callers as rows
from numdesk.usecases.customers import guard
from numdesk.usecases.orders import ending


class TestBuyFromStock:
    """One command sells our own numbers."""

    async def test_holds_the_price_and_gives_a_number(self, desk: DeskOfTest) -> None:
        """A bought order is active, has a number, and its price is reserved in the wallet."""
        caller = await desk.customer()
        order = await desk.order(caller)
        assert order.state is State.ACTIVE
        assert order.msisdn is not None
        assert await desk.available(caller) == 1_000_000 - PRICE

    async def test_sells_each_number_once(self, desk: DeskOfTest) -> None:
        """The last numbers go to exactly as many buyers as there are numbers."""
        callers = [await desk.customer() for _ in range(5)]
        answers = await asyncio.gather(
            *(desk.buy(callers[n % 5]) for n in range(NUMBERS * 3)), return_exceptions=True
        )
        sold = [a.document.orders[0].msisdn for a in answers if not isinstance(a, BaseException)]
        assert len(sold) == len(set(sold)) == NUMBERS
        assert all(isinstance(a, NoOffer) for a in answers if isinstance(a, BaseException))

    async def test_never_spends_more_than_the_wallet_holds(self, desk: DeskOfTest) -> None:
        """Parallel orders from one wallet succeed exactly as often as it can pay."""
        caller = await desk.customer(PRICE * 7 + 1)
        answers = await asyncio.gather(
            *(desk.buy(caller) for _ in range(15)), return_exceptions=True
        )
        assert sum(not isinstance(a, BaseException) for a in answers) == 7
        assert {type(a) for a in answers if isinstance(a, BaseException)} == {WalletShort}
        assert await desk.available(caller) == 1

    async def test_buys_what_there_is_of_a_larger_quantity(self, desk: DeskOfTest) -> None:
        """Partial success charges only for the numbers that were had."""
        caller = await desk.customer()
        outcome = await desk.buy(caller, quantity=NUMBERS + 5)
        assert (len(outcome.document.orders), outcome.document.failed) == (NUMBERS, 5)
        assert await desk.available(caller) == 1_000_000 - NUMBERS * PRICE

    async def test_refuses_a_quantity_that_cannot_be_paid(self, desk: DeskOfTest) -> None:
        """The whole quantity is checked up front, so a short wallet buys nothing."""
        caller = await desk.customer(PRICE * 3)
        with pytest.raises(WalletShort):
            await desk.buy(caller, quantity=4)
        assert await desk.available(caller) == PRICE * 3

    async def test_a_refused_item_leaves_money_and_numbers_to_the_next(
        self, desk: DeskOfTest
    ) -> None:
        """Within one batch an item that is too dear does not spoil a smaller one of the same
        wallet."""
        caller = await desk.customer(PRICE * 2)
        dear, cheap = await asyncio.gather(
            desk.buy(caller, quantity=3), desk.buy(caller, quantity=2), return_exceptions=True
        )
        assert isinstance(dear, WalletShort)
        assert not isinstance(cheap, BaseException)

    async def test_says_when_there_is_no_such_offer(self, desk: DeskOfTest) -> None:
        """An unknown offer or product is not found, which differs from one without stock."""
        caller = await desk.customer()
        with pytest.raises(NotFound):
            await desk.buy(caller, 999)
        with pytest.raises(NotFound):
            await desk.buy(caller, catalogue_id=999)

    async def test_does_not_sell_a_number_again_for_the_service_it_was_used_for(
        self, desk: DeskOfTest
    ) -> None:
        """Once used for a service a number rests for that service, and after quarantine serves
        others."""
        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn)
        await ending.finish(desk.rt, caller, order.id)
        desk.clock.advance(3600)
        assert await ending.release_quarantined(desk.rt) == 1
        desk.rt.memory.forget("catalogue")
        again = await desk.buy(caller, quantity=NUMBERS)
        assert order.msisdn not in {o.msisdn for o in again.document.orders}
        other = await desk.buy(await desk.customer(), 2)
        assert other.document.orders[0].msisdn == order.msisdn

    async def test_follows_a_price_that_changed_since_it_was_ranked(self, desk: DeskOfTest) -> None:
        """The price charged is the one in the database, never a remembered one."""
        caller = await desk.customer()
        await desk.buy(caller)
        await desk.pool.execute("update offer_prices set price = 20000 where offer_id = 1")
        outcome = await desk.buy(caller)
        assert outcome.document.orders[0].price == 20000


class TestKeys:
    """The idempotency machine."""

    async def test_replays_the_first_answer(self, desk: DeskOfTest) -> None:
        """The same key and request is one order, however often it is sent."""
        caller = await desk.customer()
        first = await desk.buy(caller, key="k")
        answers = await asyncio.gather(*(desk.buy(caller, key="k") for _ in range(40)))
        assert {a.document for a in answers} == {first.document}
        assert all(a.replayed for a in answers)
        assert await desk.available(caller) == 1_000_000 - PRICE

    async def test_parallel_first_requests_are_one_order(self, desk: DeskOfTest) -> None:
        """Many parallel requests under a fresh key make one order."""
        caller = await desk.customer()
        answers = await asyncio.gather(*(desk.buy(caller, key="k") for _ in range(50)))
        assert len({a.document.orders[0].id for a in answers}) == 1
        assert sum(not a.replayed for a in answers) == 1

    async def test_refuses_another_request_under_the_same_key(self, desk: DeskOfTest) -> None:
        """A key is bound to the request that used it first."""
        caller = await desk.customer()
        await desk.buy(caller, key="k")
        with pytest.raises(KeyReused):
            await desk.buy(caller, key="k", fingerprint=b"other")

    async def test_is_free_again_after_a_refusal_without_effect(self, desk: DeskOfTest) -> None:
        """A short wallet leaves the key unbound, also for another request."""
        caller = await desk.customer(PRICE - 1)
        with pytest.raises(WalletShort):
            await desk.buy(caller, key="k")
        other = await desk.customer()
        assert not (await desk.buy(other, key="k")).replayed
        with pytest.raises(WalletShort):
            await desk.buy(caller, key="k", fingerprint=b"other")

    async def test_a_replay_comes_before_any_other_check(self, desk: DeskOfTest) -> None:
        """A recorded answer is repeated although the offer is gone and the customer banned by
        now."""
        caller = await desk.customer()
        first = await desk.buy(caller, key="k")
        await desk.pool.execute("update offers set active = false")
        desk.rt.memory.forget("catalogue")
        assert (await desk.buy(caller, key="k")).document == first.document
        with pytest.raises(NoOffer):
            await desk.buy(caller, key="new")


class TestBuyFromSuppliers:
    """Two steps with a supplier between them."""

    async def test_buys_and_books_the_cost(self, desk: DeskOfTest) -> None:
        """A supplier's number is sold at our price and its cost is owed when the first message
        comes."""
        caller = await desk.customer()
        order = await desk.order(caller, REMOTE_OFFER)
        assert (order.state, order.price, order.provider) == (
            State.ACTIVE,
            REMOTE_PRICE,
            "simulator",
        )
        await desk.message(order.msisdn)
        owed = await desk.pool.fetchval(
            "select sum(e.amount) from entries e join accounts a on a.id = e.account_id where "
            "a.kind = 'payable'"
        )
        assert owed == order.cost > 0

    async def test_fails_over_to_the_next_offer(self, desk: DeskOfTest) -> None:
        """When our own stock is sold out the next candidate is asked."""
        caller = await desk.customer()
        await desk.buy(caller, quantity=NUMBERS)
        outcome = await desk.buy(caller, catalogue_id=1)
        assert outcome.document.orders[0].price == REMOTE_PRICE

    async def test_fills_a_quantity_from_several_sources(self, desk: DeskOfTest) -> None:
        """Each number is an attempt of its own: what our stock lacks the supplier gives."""
        caller = await desk.customer(10_000_000)
        outcome = await desk.buy(caller, catalogue_id=1, quantity=NUMBERS + 3)
        assert outcome.document.failed == 0
        assert sorted({o.price for o in outcome.document.orders}) == [PRICE, REMOTE_PRICE]

    async def test_a_failure_that_reached_the_supplier_is_recorded(self, desk: DeskOfTest) -> None:
        """The same key repeats the supplier's refusal; the money is whole again."""
        caller = await desk.customer()
        await desk.simulator.script(["no_numbers"])
        for _ in range(2):
            with pytest.raises(SupplierFailed) as caught:
                await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
            assert caught.value.attempts == [(REMOTE_ONLY_OFFER, "simulator", "no_numbers")]
        assert await desk.available(caller) == 1_000_000
        assert not (await desk.buy(caller, REMOTE_ONLY_OFFER, key="k2")).replayed

    async def test_finds_what_a_lost_answer_bought(self, desk: DeskOfTest) -> None:
        """A call that timed out after the work was done is found by asking, and nothing is bought
        twice."""
        caller = await desk.customer()
        await desk.simulator.script(["late_ok"])
        outcome = await desk.buy(caller, REMOTE_ONLY_OFFER)
        assert len(outcome.document.orders) == 1
        assert await desk.available(caller) == 1_000_000 - REMOTE_PRICE

    async def test_a_timeout_without_effect_is_a_failure(self, desk: DeskOfTest) -> None:
        """A call that timed out before the work was done charges nothing."""
        caller = await desk.customer()
        await desk.simulator.script(["timeout"])
        with pytest.raises(SupplierFailed):
            await desk.buy(caller, REMOTE_ONLY_OFFER)
        assert await desk.available(caller) == 1_000_000

    async def test_an_unknown_outcome_keeps_the_key_until_the_job_knows(
        self, desk: DeskOfTest
    ) -> None:
        """While the supplier cannot say, the request stays in progress with its hold.

        The job then settles it.
        """
        caller = await desk.customer()
        await desk.simulator.script(["late_ok"])
        desk.deafen()
        with pytest.raises(RequestInProgress):
            await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
        assert await desk.available(caller) == 1_000_000 - REMOTE_PRICE
        with pytest.raises(RequestInProgress):
            await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
        desk.hear()
        await desk.resolve_by_jobs()
        outcome = await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
        assert outcome.replayed
        assert len(outcome.document.orders) == 1
        await desk.resolve_by_jobs()
        assert await desk.available(caller) == 1_000_000 - REMOTE_PRICE

    async def test_a_crash_before_the_call_frees_the_key(self, desk: DeskOfTest) -> None:
        """A pending order whose supplier never heard of it gives the money back and leaves the key
        free."""
        caller = await desk.customer()
        await desk.simulator.script(["timeout"])
        desk.deafen()
        with pytest.raises(RequestInProgress):
            await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")
        desk.hear()
        await desk.resolve_by_jobs()
        assert await desk.available(caller) == 1_000_000
        assert not (await desk.buy(caller, REMOTE_ONLY_OFFER, key="k")).replayed


class TestRoute:
    """Offers are chosen by the wish, and the choice is kept."""

    @pytest.mark.parametrize(("cap", "refused"), [(PRICE, False), (PRICE - 1, True)])
    async def test_keeps_the_price_bound(
        self, desk: DeskOfTest, cap: int, *, refused: bool
    ) -> None:
        """An offer above the bound is no candidate."""
        caller = await desk.customer()
        wish = Wish(max_price=PriceCap(units=cap))
        if refused:
            with pytest.raises(NoOffer) as caught:
                await desk.buy(caller, catalogue_id=1, wish=wish)
            assert caught.value.details["max_price"] == cap
        else:
            assert (await desk.buy(caller, catalogue_id=1, wish=wish)).document.orders[
                0
            ].price == PRICE

    async def test_prefers_a_provider_under_best_success(self, desk: DeskOfTest) -> None:
        """The preferred provider stands first although it is dearer."""
        caller = await desk.customer()
        outcome = await desk.buy(
            caller,
            catalogue_id=1,
            wish=Wish(policy=Policy.BEST_SUCCESS, prefer_provider="simulator"),
        )
        assert outcome.document.orders[0].price == REMOTE_PRICE

    async def test_explains_the_choice(self, desk: DeskOfTest) -> None:
        """Every routed order leads to the offers that were looked at."""
        caller = await desk.customer()
        outcome = await desk.buy(caller, catalogue_id=1)
        document = await desk.pool.fetchval(
            "select d.document::text from routing_decisions d join orders o on o.decision_id = "
            "d.id where o.id = $1",
            outcome.document.orders[0].id,
        )
        assert '"candidates": [1, 3]' in document


class TestGuard:
    """The abuse guard closes ordering and nothing else."""

    async def test_bans_after_many_orders_without_a_message(self, desk: DeskOfTest) -> None:
        """A hundred endings without a message close ordering for the tier's time, then it is open
        again."""
        caller = await desk.customer()
        await desk.pool.execute(
            "insert into customer_hours values ($1, $2, 0, 60, 45)",
            caller.customer_id,
            desk.clock.now(),
        )
        await guard.review(desk.rt, [caller.customer_id])
        desk.rt.memory.forget("customers")
        banned = await _again(desk, caller)
        with pytest.raises(GuardBanned) as caught:
            await desk.buy(banned)
        assert caught.value.tier == "SOFT"
        desk.clock.advance(15 * 60 + 1)
        await desk.buy(banned)


async def _again(desk: DeskOfTest, caller: Caller) -> Caller:
    """Returns the caller as the database knows it now."""
    hashed = await desk.pool.fetchval(
        "select hash from api_keys where customer_id = $1", caller.customer_id
    )
    async with desk.rt.transaction("test") as tx:
        return (await rows.callers(tx, [hashed]))[hashed]


async def test_a_wallet_in_other_hands_holds_up_nobody_else(desk: DeskOfTest) -> None:
    """While a transaction works on one wallet, the purchases of other customers go on, and its own
    follows."""
    held, free = await desk.customer(), await desk.customer()
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from accounts where id = $1 for update", held.wallet_id)
        waiting = asyncio.create_task(desk.buy(held))
        assert (await asyncio.wait_for(desk.buy(free), 60)).document.orders
        assert not waiting.done()
    assert (await asyncio.wait_for(waiting, 60)).document.orders


async def test_what_customers_ask_for_does_not_grow_the_explanations(desk: DeskOfTest) -> None:
    """Free text and bounds of a customer make no new routing decision."""
    caller = await desk.customer()
    for n in range(5):
        await desk.buy(
            caller,
            catalogue_id=1,
            wish=Wish(prefer_provider=f"p{n}", max_price=PriceCap(units=PRICE + n)),
        )
    assert await desk.pool.fetchval("select count(*) from routing_decisions") == 1


async def test_a_decision_that_is_still_made_is_noted_once_a_day(desk: DeskOfTest) -> None:
    """What is in use never grows old, and is not written with every order."""
    caller = await desk.customer()
    first = desk.clock.now()
    noted = []
    for _ in range(3):
        await desk.buy(caller, catalogue_id=1)
        noted.append(await desk.pool.fetchval("select used_at from routing_decisions"))
        desk.clock.advance(13 * 3600)
    assert noted == [first, first, first + timedelta(hours=26)]
