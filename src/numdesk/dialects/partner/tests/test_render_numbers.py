"""Tests of what the partner API answers about numbers: closed shapes, keys in the vendor's
order.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from numdesk.dialects import Answer
from numdesk.dialects.partner import render_numbers as render
from numdesk.dialects.partner.query import Turned
from numdesk.domain.pages import Page
from numdesk.domain.rentals.lifecycle import (
    Rental,
    RentalMessage,
    RentalService,
    RentalState,
    RentedService,
    RentType,
)
from numdesk.domain.rentals.outcomes import Canceled, Extended, Rented, RentedFacts, ServiceName
from numdesk.domain.rentals.quotes import Quote

AT = datetime(2024, 1, 1, 10, 0, 0, 999_999, tzinfo=UTC)
EPOCH = int(AT.timestamp())
SERVICES = (
    ServiceName(code="google", name="Google"),
    ServiceName(code="whatsapp", name="WhatsApp"),
)
FACTS = RentedFacts(
    id="num_1", msisdn=34600000001, country="Spain", services=SERVICES, rent_type=RentType.LONG
)
RENTED = Rented(
    rental=FACTS,
    units=7,
    price=2700,
    currency="EUR",
    starts_at=EPOCH,
    expires_at=EPOCH + 7 * 86_400,
)
QUOTES = [
    Quote(1, 550, 550, (("Google", 250), ("WhatsApp", 300))),
    Quote(7, 2700, 2565, (("Google", 1200), ("WhatsApp", 1500))),
]
RENTAL = Rental(
    public_id="num_1",
    customer_id=1,
    state=RentalState.ACTIVE,
    msisdn=34600000001,
    country="Spain",
    services=(RentedService("google", "Google", used=True),),
    rent_type=RentType.LONG,
    units=7,
    price=1200,
    currency="EUR",
    starts_at=AT,
    expires_at=AT + timedelta(days=7),
    rented_at=AT,
    ended_at=None,
    number_available=False,
)


def opaque(kind: str, serial: int) -> str:
    """Return an id that shows what it stands for."""
    return f"{kind}_{serial}"


def text_of(answer: Answer) -> str:
    """Return the body of a success."""
    assert answer.status == 200
    return answer.body.decode()


class TestAll:
    """What holds for all of them."""

    def test_every_state_has_a_word(self) -> None:
        """The vendor's two words cover all states."""
        assert set(render.RENTAL_STATUS) == set(RentalState)
        assert set(render.RENTAL_STATUS.values()) == {"active", "inactive"}

    def test_replays_are_marked_outside_the_body(self) -> None:
        """The bytes of a replay are those of the first answer."""
        first, again = (render.rented(RENTED, replayed=flag) for flag in (False, True))
        assert first.body == again.body
        assert (b"idempotency-replayed", b"true") in again.headers
        assert (b"idempotency-replayed", b"true") not in first.headers


class TestPrices:
    """Answers about what can be rented."""

    async def test_price_list(self) -> None:
        """Periods are texts, shortest first."""
        service = RentalService(
            3, "google", "Google", {30: 3500, 1: 250}, available=True, priority=1
        )
        assert text_of(await render.price_list("Spain", RentType.LONG, [service])) == (
            '{"success":true,"data":{"country":"Spain","rentType":"LONG","services":[{"id":"google","name":"Google",'
            '"prices":{"1":2.50,"30":35.00},"currency":"€","available":true,"priority":1}],"total":1}}'
        )

    def test_quotes(self) -> None:
        """Each period says its price, and the parts of the list's price by name."""
        services = [RentalService(3, "google", "Google", {}, available=True, priority=1)]
        assert text_of(render.prices("Spain", RentType.LONG, services, QUOTES[1:])) == (
            '{"success":true,"data":{"country":"Spain","rentType":"LONG","services":[{"id":"google","name":"Google"}],"periods":['
            '{"period":"7","duration":7,"durationUnit":"days","description":"7 '
            'days","basePrice":27.00,"price":25.65,"currency":"€",'
            '"breakdown":[{"service":"Google","price":12.00},{"service":"WhatsApp","price":15.00}]}],"currency":"€"}}'
        )

    def test_one_is_singular(self) -> None:
        """One day, one hour."""
        body = text_of(render.prices("Spain", RentType.SHORT, [], QUOTES[:1]))
        assert '"period":"1","duration":1,"durationUnit":"hours","description":"1 hour"' in body


class TestRentals:
    """Answers about rentals."""

    def test_rented(self) -> None:
        """A rent names the rental twice, and its length in minutes."""
        assert text_of(render.rented(RENTED, replayed=False)) == (
            '{"success":true,"data":{"rentId":"num_1","numberId":"num_1","number":"+34600000001","country":"Spain","services":'
            '[{"id":"google","name":"Google"},{"id":"whatsapp","name":"WhatsApp"}],"price":27.00,"currency":"€","rentType":"LONG","period":"7",'
            '"duration":{"value":10080,"unit":"minutes"},"startsAt":"2024-01-01T10:00:00Z","expiresAt":"2024-01-08T10:00:00Z",'
            '"status":"active"}}'
        )

    def test_listed(self) -> None:
        """A rental in a list tells which services were used."""
        assert text_of(render.rental_page(Page((RENTAL,), 1), Turned(1, 50))) == (
            '{"success":true,"data":[{"rentId":"num_1","numberId":"num_1","number":"+34600000001","country":"Spain","services":'
            '[{"id":"google","name":"Google","used":true}],"price":12.00,"currency":"€","rentType":"LONG","period":"7","status":"active",'
            '"startsAt":"2024-01-01T10:00:00Z","expiresAt":"2024-01-08T10:00:00Z","rentedAt":"2024-01-01T10:00:00Z"}],'
            '"pagination":{"page":1,"limit":50,"total":1,"totalPages":1}}'
        )

    def test_extension(self) -> None:
        """What it costs, and what came of it."""
        assert text_of(render.extension_prices(RENTAL, QUOTES[:1])) == (
            '{"success":true,"data":{"rentId":"num_1","number":"+34600000001","currentExpiry":"2024-01-08T10:00:00Z","availablePeriods":['
            '{"period":"1","duration":1,"durationUnit":"days","description":"1 '
            'day","price":5.50,"currency":"€"}],"currency":"€"}}'
        )
        made = Extended(rental=FACTS, units=7, price=2700, currency="EUR", expires_at=EPOCH)
        assert text_of(render.extended(made, replayed=False)) == (
            '{"success":true,"data":{"rentId":"num_1","number":"+34600000001","newExpiresAt":"2024-01-01T10:00:00Z","extensionPrice":27.00,'
            '"currency":"€","period":"7"}}'
        )

    def test_rerent(self) -> None:
        """What it costs, and what came of it."""
        assert text_of(render.rerent_prices(RENTAL, QUOTES[:1])) == (
            '{"success":true,"data":{"rentId":"num_1","number":"+34600000001","status":"inactive","lastExpiry":"2024-01-08T10:00:00Z",'
            '"services":[{"id":"google","name":"Google"}],"availablePeriods":[{"period":"1","duration":1,"durationUnit":"days",'
            '"description":"1 day","price":5.50,"currency":"€"}],"currency":"€"}}'
        )
        canceled = replace(RENTAL, ended_at=RENTAL.expires_at - timedelta(days=6))
        assert '"lastExpiry":"2024-01-02T10:00:00Z"' in text_of(
            render.rerent_prices(canceled, QUOTES[:1])
        )
        assert text_of(render.rerented(RENTED, replayed=False)) == (
            '{"success":true,"data":{"rentId":"num_1","number":"+34600000001","period":"7","price":27.00,"currency":"€",'
            '"startsAt":"2024-01-01T10:00:00Z","expiresAt":"2024-01-08T10:00:00Z","status":"active"}}'
        )

    @pytest.mark.parametrize(
        ("refunded", "refund", "message", "amount"),
        [
            (True, 2700, "Rental cancelled and refunded", "27.00"),
            (False, 0, "Rental cancelled", "0.00"),
        ],
    )
    def test_canceled(self, refunded: bool, refund: int, message: str, amount: str) -> None:
        """The message comes first, and the status in capitals."""
        made = Canceled(
            rental_id="num_1", msisdn=34600000001, currency="EUR", refunded=refunded, refund=refund
        )
        assert text_of(render.canceled(made, replayed=False)) == (
            f'{{"success":true,"message":"{message}","data":{{"rentId":"num_1","number":"+34600000001","status":"INACTIVE",'
            f'"refunded":{str(refunded).lower()},"refundAmount":{amount},"currency":"€"}}}}'
        )

    def test_messages(self) -> None:
        """A list for one half of the clients, an object for the other; the pages stand beside it in
        both.
        """
        found = Page((RentalMessage(9, "Google", "G-1 ✓", AT),), 1)
        line = (
            '[{"id":"sms_9","from":"Google","message":"G-1 ✓","receivedAt":"2024-01-01T10:00:00Z"}]'
        )
        pages = '"pagination":{"page":1,"limit":50,"total":1,"totalPages":1}'
        assert (
            text_of(render.message_page(found, Turned(1, 50), opaque, wrapped=False))
            == f'{{"success":true,"data":{line},{pages}}}'
        )
        wrapped = f'{{"success":true,"data":{{"messages":{line}}},{pages}}}'
        assert text_of(render.message_page(found, Turned(1, 50), opaque, wrapped=True)) == wrapped
