"""Every provider's folder keeps the contract, whoever wrote it."""

import inspect
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.support.gateways import serving_gateway

from numdesk import providers
from numdesk.kit.clock import Clock, FakeClock
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import CallbackRefused, Intent, PaymentGateway, PaymentStatus
from numdesk.ports.rates import RateSource
from numdesk.ports.simulation import Simulation, UnknownMoney
from numdesk.ports.suppliers import NumberSupplier
from numdesk.providers import PORTS, Adapters, Provider, ProviderSettingRefused, Surroundings

FOUND = providers.find_providers()
PROTOCOLS = {
    "supplier": NumberSupplier,
    "rate_source": RateSource,
    "simulation": Simulation,
    "payments": PaymentGateway,
}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENT = Intent("topup-42", Decimal("450.00"), "EUR", 3600, None)


async def _no_sleep(_seconds: float) -> None:
    """Takes no time."""


def _make(provider: Provider, folder: Path) -> Adapters:
    settings = providers.read_settings(provider, {})
    return provider.make(settings, Surroundings(OutgoingHttp(Clock()), _no_sleep, folder))


def _methods(protocol: type) -> list[str]:
    return [
        name
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and not name.startswith("_")
    ]


@pytest.mark.parametrize("provider", FOUND.values(), ids=FOUND)
class TestEveryProvider:
    """A provider's manifest and adapters."""

    def test_has_a_complete_manifest(self, provider: Provider) -> None:
        """A manifest names its folder, a title, at least one known port and a settings class of its
        own."""
        assert provider.title
        assert provider.serves
        assert provider.serves <= set(PORTS)
        assert issubclass(provider.settings, msgspec.Struct)
        assert provider.settings.__struct_config__.frozen

    async def test_serves_exactly_the_ports_it_names(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        """The adapters that are made are those that the manifest promises."""
        adapters = _make(provider, tmp_path)
        assert adapters.served() == provider.serves
        adapters.close()

    async def test_answers_every_call_of_its_ports(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        """A port's method is there with the port's own parameters, so a caller never meets a
        hole."""
        adapters = _make(provider, tmp_path)
        for port in provider.serves:
            for method in _methods(PROTOCOLS[port]):
                wanted = inspect.signature(getattr(PROTOCOLS[port], method)).parameters
                found = inspect.signature(getattr(type(getattr(adapters, port)), method)).parameters
                assert list(found) == list(wanted), f"{provider.slug}.{method}"
        adapters.close()

    def test_touches_nothing_before_it_is_called(self, provider: Provider, tmp_path: Path) -> None:
        """Making a provider opens no file and no connection: a start must not depend on the world
        outside."""
        adapters = _make(provider, tmp_path)
        adapters.close()
        assert list(tmp_path.iterdir()) == []

    def test_has_a_fake_that_its_settings_reach(self, provider: Provider, tmp_path: Path) -> None:
        """A gateway that takes money can be stood in for, by words that its own settings
        understand; making the fake opens no file."""
        if "payments" not in provider.serves:
            return
        assert provider.fake is not None
        fake = provider.fake(
            Surroundings(OutgoingHttp(Clock()), _no_sleep, tmp_path),
            {"base_url": "http://127.0.0.1:8080/sandbox/x"},
        )
        adapters = provider.make(
            providers.read_settings(provider, fake.words),
            Surroundings(OutgoingHttp(Clock()), _no_sleep, tmp_path),
        )
        assert adapters.payments is not None
        fake.close()
        assert list(tmp_path.iterdir()) == []

    def test_refuses_a_setting_it_does_not_have(self, provider: Provider) -> None:
        """A misspelt setting is told to the operator by name and never ignored."""
        with pytest.raises(
            ProviderSettingRefused, match=f"NUMDESK_PROVIDER_{provider.slug.upper()}_"
        ):
            providers.read_settings(provider, {"no_such_setting": "1"})


@pytest.mark.parametrize(
    "provider",
    [one for one in FOUND.values() if "payments" in one.serves],
    ids=lambda one: one.slug,
)
class TestEveryGateway:
    """What takes money."""

    async def test_says_that_it_is_not_set_up(self, provider: Provider, tmp_path: Path) -> None:
        """Without a key nothing is sent, and staff are the ones to mend it."""
        gateway = _make(provider, tmp_path).payments
        assert gateway is not None
        with pytest.raises(ProviderError) as caught:
            await gateway.create(INTENT)
        with pytest.raises(CallbackRefused):
            gateway.read_callback({}, b"{}")
        assert (caught.value.cause, caught.value.ours, caught.value.unknown) == (
            Cause.PROVIDER_UNAVAILABLE,
            True,
            False,
        )

    async def test_is_given_no_money_that_its_fake_has_no_rate_for(
        self, provider: Provider, tmp_path: Path
    ) -> None:
        """A word that is no money is no coin either: nothing is seen, and the invoice is as it was.

        Case does not matter.
        """
        async with serving_gateway(provider, tmp_path, clock=FakeClock(NOON)) as served:
            made = await served.gateway.create(INTENT)
            asked = {"invoice_id": made.gateway_id, "reference": INTENT.reference, "since": NOON}
            before = await served.gateway.look_up(**asked)
            for currency in ("XYZ", "GBP"):
                with pytest.raises(UnknownMoney):
                    await served.fake.pay(INTENT.reference, amount=INTENT.amount, currency=currency)
            assert await served.gateway.look_up(**asked) == before
            await served.fake.pay(INTENT.reference, amount=INTENT.amount, currency="eur")
            (payment,) = await served.gateway.look_up(**asked)
        assert (payment.status, payment.paid) == (PaymentStatus.PAID, payment.due)

    @pytest.mark.parametrize(
        "word", ["wrong_asset_confirmed", "under_review", "partially_refunded", "Finished", "42"]
    )
    async def test_shows_money_under_a_word_that_nobody_knows(
        self, provider: Provider, tmp_path: Path, word: str
    ) -> None:
        """A status word that is not in the gateway's table is UNKNOWN and never paid nor waiting.

        The word and the money are kept.
        """
        async with serving_gateway(provider, tmp_path, clock=FakeClock(NOON)) as served:
            made = await served.gateway.create(INTENT)
            await served.fake.pay(INTENT.reference)
            asked = {"invoice_id": made.gateway_id, "reference": INTENT.reference, "since": NOON}
            (paid,) = await served.gateway.look_up(**asked)
            await served.fake.say(INTENT.reference, word)
            (payment,) = await served.gateway.look_up(**asked)
            (listed,) = await served.gateway.payments(
                since=NOON - timedelta(days=1), until=NOON + timedelta(days=1)
            )
        assert (payment.status, payment.gateway_status, payment.paid) == (
            PaymentStatus.UNKNOWN,
            word,
            paid.paid,
        )
        assert (listed.status, listed.gateway_status, listed.paid) == (
            PaymentStatus.UNKNOWN,
            word,
            paid.paid,
        )


class TestFindProviders:
    """The search for folders."""

    def test_finds_every_folder(self) -> None:
        """A folder with a package in it is a provider, with no list to be edited."""
        folders = {
            path.parent.name for path in Path(providers.__file__).parent.glob("*/__init__.py")
        }
        assert set(FOUND) == folders - {"tests"}

    def test_keeps_the_make_believe_out_of_production(self) -> None:
        """A provider that serves a simulation says that it is make-believe."""
        assert all(
            provider.make_believe == ("simulation" in provider.serves)
            for provider in FOUND.values()
        )
