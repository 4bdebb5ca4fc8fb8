"""The published smscode SDK, sync and async, v1 and v2: every method does its work against the real
server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import smscode
from tests.support.sdk import FLAVOURS, SERVICE, TIMEOUT_MS, Flavour, Shop, open_shop
from tests.support.serving import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("e2e")

#: A service that only the simulator sells numbers for.
REMOTE_ONLY_RANK = 60


@pytest.fixture(params=FLAVOURS, ids=str)
async def shop(request: pytest.FixtureRequest, sandbox: Server) -> AsyncIterator[Shop]:
    """The SDK of a fresh customer, in each of the four ways to use it."""
    async with open_shop(sandbox, request.param) as opened:
        yield opened


class TestCatalog:
    """client.catalog"""

    async def test_lists_countries_and_services_of_a_real_catalogue(self, shop: Shop) -> None:
        """A fresh sandbox sells at least 40 countries and 200 services, each with an id, a name and
        a code."""
        countries, services = await shop("catalog.countries"), await shop("catalog.services")
        assert len(countries) >= 40
        assert len(services) >= 200
        assert len({one.id for one in countries}) == len(countries)
        assert all(
            one.active and one.code == one.code.lower() and one.dial_code.isdigit()
            for one in countries
        )

    async def test_lists_the_services_of_a_country(self, shop: Shop) -> None:
        """With a country, only services that have something in stock there are listed."""
        country = (await shop("catalog.countries"))[0]
        services = await shop("catalog.services", country_id=country.id)
        assert services
        for service in services[:3]:
            assert (
                await shop("catalog.products", country_id=country.id, platform_id=service.id)
            ).count

    async def test_lists_operators_with_any_first(self, shop: Shop) -> None:
        """Where operators can be chosen, the first entry stands for whichever."""
        tier = (await shop.tiers())[0]
        operators = await shop(
            "catalog.operators", country_id=tier.country_id, platform_id=tier.platform_id
        )
        assert operators[0].code == "any"
        assert operators[0].operator_id is None
        assert len(operators) > 1
        assert all(one.operator_id for one in operators[1:])

    async def test_pages_through_products_without_gap_or_overlap(self, shop: Shop) -> None:
        """Pages of a sorted list join into the list, and its meta counts the rows of the page."""
        country = (await shop("catalog.countries"))[0].id
        whole = await shop("catalog.products", country_id=country, sort="price_desc", limit=90)
        pages = [
            await shop(
                "catalog.products", country_id=country, sort="price_desc", limit=30, page=page
            )
            for page in (1, 2, 3)
        ]
        assert [one.id for page in pages for one in page.products] == [
            one.id for one in whole.products
        ]
        assert (pages[1].page, pages[1].limit, pages[1].count) == (2, 30, 30)
        prices = [shop.units(one.price) for one in whole.products]
        assert prices == sorted(prices, reverse=True)

    async def test_filters_products_by_operator(self, shop: Shop) -> None:
        """With an operator only its tiers are listed."""
        tier = (await shop.tiers())[0]
        operators = await shop(
            "catalog.operators", country_id=tier.country_id, platform_id=tier.platform_id
        )
        wanted = operators[1].operator_id
        page = await shop(
            "catalog.products",
            country_id=tier.country_id,
            platform_id=tier.platform_id,
            operator_id=wanted,
        )
        assert page.products
        assert {one.operator_id for one in page.products} == {wanted}

    async def test_tells_the_rate(self, shop: Shop) -> None:
        """The rate is a whole number of rupiah per dollar."""
        rate = await shop("catalog.exchange_rate", pair="USD/IDR")
        assert (rate.pair, rate.rate) == ("USD/IDR", 16_250)


async def test_balance_is_what_was_paid_in(shop: Shop) -> None:
    """A fresh customer's balance is the sandbox's credit."""
    found = await shop("balance.get")
    assert shop.units(found.balance) == shop.customer.balance


class TestOrders:
    """client.orders"""

    async def test_buys_reads_and_lists(self, shop: Shop) -> None:
        """A bought order is read, listed and active, at the tier's price, which leaves the
        balance."""
        tier = (await shop.tiers())[0]
        made = await shop("orders.create", product_id=tier.id, quantity=3)
        assert (len(made.orders), made.failed_count) == (3, 0)
        assert len({order["phone_number"] for order in made.orders}) == 3
        order = await shop("orders.get", made.orders[0]["id"])
        assert (order["status"], order["product_id"], shop.units(order.amount)) == (
            "ACTIVE",
            tier.id,
            shop.units(tier.price),
        )
        listed = await shop("orders.list", limit=10)
        listed = listed.orders if shop.is_v2 else listed
        assert [one["id"] for one in listed] == sorted(
            (one["id"] for one in made.orders), reverse=True
        )
        assert {one["id"] for one in await shop("orders.active")} == {
            one["id"] for one in made.orders
        }
        left = shop.units((await shop("balance.get")).balance)
        assert left == shop.customer.balance - 3 * shop.units(tier.price)

    async def test_buys_by_catalogue_product(self, shop: Shop) -> None:
        """A catalogue product with wishes gets the cheapest tier that fulfils them."""
        tiers = await shop.tiers()
        cap = tiers[0].price.amount if shop.is_v2 else tiers[0].price
        order = await shop.order(
            catalog_product_id=tiers[0].catalog_product_id,
            policy="cheapest",
            max_price=cap,
            prefer_provider="LOCAL",
        )
        assert order["product_id"] == tiers[0].id

    async def test_buys_from_a_supplier(self, shop: Shop) -> None:
        """A tier of the simulator sells a number of its own, and its message arrives like any
        other."""
        dear = (await shop.tiers())[-1]
        order = await shop.received(product_id=dear.id)
        assert (order["status"], order["otp_code"], order["sms_revision"]) == (
            "OTP_RECEIVED",
            "482913",
            1,
        )

    async def test_cancels_after_two_minutes_with_a_full_refund(self, shop: Shop) -> None:
        """A cancelled order gives all its money back."""
        order = await shop.order()
        shop.server.advance(121)
        assert (await shop("orders.get", order["id"])).capabilities.can_cancel
        canceled = await shop("orders.cancel", order["id"])
        assert (canceled.status, shop.units(canceled.refund_amount)) == (
            "CANCELED",
            shop.units(order.amount),
        )
        assert shop.units(canceled.new_balance) == shop.customer.balance
        read = await shop("orders.get", order["id"])
        assert read["canceled_at"] is not None

    async def test_finishes_after_a_message(self, shop: Shop) -> None:
        """A finished order is completed."""
        order = await shop.received()
        done = await shop("orders.finish", order["id"])
        assert (done.order_id, done.status) == (order["id"], "COMPLETED")

    async def test_asks_for_one_more_message(self, shop: Shop) -> None:
        """After a resend the order waits again, keeps its code, and the next message counts as the
        next revision."""
        order = await shop.received()
        again = await shop("orders.resend", order["id"])
        assert (again.status, again.resent) == ("ACTIVE", True)
        read = await shop("orders.get", order["id"])
        assert (read["otp_code"], read["sms_revision"], read.capabilities.can_resend) == (
            "482913",
            1,
            False,
        )
        assert read.capabilities.resend_available_at
        shop.server.message(order["phone_number"], "Your code is 771204")
        read = await shop("orders.get", order["id"])
        assert (read["status"], read["otp_code"], read["sms_revision"]) == (
            "OTP_RECEIVED",
            "771204",
            2,
        )

    async def test_buys_the_same_number_again(self, shop: Shop) -> None:
        """A completed order's number can be bought again at the price that reactivate-options
        told."""
        order = await shop.received(product_id=(await shop.tiers())[-1].id)
        await shop("orders.finish", order["id"])
        read = await shop("orders.get", order["id"])
        assert read.capabilities.can_reactivate
        # The supplier is told of the end a moment later, and until then the number is in use.
        options = await eventually(
            lambda: shop("orders.reactivate_options", order["id"]), but=smscode.ConflictError
        )
        cap = options.cost.amount if shop.is_v2 else options.cost
        child = (await shop("orders.reactivate", order["id"], max_price=cap)).orders[0]
        assert child["id"] != order["id"]
        assert child["phone_number"] == order["phone_number"]
        assert shop.units(child.amount) == shop.units(options.cost)

    async def test_expires_after_twenty_minutes_with_a_refund(self, shop: Shop) -> None:
        """An order without a message expires and costs nothing.

        One with a message is completed and paid.
        """
        silent, heard = await shop.order(), await shop.received()
        shop.server.advance(20 * 60 + 1)
        statuses = [(await shop("orders.get", one["id"]))["status"] for one in (silent, heard)]
        assert statuses == ["EXPIRED", "COMPLETED"]
        assert shop.units(
            (await shop("balance.get")).balance
        ) == shop.customer.balance - shop.units(heard.amount)

    async def test_list_is_filtered_by_status_and_paged(self, shop: Shop) -> None:
        """The list holds only the wanted status, and offset continues it."""
        heard, first = await shop.received(), await shop.order()
        second = await shop.order()
        wanted = await shop("orders.list", status="ACTIVE", limit=1, offset=1)
        assert [one["id"] for one in (wanted.orders if shop.is_v2 else wanted)] == [first["id"]]
        wanted = await shop("orders.list", status="OTP_RECEIVED")
        assert [one["id"] for one in (wanted.orders if shop.is_v2 else wanted)] == [heard["id"]]
        assert second["id"] > first["id"]

    async def test_times_are_whole_seconds_with_an_offset(self, shop: Shop) -> None:
        """A moment is written like 2026-01-31T12:00:00+00:00, and cancelling begins two minutes
        after the beginning."""
        order = await shop("orders.get", (await shop.order())["id"])
        created, cancel_at = order["created_at"], order["cancel_available_at"]
        assert created.endswith("+00:00")
        assert len(created) == len("2026-01-31T12:00:00+00:00")
        assert datetime.fromisoformat(cancel_at) - datetime.fromisoformat(created) == timedelta(
            minutes=2
        )


class TestWaitForOtp:
    """client.orders.wait_for_otp"""

    async def test_returns_the_code_that_arrives_meanwhile(self, shop: Shop) -> None:
        """Who waits gets the code."""
        order = await shop.order()
        waiting = asyncio.create_task(
            shop("orders.wait_for_otp", order["id"], timeout_ms=TIMEOUT_MS, poll_interval_ms=50)
        )
        await asyncio.to_thread(
            shop.server.message, order["phone_number"], "552913 is your verification code"
        )
        assert (await waiting).otp_code == "552913"

    async def test_tells_the_same_code_again_by_its_revision(self, shop: Shop) -> None:
        """After a resend the same code once more is news when the revision is compared."""
        order = await shop.received()
        await shop("orders.resend", order["id"])
        shop.server.message(order["phone_number"], "Your code is 482913.")
        found = await shop(
            "orders.wait_for_otp",
            order["id"],
            after_code="482913",
            after_revision=1,
            timeout_ms=TIMEOUT_MS,
        )
        assert found.otp_code == "482913"

    async def test_ends_with_the_order(self, shop: Shop) -> None:
        """Waiting for an order that has ended raises OrderTerminalError."""
        order = await shop.order()
        shop.server.advance(20 * 60 + 1)
        with pytest.raises(smscode.OrderTerminalError):
            await shop("orders.wait_for_otp", order["id"], timeout_ms=TIMEOUT_MS)

    async def test_gives_up_in_time(self, shop: Shop) -> None:
        """Without a code the wait raises OtpTimeoutError."""
        order = await shop.order()
        with pytest.raises(smscode.OtpTimeoutError):
            await shop("orders.wait_for_otp", order["id"], timeout_ms=100, poll_interval_ms=20)


class TestPriceCap:
    """max_price"""

    async def test_a_displayed_price_buys(self, shop: Shop) -> None:
        """Whatever price a product shows, passing it back as the cap buys at that price or less."""
        country = (await shop("catalog.countries"))[3].id
        page = await shop("catalog.products", country_id=country, limit=400)
        seen: dict[int, Any] = {}
        for product in page.products:
            seen.setdefault(product.catalog_product_id, product)
        for product in list(seen.values())[:25]:
            cap = product.price.amount if shop.is_v2 else product.price
            order = await shop.order(catalog_product_id=product.catalog_product_id, max_price=cap)
            assert shop.units(order.amount) <= shop.units(product.price)

    async def test_below_the_cheapest_there_is_no_offer(self, shop: Shop) -> None:
        """A cap below every price is an offer not found, with the cap in rupiah in its details."""
        tier = (await shop.tiers())[0]
        with pytest.raises(smscode.NoOfferAvailableError) as caught:
            await shop.order(
                catalog_product_id=tier.catalog_product_id, max_price="0.01" if shop.is_v2 else 100
            )
        details: Any = caught.value.details
        assert details["max_price_idr"] == (162 if shop.is_v2 else 100)
        assert details["catalog_product_id"] == tier.catalog_product_id


class TestWebhook:
    """client.webhook"""

    async def test_is_configured_tested_and_cleared(self, shop: Shop) -> None:
        """The first URL brings a secret, a test tells the endpoint's answer, and an empty text
        clears."""
        assert (await shop("webhook.get")).webhook_url is None
        box = f"sdk{shop.customer.id}"
        config = await shop("webhook.update", webhook_url=shop.server.inbox_url(box, "?status=202"))
        assert len(config.webhook_secret) == 64
        assert (await shop("webhook.test")).status_code == 202
        config = await shop("webhook.update", webhook_secret="my own secret")
        assert config.webhook_secret == "my own secret"
        got = shop.server.inbox(box)
        event = smscode.parse_webhook_event(got[0]["body"].encode())
        assert event["event"] == "webhook.test"
        config = await shop("webhook.update", webhook_url="", webhook_secret="")
        assert (config.webhook_url, config.webhook_secret) == (None, None)

    async def test_a_test_tells_whatever_the_endpoint_answers(self, shop: Shop) -> None:
        """An endpoint that fails is no failure of the call."""
        await shop("webhook.update", webhook_url=shop.server.inbox_url("failing", "?status=503"))
        assert (await shop("webhook.test")).status_code == 503
        assert (await shop("webhook.get")).webhook_consecutive_failures == 0


async def test_the_same_key_buys_once(shop: Shop) -> None:
    """Create with one key twice is one order, and the second answer equals the first."""
    tier = (await shop.tiers())[0]
    first = await shop("orders.create", product_id=tier.id, idempotency_key="once-and-only")
    again = await shop(
        "orders.create", {"product_id": tier.id, "quantity": 1}, idempotency_key="once-and-only"
    )
    assert [one.raw for one in first.orders] == [one.raw for one in again.orders]
    assert first.idempotency_key == again.idempotency_key == "once-and-only"
    assert len(await shop("orders.active")) == 1


def test_the_four_flavours_are_all_there_are() -> None:
    """Sync and async times v1 and v2."""
    assert set(FLAVOURS) == {
        Flavour(is_async, version) for is_async in (True, False) for version in (1, 2)
    }
    assert SERVICE
