"""The adapter against the fake, over real HTTP on loopback: what is made, read back and listed, and
what every failure means."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.gateways import Served, serving_gateway, timeout_s

from numdesk.kit.clock import FakeClock
from numdesk.ports.errors import ProviderError
from numdesk.ports.payments import Intent, Payment, PaymentStatus
from numdesk.ports.simulation import UnknownInvoice, UnknownOutcome
from numdesk.providers.nowpayments import PROVIDER
from numdesk.providers.nowpayments.fake_lies import LIES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def intent(reference: str = "topup-42", amount: str = "450.00", currency: str = "EUR") -> Intent:
    """Returns an honest intent."""
    return Intent(
        reference, Decimal(amount), currency, 3600, "https://desk.example.com/callbacks/nowpayments"
    )


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at noon."""
    return FakeClock(NOON)


@pytest.fixture
async def served(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Served]:
    """The fake under a prefix, as in the sandbox."""
    prefix = "/sandbox/gateways/nowpayments"
    async with serving_gateway(
        PROVIDER, tmp_path, clock=clock, prefix=prefix, timeout_s=timeout_s(request)
    ) as made:
        yield made


@pytest.fixture
async def keyed(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Served]:
    """The same, for an operator who told no e-mail and password."""
    async with serving_gateway(PROVIDER, tmp_path, clock=clock, email="", password="") as made:
        yield made


async def look(served: Served, gateway_id: str, *payment_ids: str) -> list[Payment]:
    """Returns the payments of an invoice, oldest first."""
    found = await served.gateway.look_up(
        invoice_id=gateway_id, reference="topup-42", since=NOON, payment_ids=payment_ids
    )
    return sorted(found, key=lambda payment: payment.payment_id)


class TestCreate:
    """Making an invoice."""

    async def test_makes_an_invoice_that_nobody_has_opened(self, served: Served) -> None:
        """An invoice has our reference, amount and currency and a page to pay on.

        It has no payment until somebody opens it.
        """
        made = await served.gateway.create(intent())
        assert (made.reference, made.amount, made.currency, made.expires_at) == (
            "topup-42",
            Decimal(450),
            "EUR",
            None,
        )
        assert made.payment_url == f"{served.base_url}/pay/?iid={made.gateway_id}"
        assert await look(served, made.gateway_id) == []

    async def test_never_asks_twice_for_one_reference(self, served: Served) -> None:
        """The gateway would make a second invoice, so the second call is not sent, and ends as if
        its answer was lost."""
        await served.gateway.create(intent())
        with pytest.raises(ProviderError) as caught:
            await served.gateway.create(intent())
        assert caught.value.unknown
        assert len(await served.fake.world.invoices("topup-42")) == 1
        assert not served.gateway.repeatable

    @pytest.mark.parametrize(
        ("outcome", "unknown", "made"),
        [
            ("error_400", False, 0),
            ("error_429", False, 0),
            ("error_500", True, 0),
            ("error_500_made", True, 1),
            ("garbage_made", True, 1),
            ("timeout", True, 0),
            ("timeout_made", True, 1),
        ],
    )
    async def test_tells_a_no_from_a_lost_answer(
        self, served: Served, outcome: str, unknown: bool, made: int
    ) -> None:
        """After a lost answer nothing is made again; after a definite no it may be."""
        await served.fake.script([f"create:{outcome}"])
        with pytest.raises(ProviderError) as caught:
            await served.gateway.create(intent())
        assert caught.value.unknown is unknown
        assert len(await served.fake.world.invoices("topup-42")) == made
        if unknown:
            with pytest.raises(ProviderError):
                await served.gateway.create(intent())
        else:
            await served.gateway.create(intent())
        assert len(await served.fake.world.invoices("topup-42")) == (made if unknown else 1)

    async def test_is_refused_with_another_key(self, tmp_path: Path) -> None:
        """A wrong key is ours to fix, and nothing was made."""
        async with serving_gateway(PROVIDER, tmp_path, api_key="another") as wrong:
            with pytest.raises(ProviderError) as caught:
                await wrong.gateway.create(intent())
        assert (caught.value.ours, caught.value.unknown) == (True, False)


class TestFind:
    """Looking for an invoice whose answer was lost."""

    async def test_finds_one_that_somebody_opened(self, served: Served) -> None:
        """A payment names its invoice, and so the page to pay on."""
        await served.fake.script(["create:error_500_made"])
        with pytest.raises(ProviderError):
            await served.gateway.create(intent())
        await served.fake.choose("topup-42")
        (row,) = await served.fake.world.invoices("topup-42")
        found = await served.gateway.find(reference="topup-42", since=NOON)
        assert found is not None
        assert (found.gateway_id, found.payment_url, found.amount) == (
            row["id"],
            row["invoice_url"],
            Decimal(450),
        )

    async def test_finds_none_that_nobody_was_shown(self, served: Served, keyed: Served) -> None:
        """An invoice without a payment is in no list.

        Without the list there is nothing to look in.
        """
        await served.fake.open(reference="topup-42", amount=Decimal(450))
        assert await served.gateway.find(reference="topup-42", since=NOON) is None
        await served.fake.choose("topup-42")
        assert await keyed.gateway.find(reference="topup-42", since=NOON) is None


class TestLookUp:
    """Reading back."""

    @pytest.mark.parametrize(
        ("amount", "currency", "status", "paid"),
        [
            (None, None, PaymentStatus.PAID, "562.5"),
            (None, "BTC", PaymentStatus.PAID, "0.009"),
            ("450", None, PaymentStatus.PAID, "562.5"),
            ("225", "EUR", PaymentStatus.UNDERPAID, "281.25"),
            ("600", "USDT", PaymentStatus.PAID, "600"),
            ("0.00000015", "BTC", PaymentStatus.UNDERPAID, "0.00000015"),
        ],
    )
    async def test_tells_what_came(
        self,
        served: Served,
        amount: str | None,
        currency: str | None,
        status: PaymentStatus,
        paid: str,
    ) -> None:
        """What was paid is read in the payer's coin, to the last digit, however JavaScript writes
        it."""
        made = await served.gateway.create(intent())
        assert (
            await served.fake.pay(
                "topup-42", amount=Decimal(amount) if amount else None, currency=currency
            )
            == 1
        )
        (found,) = await look(served, made.gateway_id)
        assert (found.status, found.paid, found.invoice_id, found.reference) == (
            status,
            Decimal(paid),
            made.gateway_id,
            "topup-42",
        )
        assert (found.amount, found.currency) == (Decimal(450), "EUR")
        assert found.due == (Decimal("0.009") if currency == "BTC" else Decimal("562.5"))

    async def test_tells_what_waits_and_what_is_on_its_way(self, served: Served) -> None:
        """A coin that was chosen waits; money that is seen is not settled."""
        made = await served.gateway.create(intent())
        await served.fake.choose("topup-42")
        assert [payment.status for payment in await look(served, made.gateway_id)] == [
            PaymentStatus.WAITING
        ]
        await served.fake.see("topup-42")
        assert [payment.status for payment in await look(served, made.gateway_id)] == [
            PaymentStatus.SEEN
        ]

    async def test_tells_a_second_deposit_as_one_of_its_own(self, served: Served) -> None:
        """A further transfer to the same address is another payment, whose parent is the first."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42", amount=Decimal(200))
        await served.fake.pay("topup-42", amount=Decimal(250))
        first, second = await look(served, made.gateway_id)
        assert (first.status, first.paid, first.parent_id) == (
            PaymentStatus.UNDERPAID,
            Decimal(250),
            None,
        )
        assert (second.status, second.paid, second.parent_id) == (
            PaymentStatus.PAID,
            Decimal("312.5"),
            first.payment_id,
        )
        assert (second.wrong_asset, second.due) == (False, Decimal("562.5"))

    async def test_tells_another_coin_than_was_chosen(self, served: Served) -> None:
        """Money that came in another coin is marked, finished as the gateway calls it, and what
        would have been due is not known."""
        made = await served.gateway.create(intent())
        await served.fake.choose("topup-42")
        await served.fake.pay("topup-42", currency="BTC", amount=Decimal("0.001"))
        waits, came = await look(served, made.gateway_id)
        assert (waits.status, came.status, came.wrong_asset) == (
            PaymentStatus.WAITING,
            PaymentStatus.PAID,
            True,
        )
        assert (came.due, came.paid, came.settled, came.settled_currency) == (
            None,
            Decimal("0.001"),
            Decimal("0.000995"),
            "BTC",
        )

    async def test_says_what_the_gateway_keeps(self, served: Served) -> None:
        """The commission is told in the invoice's money, and what we get in the coin it comes
        in."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42")
        (payment,) = await look(served, made.gateway_id)
        assert (payment.fee, payment.settled, payment.settled_currency) == (
            Decimal("2.25"),
            Decimal("559.6875"),
            "USDTTRC20",
        )
        assert payment.changed_at == NOON

    async def test_closes_what_waits_too_long_and_takes_it_all_the_same(
        self, served: Served, clock: FakeClock
    ) -> None:
        """Nobody's payment is over after a week; money that comes then still counts."""
        made = await served.gateway.create(intent())
        await served.fake.choose("topup-42")
        clock.advance(7 * 86_400)
        assert [payment.status for payment in await look(served, made.gateway_id)] == [
            PaymentStatus.EXPIRED
        ]
        await served.fake.pay("topup-42")
        assert [payment.status for payment in await look(served, made.gateway_id)] == [
            PaymentStatus.PAID
        ]

    async def test_reads_by_itself_what_the_list_does_not_hold(self, served: Served) -> None:
        """A payment that a callback named is asked for, also when it belongs to another invoice:
        then it says so."""
        made = await served.gateway.create(intent())
        await served.fake.open(reference="other", amount=Decimal(5))
        opened = await served.fake.choose("other")
        (found,) = await look(served, made.gateway_id, str(opened.payment_id))
        assert (found.reference, found.payment_id) == ("other", str(opened.payment_id))

    async def test_needs_ids_without_the_list(self, keyed: Served) -> None:
        """With a key alone only those payments are known whose callbacks came, their parents
        included."""
        made = await keyed.gateway.create(intent())
        await keyed.fake.pay("topup-42", amount=Decimal(200))
        await keyed.fake.pay("topup-42", currency="BTC", amount=Decimal("0.001"))
        first, second = await keyed.fake.payments("topup-42")
        assert await look(keyed, made.gateway_id) == []
        (found,) = await look(keyed, made.gateway_id, str(second["payment_id"]))
        assert (found.parent_id, found.wrong_asset) == (str(first["payment_id"]), True)

    async def test_knows_nothing_of_a_stranger(self, served: Served) -> None:
        """A payment that is not there is none, whatever its id looks like."""
        assert await look(served, "1", "2", "../auth", "a b") == []

    @pytest.mark.parametrize(
        "outcome",
        [
            "list:error_500",
            "list:timeout",
            "list:garbage",
            "auth:error_500",
            "auth:garbage",
            "list:error_400",
        ],
    )
    async def test_fails_rather_than_guesses(self, served: Served, outcome: str) -> None:
        """A gateway that is down says nothing about money."""
        made = await served.gateway.create(intent())
        await served.fake.script([outcome])
        with pytest.raises(ProviderError):
            await look(served, made.gateway_id)

    async def test_gets_a_new_token_when_the_old_one_is_over(
        self, served: Served, clock: FakeClock
    ) -> None:
        """A token lives for five minutes; lists go on afterwards."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42")
        before = await look(served, made.gateway_id)
        clock.advance(301)
        assert await look(served, made.gateway_id) == before

    async def test_gives_up_with_a_wrong_password(self, tmp_path: Path) -> None:
        """A password that is refused is ours to fix, and is not tried for ever."""
        async with serving_gateway(PROVIDER, tmp_path, password="wrong") as served:
            with pytest.raises(ProviderError) as caught:
                await look(served, "1")
        assert caught.value.ours


class TestPayments:
    """The list."""

    async def test_lists_every_page(self, served: Served) -> None:
        """Pages are followed to their end, and nothing is listed twice."""
        for number in range(501):
            await served.fake.open(reference=f"r{number}", amount=Decimal(10))
            await served.fake.choose(f"r{number}")
        found = await served.gateway.payments(since=NOON - DAY, until=NOON + DAY)
        assert {payment.reference for payment in found} == {f"r{number}" for number in range(501)}
        assert len(found) == 501

    async def test_lists_what_changed_later(self, served: Served, clock: FakeClock) -> None:
        """An old payment that is made in the span is part of it; one that did not change is not."""
        for reference in ("old", "older"):
            await served.fake.open(reference=reference, amount=Decimal(10))
            await served.fake.choose(reference)
        clock.advance(5 * 86_400)
        await served.fake.pay("old")
        found = await served.gateway.payments(since=NOON + 4 * DAY, until=NOON + 6 * DAY)
        assert [payment.reference for payment in found] == ["old"]

    async def test_needs_the_account(self, keyed: Served) -> None:
        """Without e-mail and password nothing is listed, and that is no empty list."""
        with pytest.raises(ProviderError) as caught:
            await keyed.gateway.payments(since=NOON, until=NOON + DAY)
        assert caught.value.ours

    @pytest.mark.parametrize("lie", LIES)
    async def test_every_lie_shows(self, served: Served, lie: str) -> None:
        """Each scripted lie changes what the list says, and none what a payment says by itself."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42")
        span = {"since": NOON - DAY / 2, "until": NOON + DAY / 2}
        truth = await served.gateway.payments(**span)
        await served.fake.lie("topup-42", lie, place="list")
        assert await served.gateway.payments(**span) != truth
        await served.fake.lie("topup-42", "missing", place="list")
        assert await look(served, made.gateway_id, truth[0].payment_id) == truth
        await served.fake.lie("topup-42", lie)
        assert await look(served, made.gateway_id, truth[0].payment_id) != truth or lie in (
            "doubled",
            "doubled_as_another",
            "stranger",
        )

    def test_there_are_twenty_lies(self) -> None:
        """Both gateways are lied about in the same twenty ways.

        A list that goes by other times is none of them.
        """
        assert len(LIES.keys() - {"late"}) == 20


class TestDirector:
    """The fake does as it is told, and refuses what it does not understand."""

    async def test_says_everything_as_often_as_told(self, served: Served) -> None:
        """Callbacks are repeated, and sent in any order."""
        await served.gateway.create(intent())
        assert await served.fake.pay("topup-42", times=3) == 3
        served.catcher.caught.clear()
        notices = await served.fake.notices("topup-42")
        assert [notice.document["payment_status"] for notice in notices] == [
            "waiting",
            "confirming",
            "finished",
        ]
        assert await served.fake.tell(notices[::-1], times=2) == 6
        assert [b'"finished"' in body for _, _, body in served.catcher.caught] == [True] * 2 + [
            False
        ] * 4

    async def test_pays_no_more_than_is_due_unless_told(self, served: Served) -> None:
        """Paying what is left completes an invoice; paying nothing more says the same again."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42", amount=Decimal(200))
        await served.fake.pay("topup-42")
        assert [payment.paid for payment in await look(served, made.gateway_id)] == [
            Decimal(250),
            Decimal("312.5"),
        ]
        assert await served.fake.pay("topup-42") == 1
        assert len(await look(served, made.gateway_id)) == 2

    async def test_lies_in_a_callback_and_not_when_asked(self, served: Served) -> None:
        """A callback may claim anything under a right signature; what is read back stays true."""
        made = await served.gateway.create(intent())
        notice = await served.fake.choose("topup-42")
        await served.fake.tell([notice], claims={"payment_status": "finished"})
        ((_, headers, body),) = served.catcher.caught
        hint = served.gateway.read_callback(headers, body)
        assert (hint.reference, hint.invoice_id, hint.payment_id) == (
            "topup-42",
            made.gateway_id,
            str(notice.payment_id),
        )
        assert b"finished" in body
        assert [payment.status for payment in await look(served, made.gateway_id)] == [
            PaymentStatus.WAITING
        ]

    @pytest.mark.parametrize("escapes", [False, True])
    async def test_signs_what_verifies(self, served: Served, escapes: bool) -> None:
        """Small numbers, inner objects, letters and slashes are signed as JavaScript or PHP would
        write them."""
        await served.gateway.create(intent())
        notice = await served.fake.see("topup-42", amount=Decimal("0.00000015"), currency="BTC")
        headers, body = served.fake.written(
            notice, claims={"order_description": "Кошелёк/42 \u2028"}, escapes=escapes
        )
        assert b"1.5e-7" in body
        lowered = {name.lower(): value for name, value in headers.items()}
        assert served.gateway.read_callback(lowered, body).payment_id == str(notice.payment_id)

    async def test_moves_through_any_status(self, served: Served) -> None:
        """A payment goes wherever it is told."""
        made = await served.gateway.create(intent())
        seen = await served.fake.see("topup-42")
        for word, status in (
            ("sending", PaymentStatus.SEEN),
            ("failed", PaymentStatus.FAILED),
            ("refunded", PaymentStatus.REFUNDED),
        ):
            await served.fake.move(seen.payment_id, word)
            assert [payment.status for payment in await look(served, made.gateway_id)] == [status]

    async def test_remembers_across_processes(self, served: Served, tmp_path: Path) -> None:
        """What was made in one process is there for another, and after a crash."""
        made = await served.gateway.create(intent())
        async with serving_gateway(PROVIDER, tmp_path) as other:
            await other.fake.pay("topup-42")
        assert len(await look(served, made.gateway_id)) == 1

    async def test_refuses_what_it_cannot_play(self, served: Served) -> None:
        """A misspelt outcome, lie or invoice is told, and never passes for success."""
        await served.gateway.create(intent())
        with pytest.raises(UnknownOutcome):
            await served.fake.script(["create:explode"])
        with pytest.raises(UnknownOutcome):
            await served.fake.lie("topup-42", "nonsense")
        with pytest.raises(UnknownInvoice):
            await served.fake.pay("nope")
