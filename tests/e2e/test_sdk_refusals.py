"""The published smscode SDK: every refusal that it knows, provoked on the real server, arrives as
the SDK's own error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from typing import Any

import pytest
import smscode
from tests.support.sdk import FLAVOURS, TIMEOUT_MS, Shop, open_shop
from tests.support.serving import Customer, Server, run_command
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("e2e")

Call = Callable[[Shop], Coroutine[Any, Any, object]]

TWENTY_MINUTES_S = 20 * 60 + 1
NOBODY = "nd_test_" + "A" * 43


@pytest.fixture(params=FLAVOURS, ids=str)
async def shop(request: pytest.FixtureRequest, sandbox: Server) -> AsyncIterator[Shop]:
    """The SDK of a fresh customer, in each of the four ways to use it."""
    async with open_shop(sandbox, request.param) as opened:
        yield opened
    sandbox.faults([])  # what a test that failed has left over must not meet the next one


async def refused(
    error: type[smscode.SmscodeError], status: int, call: Coroutine[Any, Any, object]
) -> Any:
    """Returns the error that the call ends in, which must be of exactly this class and status, with
    a request id."""
    with pytest.raises(error) as caught:
        await call
    assert type(caught.value) is error
    assert caught.value.http_status == status
    assert caught.value.request_id
    return caught.value


class TestWhoCalls:
    """401 and 403"""

    async def test_a_token_that_nobody_has(self, shop: Shop) -> None:
        """An unknown token is refused as unauthorized by every resource."""
        async with open_shop(
            shop.server, shop.flavour, customer=shop.customer, token=NOBODY
        ) as stranger:
            for name in ("catalog.countries", "balance.get", "orders.active", "webhook.get"):
                await refused(smscode.UnauthorizedError, 401, stranger(name))

    async def test_a_blocked_and_a_restricted_customer(self, sandbox: Server) -> None:
        """A blocked customer may do nothing and a restricted one not buy.

        An approved one may both.
        """
        customer = sandbox.customer()
        async with AsyncExitStack() as stack:
            shops = [
                await stack.enter_async_context(open_shop(sandbox, flavour, customer=customer))
                for flavour in FLAVOURS
            ]
            tier = (await shops[0].tiers())[0].id
            self._set_state(sandbox, customer, "block")
            for shop in shops:
                await self._until_forbidden(shop, "balance.get")
            self._set_state(sandbox, customer, "restrict")
            for shop in shops:
                await eventually(partial(shop, "balance.get"), but=smscode.ForbiddenError)
                await self._until_forbidden(shop, "orders.create", product_id=tier)
            self._set_state(sandbox, customer, "approve")
            for shop in shops:
                await eventually(
                    partial(shop, "orders.create", product_id=tier), but=smscode.ForbiddenError
                )

    @staticmethod
    async def _until_forbidden(shop: Shop, name: str, **kwargs: object) -> None:
        await eventually(
            lambda: refused(smscode.ForbiddenError, 403, shop(name, **kwargs)),
            but=pytest.fail.Exception,
        )

    @staticmethod
    def _set_state(server: Server, customer: Customer, verb: str) -> None:
        done = run_command("customer", verb, str(customer.id), "--data", str(server.data))
        assert done.returncode == 0, done.stderr


class TestNotFound:
    """404"""

    @pytest.mark.parametrize(
        "name", ["get", "cancel", "finish", "resend", "reactivate", "reactivate_options"]
    )
    async def test_an_order_of_somebody_else(self, shop: Shop, name: str) -> None:
        """Another customer's order is as unknown as one that never was."""
        async with open_shop(shop.server, shop.flavour) as other:
            theirs = (await other.order())["id"]
        for order_id in (theirs, 2_000_000_000):
            await refused(smscode.NotFoundError, 404, shop(f"orders.{name}", order_id))

    async def test_a_product_that_never_was(self, shop: Shop) -> None:
        """An unknown product is not found, rather than out of stock."""
        await refused(smscode.NotFoundError, 404, shop.order(product_id=2_000_000_000))
        await refused(smscode.NotFoundError, 404, shop.order(catalog_product_id=2_000_000_000))

    async def test_a_pair_that_nobody_quotes(self, shop: Shop) -> None:
        """v1 does not find an unknown pair; v2 answers for its own whatever it is asked."""
        if shop.is_v2:
            assert (await shop("catalog.exchange_rate", pair="ABC/XYZ")).pair == "USD/IDR"
        else:
            await refused(smscode.NotFoundError, 404, shop("catalog.exchange_rate", pair="ABC/XYZ"))


class TestConflict:
    """409"""

    async def test_cancel_too_early(self, shop: Shop) -> None:
        """A fresh order cannot be cancelled."""
        order = await shop.order()
        await refused(smscode.CancelTooEarlyError, 409, shop("orders.cancel", order["id"]))

    async def test_cancel_after_a_message(self, shop: Shop) -> None:
        """A message closes the cancel."""
        order = await shop.received()
        shop.server.advance(121)
        await refused(smscode.ConflictError, 409, shop("orders.cancel", order["id"]))

    @pytest.mark.parametrize("name", ["finish", "resend", "reactivate", "reactivate_options"])
    async def test_without_a_message(self, shop: Shop, name: str) -> None:
        """Before a message there is nothing to finish, to repeat or to reactivate."""
        order = await shop.order()
        await refused(smscode.ConflictError, 409, shop(f"orders.{name}", order["id"]))

    @pytest.mark.parametrize("name", ["cancel", "finish", "resend"])
    async def test_after_the_end(self, shop: Shop, name: str) -> None:
        """An ended order does not move any more."""
        order = await shop.received()
        await shop("orders.finish", order["id"])
        await refused(smscode.ConflictError, 409, shop(f"orders.{name}", order["id"]))

    async def test_resend_within_its_cooldown(self, shop: Shop) -> None:
        """Two requests for one more message need a moment between them."""
        order = await shop.received()
        await shop("orders.resend", order["id"])
        await refused(smscode.ConflictError, 409, shop("orders.resend", order["id"]))

    async def test_a_wallet_that_is_short(self, shop: Shop) -> None:
        """One rupiah less than the price buys nothing and costs nothing."""
        tier = (await shop.tiers())[0]
        balance = shop.units(tier.price) * 3 - 1
        async with open_shop(
            shop.server, shop.flavour, customer=shop.server.customer(balance=balance)
        ) as poor:
            await refused(
                smscode.InsufficientBalanceError,
                409,
                poor("orders.create", product_id=tier.id, quantity=3),
            )
            assert poor.units((await poor("balance.get")).balance) == balance

    async def test_a_request_that_is_still_running(self, shop: Shop) -> None:
        """While a supplier thinks, the same key is in progress."""
        dear = (await shop.tiers())[-1].id
        keys = count()

        async def both() -> tuple[Any, Callable[[], Coroutine[Any, Any, Any]]]:
            """Which of the two arrives first, nobody knows.

            And on a busy machine the one may come when the other is done.
            """
            shop.server.faults(["reserve:slow"])
            buy = partial(
                shop, "orders.create", product_id=dear, idempotency_key=f"slow-{next(keys)}"
            )
            ends: tuple[Any, ...] = await asyncio.gather(buy(), buy(), return_exceptions=True)
            made, refusal = sorted(ends, key=lambda end: isinstance(end, BaseException))
            assert type(refusal) is smscode.RequestInProgressError
            return made, buy

        made, buy = await eventually(both)
        replay = await buy()
        assert [one.raw for one in replay.orders] == [one.raw for one in made.orders]


class TestValidation:
    """422"""

    @pytest.mark.parametrize(
        "wanted",
        [
            {},
            {"product_id": 1, "catalog_product_id": 1},
            {"product_id": 1, "quantity": 0},
            {"product_id": 1, "quantity": 101},
            {"product_id": 1, "policy": "cheapest"},
            {"product_id": "1"},
            {"product_id": 1.5},
            {"product_id": True},
            {"catalog_product_id": 1, "policy": "dearest"},
            {"catalog_product_id": 1, "max_price": -1},
            {"catalog_product_id": 1, "max_price": 0},
            {"catalog_product_id": 1, "max_price": 1.5},
            {"product_id": 1, "colour": "red"},
        ],
        ids=str,
    )
    async def test_a_body_that_cannot_be_meant(self, shop: Shop, wanted: dict[str, object]) -> None:
        """A create that is not what the API describes is refused as a whole."""
        await refused(smscode.ValidationError, 422, shop("orders.create", wanted))

    async def test_a_cap_of_the_other_version(self, shop: Shop) -> None:
        """Dollars are text and rupiah are numbers; the one never passes for the other."""
        cap = 20_000 if shop.is_v2 else "1.25"
        await refused(
            smscode.ValidationError, 422, shop("orders.create", catalog_product_id=1, max_price=cap)
        )

    @pytest.mark.parametrize("key", ["a b", "k" * 129, "käse", "a.b"])
    async def test_a_key_that_is_malformed(self, shop: Shop, key: str) -> None:
        """An idempotency key is 1 to 128 letters, digits, underscores and dashes."""
        call = shop.request(
            "POST",
            "/orders/create",
            json={"product_id": 1},
            headers={"idempotency-key": key.encode()},
        )
        await refused(smscode.ValidationError, 422, call)

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/hook",
            "https://127.0.0.1/hook",
            "ftp://example.com/",
            "https://[::1]/",
            "nonsense",
        ],
    )
    async def test_a_webhook_url_that_is_not_allowed(self, shop: Shop, url: str) -> None:
        """Webhooks go out by https and to public addresses only."""
        await refused(smscode.ValidationError, 422, shop("webhook.update", webhook_url=url))

    async def test_a_webhook_test_without_a_url(self, shop: Shop) -> None:
        """Without a URL there is nothing to test, and an empty change changes nothing."""
        await refused(smscode.ValidationError, 422, shop("webhook.test"))
        await refused(smscode.ValidationError, 422, shop.request("PATCH", "/webhook", json={}))

    async def test_a_cost_above_the_cap_of_a_reactivation(self, shop: Shop) -> None:
        """Reactivating above the cap is refused by the word for a bad parameter."""
        order = await shop.received()
        await shop("orders.finish", order["id"])
        cap = "0.0001" if shop.is_v2 else 1
        await refused(
            smscode.ValidationError, 422, shop("orders.reactivate", order["id"], max_price=cap)
        )

    async def test_a_key_with_another_body(self, shop: Shop) -> None:
        """A key belongs to its first request."""
        tier = (await shop.tiers())[0].id
        await shop("orders.create", product_id=tier, idempotency_key="mine")
        call = shop("orders.create", product_id=tier, quantity=2, idempotency_key="mine")
        await refused(smscode.IdempotencyKeyReuseError, 422, call)


class TestSupplier:
    """422 PROVIDER_ERROR and NO_OFFER_AVAILABLE"""

    @pytest.mark.parametrize(
        ("fault", "cause"),
        [
            ("no_numbers", "no_numbers"),
            ("price_rejected", "price_rejected"),
            ("error_500", "provider_error"),
        ],
    )
    async def test_a_supplier_that_fails(self, shop: Shop, fault: str, cause: str) -> None:
        """What a supplier answered is counted by cause, costs nothing, and is what the key
        replays."""
        dear = (await shop.tiers())[-1].id
        shop.server.faults([f"reserve:{fault}"])
        error = await refused(
            smscode.ProviderError,
            422,
            shop("orders.create", product_id=dear, idempotency_key="failed"),
        )
        assert error.details == {"cause_counts": {cause: 1}}
        again = await refused(
            smscode.ProviderError,
            422,
            shop("orders.create", product_id=dear, idempotency_key="failed"),
        )
        assert again.details == error.details
        assert shop.units((await shop("balance.get")).balance) == shop.customer.balance

    async def test_every_supplier_of_a_catalogue_product_fails(self, shop: Shop) -> None:
        """For a catalogue product each try is told: product, provider, result."""
        tier = (await shop.tiers(service=await self._remote_service(shop)))[0]
        shop.server.faults(["reserve:no_numbers"])
        error = await refused(
            smscode.ProviderError,
            422,
            shop("orders.create", catalog_product_id=tier.catalog_product_id),
        )
        assert error.details == {
            "attempts": [{"product_id": tier.id, "provider": "simulator", "result": "no_numbers"}]
        }

    async def test_half_of_a_request_fails(self, shop: Shop) -> None:
        """What could be bought is bought and charged, the rest is counted."""
        dear = (await shop.tiers())[-1]
        shop.server.faults(["reserve:no_numbers", "reserve:error_500"])
        made = await shop("orders.create", product_id=dear.id, quantity=5)
        assert (len(made.orders), made.failed_count) == (3, 2)
        assert shop.units(
            (await shop("balance.get")).balance
        ) == shop.customer.balance - 3 * shop.units(dear.price)

    async def test_an_answer_that_is_lost(self, shop: Shop) -> None:
        """A supplier whose answer is lost is asked what became of it, and the number is not bought
        twice."""
        dear = (await shop.tiers())[-1]
        shop.server.faults(["reserve:late_ok"])
        made = await shop("orders.create", product_id=dear.id)
        assert len(made.orders) == 1
        assert shop.units(
            (await shop("balance.get")).balance
        ) == shop.customer.balance - shop.units(dear.price)

    async def test_a_release_that_the_supplier_refuses(self, shop: Shop) -> None:
        """A cancel that the supplier refuses leaves the order as it was, and can be tried again."""
        order = await shop.order(product_id=(await shop.tiers())[-1].id)
        shop.server.advance(121)
        shop.server.faults(["release:error_500"])
        await refused(smscode.ProviderError, 422, shop("orders.cancel", order["id"]))
        assert (await shop("orders.get", order["id"]))["status"] == "ACTIVE"
        assert (await shop("orders.cancel", order["id"])).status == "CANCELED"

    async def test_nothing_matches_the_wish(self, shop: Shop) -> None:
        """An operator that does not exist is no offer, with the search in the details."""
        tier = (await shop.tiers())[0]
        call = shop(
            "orders.create",
            catalog_product_id=tier.catalog_product_id,
            operator_id=999_999,
            policy="best_success",
        )
        error = await refused(smscode.NoOfferAvailableError, 422, call)
        assert error.details.keys() == {
            "catalog_product_id",
            "policy",
            "candidates_considered",
            "operator_id",
            "min_price_idr",
            "max_price_idr",
        }
        assert error.details["operator_id"] == 999_999

    @staticmethod
    async def _remote_service(shop: Shop) -> str:
        """Finds a service that only the simulator sells: the last of the list."""
        return (await shop("catalog.services"))[-1].name


class TestTooMuch:
    """413 and 429"""

    async def test_a_body_above_a_megabyte(self, shop: Shop) -> None:
        """A body that no order needs is refused unread."""
        call = shop.request(
            "POST", "/orders/create", json={"product_id": 1, "policy": "x" * 1_100_000}
        )
        await refused(smscode.PayloadTooLargeError, 413, call)

    async def test_webhook_tests_share_ten_a_minute(self, shop: Shop) -> None:
        """After ten tests in a minute, over both versions together, the next is told when to come
        back."""
        await shop("webhook.update", webhook_url=shop.server.inbox_url("limits"))

        async def ask_often() -> None:
            for number in range(21):  # the window of a minute may begin anew once meanwhile
                await shop.request("POST", "/webhook/test", version=number % 2 + 1)

        error = await refused(smscode.RateLimitError, 429, ask_often())
        assert 1 <= error.retry_after_seconds <= 60

    async def test_the_abuse_guard_closes_ordering(self, shop: Shop) -> None:
        """A hundred orders without a message close ordering for a quarter of an hour of the desk's
        time, and reading stays open."""
        tier = (await shop.tiers())[0]
        await shop("orders.create", product_id=tier.id, quantity=100)
        shop.server.advance(TWENTY_MINUTES_S)

        async def banned() -> Any:
            return await refused(smscode.TempBannedError, 429, shop.order(product_id=tier.id))

        error = await eventually(banned, but=pytest.fail.Exception)
        assert error.details.keys() == {"until", "tier", "retry_after_seconds"}
        assert error.retry_after_seconds == error.details["retry_after_seconds"]
        assert 1 <= error.retry_after_seconds <= 15 * 60
        assert await shop("orders.list")
        shop.server.advance(15 * 60 + 1)
        await eventually(lambda: shop.order(product_id=tier.id), but=smscode.TempBannedError)


MONEY_CALLS: dict[str, Call] = {
    "products": lambda shop: shop("catalog.products", limit=1),
    "exchange-rate": lambda shop: shop("catalog.exchange_rate"),
    "balance": lambda shop: shop("balance.get"),
    "list": lambda shop: shop("orders.list"),
    "get": lambda shop: shop("orders.get", 1),
    "create": lambda shop: shop("orders.create", product_id=1),
    "cancel": lambda shop: shop("orders.cancel", 1),
    "reactivate": lambda shop: shop("orders.reactivate", 1),
    "reactivate-options": lambda shop: shop("orders.reactivate_options", 1),
}


class TestWithoutARate:
    """503"""

    async def test_v2_needs_a_rate_for_money_and_v1_never(self, shop: Shop) -> None:
        """Without a rate every v2 call with money says so and does nothing.

        V1, order polling and the rest go on.
        """
        order = await shop.order()
        shop.server.advance(121)
        shop.server.rate(None)
        try:
            if shop.is_v2:
                for name, call in MONEY_CALLS.items():
                    error = await refused(smscode.FxRateUnavailableError, 503, call(shop))
                    assert error.retry_after_seconds >= 1, name
                await refused(
                    smscode.FxRateUnavailableError, 503, shop("orders.cancel", order["id"])
                )
            else:
                assert await shop("balance.get")
                assert await shop("orders.get", order["id"])
            assert [one["id"] for one in await shop("orders.active")] == [order["id"]]
            shop.server.message(order["phone_number"], "Your code is 118822")
            assert (
                await shop("orders.wait_for_otp", order["id"], timeout_ms=TIMEOUT_MS)
            ).otp_code == "118822"
            assert (await shop("orders.finish", order["id"])).status == "COMPLETED"
        finally:
            shop.server.rate(16_250)
        assert shop.units((await shop("orders.get", order["id"])).amount) == shop.units(
            order.amount
        )


def test_a_customer_is_one_of_the_sandbox(sandbox: Server) -> None:
    """The sandbox answers a fresh customer with everything that the SDK needs."""
    made = sandbox.customer(balance=12_345)
    assert isinstance(made, Customer)
    assert (made.balance, made.base_url) == (12_345, sandbox.base_url)
