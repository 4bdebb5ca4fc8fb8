"""Rules of the operator: added and refused, heard of by every process, and what they change for
orders and rentals."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

import asyncpg
import pytest
import structlog
from prometheus_client import REGISTRY
from tests.races.processes import open_desks
from tests.support import rentals as shop
from tests.support.desk import REMOTE_ONLY_OFFER, DeskOfTest

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.domain.otp.rules import Trial
from numdesk.ports.inbound import MessageReceived, Part
from numdesk.ports.suppliers import Reserved, Wanted
from numdesk.usecases import otp
from numdesk.usecases.desk import versions
from numdesk.usecases.inbound import receive
from numdesk.usecases.orders import lifecycle

TEXT = "Order 77123 is on its way. Your code is 482913"
RULE = r"Order (\d{5})"


async def code_of(desk: DeskOfTest, text: str = TEXT) -> str | None:
    """Lets a message arrive for a new WhatsApp order and returns the code that the customer is
    shown."""
    caller = await desk.customer()
    order = await desk.order(caller)
    await desk.message(order.msisdn, text)
    return (await lifecycle.read(desk.rt, caller, order.id)).otp_code


def counted(rule_id: int, result: str) -> float:
    """Returns what the metric says of a rule."""
    return (
        REGISTRY.get_sample_value(
            "numdesk_otp_rules_total", {"rule": str(rule_id), "result": result}
        )
        or 0.0
    )


class TestAdd:
    @pytest.mark.parametrize(
        ("field", "service", "pattern", "sender"),
        [
            ("pattern", "whatsapp", "(", None),
            ("pattern", "whatsapp", r"\d{6}", None),
            ("pattern", "whatsapp", "(\0)", None),
            ("sender", "whatsapp", RULE, " "),
            ("sender", "whatsapp", RULE, "x" * 65),
            ("sender", "whatsapp", RULE, "\udcff"),
            ("service", "no-such-service", RULE, None),
            ("service", "\0", RULE, None),
            ("service", "", RULE, None),
        ],
    )
    async def test_refuses_by_field(
        self, desk: DeskOfTest, field: str, service: str, pattern: str, sender: str | None
    ) -> None:
        """What cannot be a rule is refused, and nothing is written."""
        with pytest.raises(InvalidInput) as refused:
            await otp.add(desk.rt, service=service, pattern=pattern, sender=sender)
        assert refused.value.field == field
        assert await otp.every(desk.rt, removed=True) == []

    async def test_refuses_the_same_and_too_many(
        self, desk: DeskOfTest, pool: asyncpg.Pool
    ) -> None:
        """A rule is there once; a service has a bounded number of them, and so has the desk."""
        await otp.add(desk.rt, service="whatsapp", pattern=RULE)
        with pytest.raises(InvalidInput) as again:
            await otp.add(desk.rt, service=" WhatsApp ", pattern=RULE)
        assert again.value.reason == "is there already"
        insert = (
            "insert into otp_rules (service_id, pattern, created_at)"
            " select $1, '(' || i || ')', now() from generate_series(1, $2::int) i"
        )
        await pool.execute(insert, 3, otp.PER_SERVICE_MAX - 1)
        with pytest.raises(InvalidInput) as full:
            await otp.add(desk.rt, service="whatsapp", pattern="(more)")
        assert full.value.field == "service"
        await pool.execute(insert, 4, otp.RULES_MAX - otp.PER_SERVICE_MAX)
        with pytest.raises(InvalidInput) as fuller:
            await otp.add(desk.rt, service="google", pattern=RULE)
        assert fuller.value.field == "rule"

    async def test_meets_a_service_that_was_never_sold(self, desk: DeskOfTest) -> None:
        """What the atlas knows may have rules before it has prices."""
        await otp.add(desk.rt, service="discord", pattern=RULE, sender=" Discord ")
        assert [(one.service, one.sender) for one in await otp.every(desk.rt)] == [
            ("discord", "Discord")
        ]


class TestRemove:
    async def test_refuses_what_is_not_there(self, desk: DeskOfTest) -> None:
        """An id of no rule, of a removed one, or that no column holds."""
        rule_id = await otp.add(desk.rt, service="whatsapp", pattern=RULE)
        await otp.remove(desk.rt, rule_id)
        for unknown in (rule_id, rule_id + 1, 0, 2**31, -(2**70)):
            with pytest.raises(NotFound):
                await otp.remove(desk.rt, unknown)


class TestOrders:
    async def test_are_read_by_the_rules_of_their_service(self, desk: DeskOfTest) -> None:
        """A rule changes the answer from the next message on, and its removal changes it back.

        Other services are left alone.
        """
        assert await code_of(desk) == "482913"
        other = await otp.add(desk.rt, service="telegram", pattern=RULE)
        assert await code_of(desk) == "482913"
        rule_id = await otp.add(desk.rt, service="whatsapp", pattern=RULE)
        before = counted(rule_id, "found"), counted(other, "found")
        assert await code_of(desk) == "77123"
        assert (counted(rule_id, "found"), counted(other, "found")) == (before[0] + 1, before[1])
        await otp.remove(desk.rt, rule_id)
        assert await code_of(desk) == "482913"

    async def test_prefer_rules_to_every_form_that_leaves_no_doubt(self, desk: DeskOfTest) -> None:
        """A rule goes before the origin-bound line, too."""
        text = "Order 77123\n@example.com #482913"
        assert await code_of(desk, text) == "482913"
        await otp.add(desk.rt, service="whatsapp", pattern=RULE)
        assert await code_of(desk, text) == "77123"

    async def test_prefer_rules_for_the_sender(self, desk: DeskOfTest) -> None:
        """Of two rules that match, the one for the sender decides, though it is newer."""
        await otp.add(desk.rt, service="whatsapp", pattern=r"(\d{6})")
        await otp.add(desk.rt, service="whatsapp", pattern=RULE, sender="Bank*")
        assert await code_of(desk) == "482913"
        await otp.add(desk.rt, service="whatsapp", pattern=RULE, sender="INF*")
        assert await code_of(desk) == "77123"

    async def test_fall_back_on_the_extractor(self, desk: DeskOfTest) -> None:
        """What a rule finds that is no code is counted, logged once without a word of the message,
        and passed over."""
        rule_id = await otp.add(desk.rt, service="whatsapp", pattern=r"(is on its way. Your)")
        before = counted(rule_id, "implausible")
        with structlog.testing.capture_logs() as logs:
            assert [await code_of(desk), await code_of(desk)] == ["482913", "482913"]
        assert counted(rule_id, "implausible") == before + 2
        told = [entry for entry in logs if entry["event"] == "a rule gave no code"]
        assert told == [
            {
                "event": "a rule gave no code",
                "log_level": "warning",
                "rule": f"operator:{rule_id}",
                "reason": Trial.IMPLAUSIBLE.value,
            }
        ]

    async def test_survive_a_rule_that_cannot_be_compiled(
        self, desk: DeskOfTest, pool: asyncpg.Pool
    ) -> None:
        """A pattern that another version took is left out and told of; the other rules count."""
        await otp.add(desk.rt, service="whatsapp", pattern=RULE)
        await pool.execute(
            "insert into otp_rules (service_id, pattern, created_at) values (3, '(?=x)(y)', now())"
        )
        desk.rt.memory.forget("otp_rules")
        with structlog.testing.capture_logs() as logs:
            assert await code_of(desk) == "77123"
        assert {
            "event": "a rule is left out",
            "log_level": "warning",
            "rule_id": ANY,
            "reason": ANY,
        } in logs

    async def test_are_read_whole_when_they_come_in_parts(self, desk: DeskOfTest) -> None:
        """A rule sees the joined message."""
        await otp.add(desk.rt, service="whatsapp", pattern=r"Order (\d{5})\.")
        caller = await desk.customer()
        order = await desk.order(caller)
        for position, text in ((1, "code 482913, Order 77"), (2, "123.")):
            part = Part(7, 2, position)
            await receive.receive_message(
                desk.rt,
                MessageReceived(
                    "simulator", f"p{position}", order.msisdn or 0, "Bank", text, part=part
                ),
            )
        assert (await lifecycle.read(desk.rt, caller, order.id)).otp_code == "77123"

    async def test_have_rules_for_messages_that_came_before_the_number(
        self, desk: DeskOfTest
    ) -> None:
        """A message that is quicker than the supplier's answer is read by the rules of the order
        that it turns out to be for."""
        await otp.add(desk.rt, service="google", pattern=RULE)
        reserve = desk.simulator.reserve

        async def slow(wanted: Wanted) -> Reserved:
            reserved = await reserve(wanted)
            desk.clock.advance(1)
            assert (await desk.message(reserved.msisdn, TEXT)).status == "orphan"
            return reserved

        desk.simulator.reserve = slow
        order = await desk.order(await desk.customer(), REMOTE_ONLY_OFFER)
        assert order.otp_code == "77123"

    async def test_without_rules_cost_no_query_more(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once it is remembered that there are none, a message is one statement.

        With rules it is two, for a whole batch.
        """
        names: list[str] = []
        repeat = desk.rt.database.repeat

        async def noting(name: str, work: object, **how: bool) -> object:
            names.append(name)
            return await repeat(name, work, **how)  # pyright: ignore[reportArgumentType]

        caller = await desk.customer()
        order = await desk.order(caller)
        await desk.message(order.msisdn)
        monkeypatch.setattr(desk.rt.database, "repeat", noting)
        await desk.message(order.msisdn)
        assert [name for name in names if not name.startswith("news")] == ["inbound.receive"]
        await otp.add(desk.rt, service="telegram", pattern=RULE)
        await desk.message(order.msisdn)
        names.clear()
        await desk.message(order.msisdn)
        assert [name for name in names if not name.startswith("news")] == [
            "otp_rules.services",
            "inbound.receive",
        ]


class TestRentals:
    async def codes(self, desk: DeskOfTest) -> list[str | None]:
        """Returns the codes that were kept with messages, newest last."""
        return [
            row[0] for row in await desk.pool.fetch("select otp_code from messages order by id")
        ]

    async def test_are_read_by_the_rules_of_the_message_s_service(self, desk: DeskOfTest) -> None:
        """Of a rental for several services those of the one that the message is of count, and all
        when that cannot be told."""
        await shop.open_shop(desk)
        rented = await shop.rent(desk, await shop.renter(desk), services=("google", "whatsapp"))
        to = rented.rental.msisdn
        await shop.message(desk, to, TEXT, sender="Google")
        google = await otp.add(desk.rt, service="google", pattern=RULE)
        await otp.add(desk.rt, service="telegram", pattern=r"(way)")
        await shop.message(desk, to, TEXT, sender="Google")
        await shop.message(desk, to, TEXT, sender="WhatsApp")
        await shop.message(desk, to, TEXT, sender="+34999")
        await otp.remove(desk.rt, google)
        await shop.message(desk, to, TEXT, sender="Google")
        assert await self.codes(desk) == ["482913", "77123", "482913", "77123", "482913"]


class TestProcesses:
    async def test_hear_of_each_other_s_rules(self, database_url: str, tmp_path: Path) -> None:
        """A rule that one process adds or removes counts in another after its next look at the
        versions."""
        async with open_desks(database_url, tmp_path, processes=2) as (here, there):
            assert await code_of(there) == "482913"
            await versions.look(there.rt)
            rule_id = await otp.add(here.rt, service="whatsapp", pattern=RULE)
            await versions.look(there.rt)
            there._messages += 100
            assert await code_of(there) == "77123"
            await otp.remove(here.rt, rule_id)
            await versions.look(there.rt)
            assert await code_of(there) == "482913"


class TestReadFor:
    async def test_tries_what_stands_in_the_database(self, desk: DeskOfTest) -> None:
        """An operator who tries a text sees what became of each rule, also one of a moment ago."""
        await otp.known(desk.rt)
        rule_id = await otp.add(desk.rt, service="whatsapp", pattern=RULE, sender="Bank")
        reading = await otp.read_for(desk.rt, TEXT, sender="bank", service="whatsapp")
        assert reading.found is not None
        assert reading.found.rule == f"operator:{rule_id}"
        other = await otp.read_for(desk.rt, TEXT, sender="x", service="whatsapp")
        assert [trial for _, trial in other.trials] == [Trial.OTHER_SENDER]
        with pytest.raises(InvalidInput):
            await otp.read_for(desk.rt, TEXT, sender="", service="nonsense")

    async def test_writes_nothing(self, desk: DeskOfTest, pool: asyncpg.Pool) -> None:
        """A service that was never sold has no rules, and is not met by a look."""
        assert (await otp.read_for(desk.rt, TEXT, sender="", service="Discord")).trials == ()
        assert not await pool.fetchval(
            "select exists (select from services where code = 'discord')"
        )
