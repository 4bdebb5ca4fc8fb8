"""Rules as rows, and the look for the services of messages, which must find the orders that the
messages are then given to."""

from __future__ import annotations

import asyncpg
from tests.support.desk import PRICE, REMOTE_OFFER, REMOTE_ONLY_OFFER, START, DeskOfTest

from numdesk.storage import otp as rows
from numdesk.storage.inbound import messages as message_rows
from numdesk.storage.inbound.messages import Arrival

WHATSAPP, TELEGRAM, GOOGLE = 3, 4, 5


def arrival(
    to: int | None, *, provider: str = "simulator", ref: str | None = None, name: str = "m1"
) -> Arrival:
    """Returns a message for a number."""
    assert to is not None, "an order without a number gets no message"
    return Arrival(provider, name, to, "Bank", "code 4829", "4829", ref)


async def insert(
    desk: DeskOfTest,
    *,
    service_id: int = WHATSAPP,
    sender: str | None = None,
    pattern: str = r"(\d+)",
) -> int | None:
    """Adds a rule."""
    return await desk.rt.run(
        "t",
        lambda tx: rows.insert(
            tx, service_id=service_id, sender=sender, pattern=pattern, now=START
        ),
    )


class TestRules:
    async def remove(self, desk: DeskOfTest, rule_id: int | None) -> bool:
        """Takes a rule away."""
        assert rule_id is not None, "it was not added"
        return await desk.rt.run("t", lambda tx: rows.remove(tx, rule_id=rule_id, now=START))

    async def test_are_there_once_until_they_are_removed(self, desk: DeskOfTest) -> None:
        """The same rule twice is one; another sender makes another rule.

        A removed one stays as a row and may be added again.
        """
        first, other = await insert(desk), await insert(desk, sender="Bank")
        assert [await insert(desk), await insert(desk, sender="Bank")] == [None, None]
        assert [await self.remove(desk, first) for _ in range(2)] == [True, False]
        again = await insert(desk)
        assert [one.id for one in await desk.rt.run("t", rows.every)] == [other, again]
        kept = await desk.rt.run("t", lambda tx: rows.every(tx, removed=True))
        assert [(one.id, one.service, one.removed_at) for one in kept] == [
            (first, "whatsapp", START),
            (other, "whatsapp", None),
            (again, "whatsapp", None),
        ]

    async def test_are_counted_by_service_and_in_all(self, desk: DeskOfTest) -> None:
        """Removed ones do not count."""
        await insert(desk)
        removed = await insert(desk, service_id=TELEGRAM)
        await insert(desk, service_id=TELEGRAM, sender="T")
        await self.remove(desk, removed)
        assert await desk.rt.run("t", rows.count) == 2
        assert await desk.rt.run("t", lambda tx: rows.count(tx, service_id=TELEGRAM)) == 1

    async def test_raise_the_version_with_each_change(
        self, desk: DeskOfTest, pool: asyncpg.Pool
    ) -> None:
        """Every process that looks at the versions learns of an added and of a removed rule."""
        looks = "select n from versions where name = 'otp_rules'"
        before = await pool.fetchval(looks)
        rule_id = await insert(desk)
        added = await pool.fetchval(looks)
        await self.remove(desk, rule_id)
        assert before < added < await pool.fetchval(looks)


class TestServicesOf:
    async def test_are_those_of_the_orders_that_get_the_messages(
        self, desk: DeskOfTest, pool: asyncpg.Pool
    ) -> None:
        """The look and the taking agree: by number, by provider, by the provider's name of the
        order, and on nobody's messages."""
        caller = await desk.customer()
        ours, theirs, only = (
            await desk.order(caller),
            await desk.order(caller, REMOTE_OFFER),
            await desk.order(caller, REMOTE_ONLY_OFFER),
        )
        await pool.execute("update orders set msisdn = $1 where id = $2", ours.msisdn, theirs.id)
        arrivals = [
            arrival(ours.msisdn, provider="other", name="a"),
            arrival(ours.msisdn, name="b"),
            arrival(only.msisdn, name="c"),
            arrival(only.msisdn, ref=only.provider_ref, name="d"),
            arrival(only.msisdn, ref="another", name="e"),
            arrival(only.msisdn, provider="other", name="f"),
            arrival(4917000001, name="g"),
        ]
        services = await desk.rt.repeat("t", lambda tx: rows.services_of(tx, arrivals, now=START))
        assert services == [WHATSAPP, WHATSAPP, GOOGLE, GOOGLE, None, None, None]
        taken = await desk.rt.repeat(
            "t", lambda tx: message_rows.receive(tx, arrivals, now=START, withhold=True)
        )
        of_order = {ours.id: WHATSAPP, theirs.id: WHATSAPP, only.id: GOOGLE}
        assert [
            of_order[one.order_id or 0] if one.status == "taken" else None for one in taken
        ] == services

    async def test_are_none_when_the_order_is_over(self, desk: DeskOfTest) -> None:
        """An order whose time is up gets no message, whether or not anybody has ended it."""
        order = await desk.order(await desk.customer())
        desk.clock.advance(1200)
        now = desk.clock.now()
        assert await desk.rt.repeat(
            "t", lambda tx: rows.services_of(tx, [arrival(order.msisdn)], now=now)
        ) == [None]
        assert await desk.available(await desk.customer(PRICE)) == PRICE
