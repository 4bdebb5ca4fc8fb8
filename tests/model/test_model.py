"""The desk on a real database against the reference: whatever is done in whatever order, both come
to the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.model.reference import LOCAL, LOCAL_TWO, OPEN, REMOTE, Answer, Order, Reference
from tests.races.processes import open_desks
from tests.support.desk import PRICE, REMOTE_PRICE, DeskOfTest
from tests.support.ledger import assert_clean
from tests.support.server import TestServer

from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import Refusal
from numdesk.domain.fx import PriceCap
from numdesk.domain.orders.lifecycle import State
from numdesk.domain.orders.outcomes import Document
from numdesk.usecases.orders import ending, from_suppliers, lifecycle, purchases, reactivation

CUSTOMERS, NUMBERS = 2, 8
#: Picks from here on are strangers: somebody else's order, nobody's number.
STRANGE = 56
#: From here on the order may be in any state.
UNLIKELY = 40
#: Acts are upon one of so many latest orders.
RECENT = 8
DAY_S = 86_400
people = st.integers(0, CUSTOMERS - 1)
picks = st.integers(0, 60)
keys = st.one_of(st.none(), st.sampled_from(["a", "b", "c"]))
fingerprints = st.sampled_from([b"same", b"same", b"same", b"other"])


class Bench:
    """The desk that all runs share, its event loop, and how many runs there were."""

    def __init__(self, loop: asyncio.AbstractEventLoop, desk: DeskOfTest) -> None:
        self.loop, self.desk, self.runs, self.strangers = loop, desk, 0, 0

    def do(self, work: Awaitable[Any]) -> Any:
        """Awaits in the shared loop."""
        return self.loop.run_until_complete(work)

    def answer(self, work: Awaitable[Any]) -> Any:
        """Awaits; returns the refusal's name instead of raising it."""
        try:
            return self.do(work)
        except Refusal as refusal:
            return type(refusal).__name__


@pytest.fixture(scope="module")
def bench(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One database and one loop for every run of this module: a run brings customers and numbers of
    its own."""
    folder: Path = tmp_path_factory.mktemp("model")
    with asyncio.Runner() as runner:
        loop, stack = runner.get_loop(), AsyncExitStack()

        async def opened() -> DeskOfTest:
            url = await stack.enter_async_context(server.create_database())
            return (await stack.enter_async_context(open_desks(url, folder, processes=1)))[0]

        desk = runner.run(opened())
        yield Bench(loop, desk)
        runner.run(stack.aclose())


class DeskMachine(RuleBasedStateMachine):
    """Does each act at the desk and in the reference, and compares."""

    bench: ClassVar[Bench]

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.do, self.answer = self.bench.desk, self.bench.do, self.bench.answer
        self.callers: list[Caller] = []

    @initialize(
        credit=st.lists(
            st.sampled_from([2 * PRICE + 1, 200_000, 1_000_000]),
            min_size=CUSTOMERS,
            max_size=CUSTOMERS,
        )
    )
    def begin(self, credit: list[int]) -> None:
        """Fresh customers, fresh numbers, the usual prices."""
        self.bench.runs += 1
        first = 62_000_000_000 + self.bench.runs * 1000
        msisdns = range(first, first + NUMBERS)
        prices = {LOCAL: PRICE, LOCAL_TWO: PRICE, REMOTE: REMOTE_PRICE}
        self.ref = Reference(prices, msisdns)
        self.ref.now = self.desk.clock.monotonic()
        for offer, price in prices.items():
            self._reprice(offer, price)
        self.do(self._shelve(list(msisdns)))
        self.callers = [self.do(self.desk.customer(units)) for units in credit]
        self.ref.wallets = {
            caller.customer_id: units for caller, units in zip(self.callers, credit, strict=True)
        }
        self.since = self.do(self.desk.pool.fetchval("select coalesce(max(id), 0) from entries"))

    @rule(
        who=people,
        offer=st.sampled_from([LOCAL, LOCAL, LOCAL_TWO]),
        quantity=st.integers(1, 3),
        key=keys,
        fingerprint=fingerprints,
    )
    def buy_local(
        self, who: int, offer: int, quantity: int, key: str | None, fingerprint: bytes
    ) -> None:
        """From our own stock, by offer."""
        self._buy(who, [offer], quantity, key, fingerprint)

    @rule(who=people, quantity=st.integers(1, 3), key=keys, fingerprint=fingerprints)
    def buy_routed(self, who: int, quantity: int, key: str | None, fingerprint: bytes) -> None:
        """The cheapest of our stock and the supplier."""
        self._buy(who, [LOCAL, REMOTE], quantity, key, fingerprint)

    @rule(
        who=people,
        key=keys,
        fingerprint=fingerprints,
        word=st.sampled_from(["ok", "ok", "no_numbers", "late_ok", "timeout", "unknown"]),
    )
    def buy_remote(self, who: int, key: str | None, fingerprint: bytes, word: str) -> None:
        """From the supplier, which does as the word says."""
        self._buy(who, [REMOTE], 1, key, fingerprint, word)

    @rule(pick=picks, message=st.sampled_from(["new", "new", "new", "m1", "m2"]))
    def message(self, pick: int, message: str) -> None:
        """For any number that was ever rented, or for nobody's; new or told before."""
        rented = [order for order in reversed(self.ref.orders.values()) if order.msisdn]
        owned = (pick < UNLIKELY and [order for order in rented if order.state in OPEN]) or rented
        msisdn = owned[pick % len(owned)].msisdn if owned and pick < STRANGE else 4917000001
        self.bench.strangers += 1
        message_id = f"{self.bench.runs}/{message if message != 'new' else self.bench.strangers}"
        taken = self.do(self.desk.message(msisdn, message_id=message_id))
        status, order_id = self.ref.receive(msisdn or 0, message_id)
        assert taken.status == status
        assert status == "seen" or taken.order_id == order_id

    @rule(who=people, pick=picks)
    def cancel(self, who: int, pick: int) -> None:
        """Any order, mostly by its owner."""
        for order_id, caller in self._choose(who, pick, State.ACTIVE):
            answer = self.answer(ending.cancel(self.desk.rt, caller, order_id, show=None))
            refusal = self.ref.cancel(caller.customer_id, order_id)
            assert (answer if refusal else answer.balance.units) == (
                refusal or self.ref.available(caller.customer_id)
            )

    @rule(who=people, pick=picks)
    def finish(self, who: int, pick: int) -> None:
        """Any order; a supplier hears of it."""
        for order_id, caller in self._choose(who, pick, State.RECEIVED, State.RESENT):
            answer = self.answer(ending.finish(self.desk.rt, caller, order_id))
            refusal = self.ref.finish(caller.customer_id, order_id)
            assert (answer if refusal else answer.state) == (refusal or State.COMPLETED)
            self._release_at_supplier([order_id])

    @rule(who=people, pick=picks)
    def resend(self, who: int, pick: int) -> None:
        """One more message for any order."""
        for order_id, caller in self._choose(who, pick, State.RECEIVED, State.RESENT):
            answer = self.answer(lifecycle.resend(self.desk.rt, caller, order_id))
            refusal = self.ref.resend(caller.customer_id, order_id)
            assert (answer if refusal else answer.resent) == (refusal or True)

    @rule(
        who=people,
        pick=picks,
        key=keys,
        fingerprint=fingerprints,
        cheap=st.booleans(),
        word=st.sampled_from(["ok", "ok", "no_numbers", "late_ok"]),
    )
    def reactivate(
        self, who: int, pick: int, key: str | None, fingerprint: bytes, cheap: bool, word: str
    ) -> None:
        """The same number once more, sometimes with a bound below its price."""
        for order_id, caller in self._choose(who, pick, State.COMPLETED):
            parent, customer = self.ref.orders[order_id], caller.customer_id
            cap = (
                PriceCap(units=self.ref.prices[parent.offer] - 1)
                if cheap and self.ref.prices[parent.offer]
                else None
            )
            wanted = self.ref.known(customer, "again", key, fingerprint)
            if wanted is None:
                wanted = self.ref.reactivate(customer, order_id, word)
                if cap and wanted.refusal not in ("NotFound", "StateForbids"):
                    wanted = Answer("PriceAboveCap")
            self._hear(prices=True)
            request = reactivation.ReactivateRequest(key, fingerprint, order_id, cap, None)
            answer = self._with_word(word, reactivation.reactivate(self.desk.rt, caller, request))
            self._agree(customer, "again", key, fingerprint, wanted, answer, take=self.ref.retaken)

    @rule(seconds=st.sampled_from([1, 29, 30, 114, 115]))
    def tick(self, seconds: int) -> None:
        """A little time passes, to the edge of a window."""
        self.desk.clock.advance(seconds)
        self.ref.now += seconds

    @rule(
        seconds=st.sampled_from([0, 600, 1199, 1200, 1800, 90 * DAY_S]),
        expire=st.booleans(),
        release=st.booleans(),
    )
    def advance(self, seconds: int, expire: bool, release: bool) -> None:
        """Time passes; the workers may be late."""
        self.desk.clock.advance(seconds)
        self.ref.now += seconds
        if expire:
            due = self.ref.expire()
            assert self.do(ending.expire_due(self.desk.rt)) == len(due)
            self._release_at_supplier(due)
        if release:
            assert self.do(ending.release_quarantined(self.desk.rt)) == self.ref.release()

    @rule(
        offer=st.sampled_from([LOCAL, LOCAL_TWO]),
        price=st.sampled_from([0, 1000, PRICE, 20_000]),
        forget=st.booleans(),
    )
    def change_price(self, offer: int, price: int, forget: bool) -> None:
        """Staff changes a price; the process may not have heard of it yet."""
        self.ref.prices[offer] = price
        self._reprice(offer, price, forget=forget)

    @rule()
    def resolve(self) -> None:
        """The job asks the supplier what became of calls without an answer."""
        self.do(self._resolve_all())
        for order_id, order in self.ref.orders.items():
            if order.state is State.PENDING:
                order.state, order.created = State.ACTIVE, self.ref.now
                order.msisdn = self.do(
                    self.desk.pool.fetchval("select msisdn from orders where id = $1", order_id)
                )
        self.ref.keys = {
            name: (bound, self._bought_under(name[2], name[0]) if outcome is None else outcome)
            for name, (bound, outcome) in self.ref.keys.items()
        }

    @invariant()
    def agrees(self) -> None:
        """Wallets, orders and numbers are what the reference says; no number has two open orders.

        Entries sum to zero.
        """
        if self.callers:
            self.do(self._compare())

    def teardown(self) -> None:
        """Everything ends, and the whole ledger is proved."""
        if self.callers:
            self.resolve()
            self.advance(1200, expire=True, release=True)
            self.agrees()
            assert all(self.ref.held(caller.customer_id) == 0 for caller in self.callers)
            self.do(assert_clean(self.desk.rt))

    def _buy(
        self,
        who: int,
        offers: list[int],
        quantity: int,
        key: str | None,
        fingerprint: bytes,
        word: str = "ok",
    ) -> None:
        caller = self.callers[who]
        fingerprint += str((offers, quantity)).encode()
        wanted = self.ref.known(caller.customer_id, "create", key, fingerprint) or self.ref.buy(
            caller.customer_id, offers, quantity, word
        )
        self._hear(prices=len(offers) > 1)
        offer = None if len(offers) > 1 else offers[0]
        buying = self.desk.buy(
            caller,
            offer,
            catalogue_id=None if offer else 1,
            quantity=quantity,
            key=key,
            fingerprint=fingerprint,
        )
        answer = self._with_word(word, buying)
        self._agree(
            caller.customer_id, "create", key, fingerprint, wanted, answer, take=self.ref.sold
        )
        if (
            wanted.refusal == "RequestInProgress"
            and (caller.customer_id, "create", key) not in self.ref.keys
        ):
            serial = self.do(self.desk.pool.fetchval("select max(id) from orders where state = 0"))
            self.ref.orders[serial] = Order(
                caller.customer_id,
                REMOTE,
                self.ref.prices[REMOTE],
                None,
                self.ref.now,
                State.PENDING,
            )
            if key is not None:
                self.ref.keys[caller.customer_id, "create", key] = (fingerprint, None)

    def _agree(
        self,
        customer: int,
        space: str,
        key: str | None,
        fingerprint: bytes,
        wanted: Answer,
        answer: purchases.Outcome | str,
        *,
        take: Callable[[int, Order], None],
    ) -> None:
        """Compares the outcome of a request and notes in the reference what it made."""
        outcome: tuple[int, ...] | str | None = None
        if isinstance(answer, str) or wanted.refusal:
            assert answer == wanted.refusal
            outcome = "SupplierFailed" if answer == "SupplierFailed" else None
        elif wanted.replay is not None:
            assert (answer.replayed, tuple(o.id for o in answer.document.orders)) == (
                True,
                wanted.replay,
            )
            return
        else:
            document: Document = answer.document
            assert (answer.replayed, document.failed) == (False, wanted.failed)
            assert sorted((o.offer, o.price) for o in document.orders) == sorted(wanted.bought)
            for made in document.orders:
                take(made.id, Order(customer, made.offer, made.price, made.msisdn, self.ref.now))
            outcome = tuple(o.id for o in document.orders)
        if key is not None and outcome is not None and (customer, space, key) not in self.ref.keys:
            self.ref.keys[customer, space, key] = (fingerprint, outcome)

    def _choose(self, who: int, pick: int, *likely: State) -> list[tuple[int, Caller]]:
        """Returns an order, mostly in a likely state, and who acts on it: its owner, or now and
        then somebody else."""
        wanted = (
            [i for i, o in self.ref.orders.items() if o.state in likely] if pick < UNLIKELY else []
        )
        among = wanted or sorted(self.ref.orders)
        if not among:
            return []
        order_id = among[-1 - pick % min(len(among), RECENT)]
        owner = next(c for c in self.callers if c.customer_id == self.ref.orders[order_id].customer)
        return [(order_id, self.callers[who] if pick >= STRANGE else owner)]

    def _hear(self, *, prices: bool) -> None:
        """Lets the process hear of the stock, and of prices where a choice or a reactivation goes
        by those it remembers."""
        for name in ("catalogue",) if prices else ("catalogue.stock", "catalogue.moment"):
            self.desk.rt.memory.forget(name)

    def _with_word(self, word: str, work: Awaitable[Any]) -> Any:
        """Lets the supplier do as the word says if it is called.

        "unknown" is an answer that is lost and cannot be asked for.
        """
        if word == "ok":
            return self.answer(work)
        self.do(
            self.desk.simulator.script(
                [
                    f"{method}:late_ok" if word == "unknown" else f"{method}:{word}"
                    for method in ("reserve", "reactivate")
                ]
            )
        )
        with mock.patch.object(from_suppliers, "QUESTIONS_MAX", 0 if word == "unknown" else 3):
            answer = self.answer(work)
        self.do(self.desk.simulator._world._file.run(lambda db: db.execute("delete from script")))
        return answer

    def _release_at_supplier(self, order_ids: list[int]) -> None:
        for order_id in order_ids:
            self.do(ending.release_at_supplier(self.desk.rt, {"order": order_id}))

    def _reprice(self, offer: int, price: int, *, forget: bool = True) -> None:
        self.do(
            self.desk.pool.execute(
                "update offer_prices set price = $2 where offer_id = $1 and price <> $2",
                offer,
                price,
            )
        )
        if forget:
            self.desk.rt.memory.forget("catalogue")

    def _bought_under(self, key: str, customer: int) -> tuple[int, ...]:
        row = self.do(
            self.desk.pool.fetchval(
                "select outcome::text from idempotency where customer_id = $1 and namespace = 0 "
                "and key = $2",
                customer,
                key,
            )
        )
        return tuple(made["id"] for made in json.loads(row)["orders"])

    async def _shelve(self, msisdns: list[int]) -> None:
        """Replaces the stock, and drops what earlier runs left in the queue."""
        pool = self.desk.pool
        await pool.execute("delete from jobs")
        await pool.execute("delete from number_uses")
        await pool.execute("delete from numbers")
        await pool.execute(
            "insert into numbers (msisdn, country_id, rnd) select m, 6, m % 1000 from "
            "unnest($1::bigint[]) m",
            msisdns,
        )

    async def _resolve_all(self) -> None:
        await self.desk.resolve_by_jobs()
        await self.desk.pool.execute("delete from jobs where kind = 'orders.resolve'")

    async def _compare(self) -> None:
        ref, who = self.ref, [caller.customer_id for caller in self.callers]
        async with self.desk.pool.acquire() as connection:
            wallets = await connection.fetch(
                "select owner, balance, held from accounts where owner = any($1)", who
            )
            rows = await connection.fetch(
                "select id, state, sms_revision, msisdn from orders where customer_id = any($1)",
                who,
            )
            numbers = await connection.fetch("select msisdn, state, order_id from numbers")
            total = await connection.fetchval(
                "select coalesce(sum(amount), 0) from entries where id > $1", self.since
            )
        assert {row[0]: (row[1], row[2]) for row in wallets} == {
            c: (ref.wallets[c], ref.held(c)) for c in who
        }
        made = {row[0]: (State(row[1]), row[2]) for row in rows if row[1] != State.FAILED}
        assert made == {i: (o.state, o.revision) for i, o in ref.orders.items()}
        held = {
            m: (2 if n.free_at is not None else int(n.order is not None), n.order)
            for m, n in ref.numbers.items()
        }
        assert {row[0]: (row[1], row[2]) for row in numbers} == held
        in_use = [row[3] for row in rows if State(row[1]) in OPEN]
        assert len(in_use) == len(set(in_use)), "a number has two open orders"
        assert total == 0


def _run(bench: Bench, runs: int) -> None:
    machine = type("Machine", (DeskMachine,), {"bench": bench})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            print_blob=True,
        ),
    )


@pytest.mark.timeout(600)
def test_desk_and_reference_agree(bench: Bench) -> None:
    """After 100 random histories of 50 acts every wallet, order, number and key is what the
    reference says."""
    _run(bench, 100)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_desk_and_reference_agree_for_long(bench: Bench) -> None:
    """The same for 2,000 histories."""
    _run(bench, 2_000)
