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
from numdesk.ports.payments import Intent, PaymentStatus
from numdesk.ports.simulation import UnknownInvoice, UnknownOutcome
from numdesk.providers.cryptomus import PROVIDER
from numdesk.providers.cryptomus.fake_lies import LIES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def intent(reference: str = "topup-42", amount: str = "450.00", currency: str = "EUR") -> Intent:
    """Returns an honest intent."""
    return Intent(
        reference, Decimal(amount), currency, 3600, "https://desk.example.com/callbacks/cryptomus"
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
    prefix = "/sandbox/gateways/cryptomus"
    async with serving_gateway(
        PROVIDER, tmp_path, clock=clock, prefix=prefix, timeout_s=timeout_s(request)
    ) as made:
        yield made


async def look(
    served: Served, gateway_id: str
) -> tuple[PaymentStatus, Decimal | None, Decimal | None]:
    """Returns status, due and paid of an invoice's one payment."""
    (payment,) = await served.gateway.look_up(
        invoice_id=gateway_id, reference="topup-42", since=NOON
    )
    return payment.status, payment.due, payment.paid


class TestCreate:
    """Making an invoice."""

    async def test_makes_an_invoice_that_waits(self, served: Served) -> None:
        """An invoice has our reference, amount and currency, a page to pay on and an end, and no
        money yet."""
        made = await served.gateway.create(intent())
        assert (made.reference, made.amount, made.currency) == ("topup-42", Decimal(450), "EUR")
        assert made.payment_url == f"{served.base_url}/pay/{made.gateway_id}"
        assert made.expires_at == NOON + timedelta(hours=1)
        assert await look(served, made.gateway_id) == (PaymentStatus.WAITING, None, None)

    async def test_makes_one_invoice_per_reference(self, served: Served) -> None:
        """Asked again, the gateway answers with the invoice it has."""
        assert await served.gateway.create(intent()) == await served.gateway.create(
            intent(amount="450")
        )

    @pytest.mark.parametrize("other", [intent(amount="45"), intent(currency="USD")])
    async def test_refuses_an_invoice_over_something_else(
        self, served: Served, other: Intent
    ) -> None:
        """The gateway ignores a new amount for a known order id, so the answer is compared with
        what was asked."""
        await served.gateway.create(intent())
        with pytest.raises(ProviderError) as caught:
            await served.gateway.create(other)
        assert caught.value.ours
        assert not caught.value.unknown

    @pytest.mark.parametrize(
        ("outcome", "unknown", "made"),
        [
            ("error_422", False, False),
            ("error_422_made", False, True),
            ("error_429", False, False),
            ("error_500", True, False),
            ("error_500_made", True, True),
            ("garbage_made", True, True),
            ("timeout", True, False),
            ("timeout_made", True, True),
        ],
    )
    async def test_tells_a_no_from_a_lost_answer(
        self, served: Served, outcome: str, unknown: bool, made: bool
    ) -> None:
        """After every failure `find` says whether the invoice is there, and making it again gives
        that one."""
        await served.fake.script([f"create:{outcome}"])
        with pytest.raises(ProviderError) as caught:
            await served.gateway.create(intent())
        assert caught.value.unknown is unknown
        found = await served.gateway.find(reference="topup-42", since=NOON)
        assert (found is not None) is made
        assert found in (None, await served.gateway.create(intent()))

    async def test_is_refused_with_another_key(self, tmp_path: Path) -> None:
        """A wrong key is ours to fix, and nothing was made."""
        async with serving_gateway(PROVIDER, tmp_path, payment_key="another") as wrong:
            with pytest.raises(ProviderError) as caught:
                await wrong.gateway.create(intent())
        assert (caught.value.ours, caught.value.unknown) == (True, False)


class TestLookUp:
    """Reading back."""

    @pytest.mark.parametrize(
        ("amount", "currency", "status", "paid"),
        [
            (None, None, PaymentStatus.PAID, "562.5"),
            (None, "BTC", PaymentStatus.PAID, "0.009"),
            ("450", None, PaymentStatus.PAID, "562.5"),
            ("225", "EUR", PaymentStatus.WAITING, "281.25"),
            ("600", "USDT", PaymentStatus.PAID, "600"),
            ("0.00001234", "USDT", PaymentStatus.WAITING, "0.00001234"),
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
        """What was paid is read in the payer's coin, to the last digit.

        Too little is no payment yet.
        """
        made = await served.gateway.create(intent())
        assert (
            await served.fake.pay(
                "topup-42", amount=Decimal(amount) if amount else None, currency=currency
            )
            == 1
        )
        found, due, came = await look(served, made.gateway_id)
        assert (found, came) == (status, Decimal(paid))
        assert due == (Decimal("0.009") if currency == "BTC" else Decimal("562.5"))

    async def test_adds_up_what_comes_in_parts(self, served: Served) -> None:
        """An invoice may be paid in parts; its one payment grows."""
        made = await served.gateway.create(intent())
        await served.fake.pay(made.gateway_id, amount=Decimal(200))
        await served.fake.pay(made.gateway_id)
        assert await look(served, made.gateway_id) == (
            PaymentStatus.PAID,
            Decimal("562.5"),
            Decimal("562.5"),
        )

    async def test_tells_money_that_is_not_settled(self, served: Served) -> None:
        """Money on its way is seen, and no more."""
        made = await served.gateway.create(intent())
        await served.fake.see("topup-42")
        assert (await look(served, made.gateway_id))[0] is PaymentStatus.SEEN

    async def test_closes_what_waits_too_long(self, served: Served, clock: FakeClock) -> None:
        """After its time an invoice is over: without money expired, with too little underpaid.

        Money may still come.
        """
        empty, part = (
            await served.gateway.create(intent()),
            await served.gateway.create(intent("topup-43")),
        )
        await served.fake.pay("topup-43", amount=Decimal(225))
        clock.advance(3600)
        assert (await look(served, empty.gateway_id))[0] is PaymentStatus.EXPIRED
        assert (await look(served, part.gateway_id))[0] is PaymentStatus.UNDERPAID
        await served.fake.pay("topup-42")
        assert (await look(served, empty.gateway_id))[0] is PaymentStatus.PAID

    async def test_says_what_the_gateway_keeps(self, served: Served) -> None:
        """The commission is told in the invoice's money, and what we get in the coin it comes
        in."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42")
        (payment,) = await served.gateway.look_up(
            invoice_id=made.gateway_id, reference="topup-42", since=NOON
        )
        assert (payment.fee, payment.settled, payment.settled_currency) == (
            Decimal(9),
            Decimal("551.25"),
            "USDT",
        )
        assert payment.txid
        assert payment.changed_at == NOON

    async def test_asks_by_the_invoices_own_id(self, served: Served) -> None:
        """The reference is read from the answer, so an invoice that has another one shows
        itself."""
        made = await served.gateway.create(intent())
        (payment,) = await served.gateway.look_up(
            invoice_id=made.gateway_id, reference="not-this", since=NOON
        )
        assert payment.reference == "topup-42"

    async def test_knows_nothing_of_a_stranger(self, served: Served) -> None:
        """An invoice that is not there has no payments."""
        assert (
            await served.gateway.look_up(invoice_id="nope", reference="topup-42", since=NOON) == []
        )
        assert await served.gateway.find(reference="nope", since=NOON) is None

    @pytest.mark.parametrize("outcome", ["error_500", "timeout", "garbage"])
    async def test_fails_rather_than_guesses(self, served: Served, outcome: str) -> None:
        """A gateway that is down says nothing about money."""
        made = await served.gateway.create(intent())
        await served.fake.script([f"info:{outcome}"])
        with pytest.raises(ProviderError):
            await look(served, made.gateway_id)


class TestPayments:
    """The list."""

    async def test_lists_every_page(self, served: Served) -> None:
        """Pages are followed to their end, and nothing is listed twice."""
        for number in range(40):
            await served.fake.open(reference=f"r{number}", amount=Decimal(10))
        found = await served.gateway.payments(since=NOON - DAY, until=NOON + DAY)
        assert {payment.reference for payment in found} == {f"r{number}" for number in range(40)}
        assert len(found) == 40

    async def test_lists_what_changed_later(self, served: Served, clock: FakeClock) -> None:
        """An old invoice that is paid in the span is part of it; one that did not change is not."""
        await served.fake.open(reference="old", amount=Decimal(10))
        await served.fake.open(reference="older", amount=Decimal(10))
        clock.advance(5 * 86_400)
        await served.fake.pay("old")
        found = await served.gateway.payments(since=NOON + 4 * DAY, until=NOON + 6 * DAY)
        assert [payment.reference for payment in found] == ["old"]

    async def test_fails_when_a_page_is_lost(self, served: Served) -> None:
        """Half a list is none: what is missing from it would look like money without an owner."""
        for number in range(20):
            await served.fake.open(reference=f"r{number}", amount=Decimal(10))
        await served.fake.script(["list:ok", "list:error_500"])
        with pytest.raises(ProviderError):
            await served.gateway.payments(since=NOON - DAY, until=NOON + DAY)

    @pytest.mark.parametrize("lie", LIES)
    async def test_every_lie_shows(self, served: Served, lie: str) -> None:
        """Each scripted lie changes what the list says, and none what the read-back says."""
        made = await served.gateway.create(intent())
        await served.fake.pay("topup-42")
        span = {"since": NOON - DAY / 2, "until": NOON + DAY / 2}
        truth = await served.gateway.payments(**span)
        await served.fake.lie("topup-42", lie, place="list")
        assert await served.gateway.payments(**span) != truth
        assert (
            await served.gateway.look_up(
                invoice_id=made.gateway_id, reference="topup-42", since=NOON
            )
            == truth
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
        assert await served.fake.pay("topup-42", amount=Decimal(1), times=3) == 3
        await served.fake.pay("topup-42")
        served.catcher.caught.clear()
        notices = await served.fake.notices("topup-42")
        assert [notice.document["status"] for notice in notices] == [
            "confirm_check",
            "wrong_amount_waiting",
            "confirm_check",
            "paid",
        ]
        assert await served.fake.tell(notices[::-1], times=2) == 8
        assert [b'"paid"' in body for _, _, body in served.catcher.caught] == [True] * 2 + [
            False
        ] * 6

    async def test_lies_in_a_callback_and_not_when_asked(self, served: Served) -> None:
        """A callback may claim anything under a right signature; what is read back stays true."""
        made = await served.gateway.create(intent())
        notice = await served.fake.move("topup-42", "check")
        await served.fake.tell([notice], claims={"status": "paid", "payment_amount": "999999"})
        ((_, headers, body),) = served.catcher.caught
        assert served.gateway.read_callback(headers, body).invoice_id == made.gateway_id
        assert b"999999" in body
        assert await look(served, made.gateway_id) == (PaymentStatus.WAITING, None, None)

    async def test_remembers_across_processes(self, served: Served, tmp_path: Path) -> None:
        """What was made in one process is there for another, and after a crash."""
        made = await served.gateway.create(intent())
        async with serving_gateway(PROVIDER, tmp_path) as other:
            await other.fake.pay("topup-42")
        assert (await look(served, made.gateway_id))[0] is PaymentStatus.PAID

    async def test_refuses_what_it_cannot_play(self, served: Served) -> None:
        """A misspelt outcome, lie or invoice is told, and never passes for success."""
        await served.gateway.create(intent())
        with pytest.raises(UnknownOutcome):
            await served.fake.script(["create:explode"])
        with pytest.raises(UnknownOutcome):
            await served.fake.lie("topup-42", "nonsense")
        with pytest.raises(UnknownInvoice):
            await served.fake.pay("nope")
