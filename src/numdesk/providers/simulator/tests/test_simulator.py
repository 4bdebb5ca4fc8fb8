"""The fake upstream is as honest as a good real one, and plays what it is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from numdesk.domain.stock import atlas
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.simulation import UnknownOutcome
from numdesk.ports.suppliers import Outcome, Wanted
from numdesk.providers.simulator.adapter import Simulator, SimulatorSettings, cost_of
from numdesk.providers.simulator.world import World

INDONESIA, WHATSAPP = atlas.COUNTRIES_BY_ISO2["ID"], atlas.SERVICES_BY_CODE["whatsapp"]
COST = cost_of(INDONESIA, WHATSAPP, by_operator=False)


def wanted(reference: str = "r1", **changes: object) -> Wanted:
    """Returns an honest request, with changes."""
    values = {
        "country": "ID",
        "service": "whatsapp",
        "operator": None,
        "cost_max": COST,
        "currency": "IDR",
    }
    return Wanted(reference=reference, **{**values, **changes})


def simulator_of(world: World, slept: list[float]) -> Simulator:
    """Returns a simulator that only writes down how long it would have waited."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return Simulator(world, SimulatorSettings(), sleep=sleep)


@pytest.fixture
def slept() -> list[float]:
    """How long the simulator has waited."""
    return []


@pytest.fixture
async def simulator(tmp_path: Path, slept: list[float]) -> AsyncIterator[Simulator]:
    """A simulator of its own world."""
    world = World(tmp_path / "world.sqlite")
    yield simulator_of(world, slept)
    world.close()


class TestReserve:
    """Buying a number."""

    async def test_sells_a_number_of_the_country(self, simulator: Simulator) -> None:
        """A sold number begins with the country's code and costs what the tier says."""
        reserved = await simulator.reserve(wanted())
        assert str(reserved.msisdn).startswith("62")
        assert reserved.cost == COST

    async def test_never_sells_twice_for_one_reference(self, simulator: Simulator) -> None:
        """The same reference is answered with the same number."""
        assert await simulator.reserve(wanted()) == await simulator.reserve(wanted())

    async def test_gives_different_references_different_numbers(self, simulator: Simulator) -> None:
        """Two purchases are two numbers."""
        first, second = await simulator.reserve(wanted("a")), await simulator.reserve(wanted("b"))
        assert first.msisdn != second.msisdn

    async def test_refuses_a_price_below_its_own(self, simulator: Simulator) -> None:
        """We never pay more than we offered."""
        with pytest.raises(ProviderError) as caught:
            await simulator.reserve(wanted(cost_max=COST - 1))
        assert caught.value.cause is Cause.PRICE_REJECTED

    @pytest.mark.parametrize(
        "change", [{"country": "XX"}, {"service": "nope"}, {"operator": "nope"}]
    )
    async def test_has_nothing_where_it_sells_nothing(
        self, simulator: Simulator, change: dict[str, str]
    ) -> None:
        """An unknown country, service or operator has no numbers."""
        with pytest.raises(ProviderError) as caught:
            await simulator.reserve(wanted(**change))
        assert caught.value.cause is Cause.NO_NUMBERS

    async def test_takes_as_long_as_a_network(
        self, simulator: Simulator, slept: list[float]
    ) -> None:
        """A call is not instant, so that code which cannot wait shows itself."""
        await simulator.reserve(wanted())
        assert slept == [SimulatorSettings().delay_s]


class TestScript:
    """Playing what it is told."""

    @pytest.mark.parametrize(
        ("outcome", "cause", "unknown", "done"),
        [
            ("no_numbers", Cause.NO_NUMBERS, False, False),
            ("price_rejected", Cause.PRICE_REJECTED, False, False),
            ("error_500", Cause.PROVIDER_ERROR, False, False),
            ("provider_account_balance", Cause.PROVIDER_ACCOUNT_BALANCE, False, False),
            ("timeout", Cause.PROVIDER_UNAVAILABLE, True, False),
            ("late_ok", Cause.PROVIDER_UNAVAILABLE, True, True),
        ],
    )
    async def test_fails_as_told_and_tells_the_truth_after(
        self, simulator: Simulator, outcome: str, cause: Cause, unknown: bool, done: bool
    ) -> None:
        """After each failure a look-up says whether the number was sold, and only `late_ok` sold
        it."""
        await simulator.script([outcome])
        with pytest.raises(ProviderError) as caught:
            await simulator.reserve(wanted())
        assert (caught.value.cause, caught.value.unknown) == (cause, unknown)
        assert (await simulator.look_up("r1") is not None) is done

    async def test_plays_each_outcome_once_and_in_order(self, simulator: Simulator) -> None:
        """A script is used up."""
        await simulator.script(["no_numbers", "ok"])
        with pytest.raises(ProviderError):
            await simulator.reserve(wanted())
        await simulator.reserve(wanted())
        assert await simulator.scripted() == []

    async def test_keeps_a_named_outcome_for_its_method(self, simulator: Simulator) -> None:
        """`release:error_500` waits for a release, whatever comes before."""
        await simulator.script(["release:error_500"])
        reserved = await simulator.reserve(wanted())
        with pytest.raises(ProviderError):
            await simulator.release(reserved.provider_ref, Outcome.CANCELED)

    async def test_does_not_waste_an_outcome_on_a_question(self, simulator: Simulator) -> None:
        """A look-up or a price list does not use up what is meant for a purchase."""
        await simulator.script(["no_numbers"])
        await simulator.look_up("r1")
        assert await simulator.scripted() == ["no_numbers"]

    async def test_is_slow_when_told(self, simulator: Simulator, slept: list[float]) -> None:
        """A slow call succeeds after a long wait."""
        await simulator.script(["slow"])
        await simulator.reserve(wanted())
        assert SimulatorSettings().slow_s in slept

    @pytest.mark.parametrize("word", ["nope", "nope:ok", ""])
    async def test_refuses_words_it_cannot_play(self, simulator: Simulator, word: str) -> None:
        """A misspelt outcome is refused and nothing of its list is kept."""
        with pytest.raises(UnknownOutcome):
            await simulator.script(["ok", word])
        assert await simulator.scripted() == []


class TestMemory:
    """The world outside does not forget."""

    async def test_is_shared_and_survives(self, tmp_path: Path) -> None:
        """Another process on the same file, then or later, sees what was sold and what is
        scripted."""
        first, second = World(tmp_path / "w"), World(tmp_path / "w")
        sold = await simulator_of(first, []).reserve(wanted())
        await simulator_of(first, []).script(["no_numbers"])
        first.close()
        other = simulator_of(second, [])
        assert await other.look_up("r1") == sold
        assert await other.scripted() == ["no_numbers"]
        second.close()

    async def test_sells_a_number_again_only_when_it_is_free(self, simulator: Simulator) -> None:
        """Reactivation needs a number that was sold and released."""
        first = await simulator.reserve(wanted())
        with pytest.raises(ProviderError):
            await simulator.reactivate(wanted("r2"), msisdn=first.msisdn)
        await simulator.release(first.provider_ref, Outcome.COMPLETED)
        assert await simulator.reactivation_cost(msisdn=first.msisdn, service="whatsapp") == COST
        again = await simulator.reactivate(wanted("r2"), msisdn=first.msisdn)
        assert again.msisdn == first.msisdn
        assert again == await simulator.reactivate(wanted("r2"), msisdn=first.msisdn)

    async def test_resends_only_to_a_number_in_use(self, simulator: Simulator) -> None:
        """One more message can come to a rented number and to no other."""
        sold = await simulator.reserve(wanted())
        assert await simulator.resend(sold.provider_ref)
        await simulator.release(sold.provider_ref, Outcome.EXPIRED)
        await simulator.release(sold.provider_ref, Outcome.EXPIRED)
        assert not await simulator.resend(sold.provider_ref)
        assert not await simulator.resend("nonsense")

    async def test_counts_what_is_in_use(self, simulator: Simulator) -> None:
        """A sold number is missing from the tier's stock."""

        async def stock() -> int:
            return next(
                tier.available
                for tier in await simulator.tiers()
                if (tier.country, tier.service, tier.operator) == ("ID", "whatsapp", None)
            )

        before = await stock()
        await simulator.reserve(wanted())
        assert await stock() == before - 1

    async def test_knows_a_rate_until_it_is_taken_away(self, simulator: Simulator) -> None:
        """The world has a rate from the start, and none for a pair that it was told to forget."""
        assert await simulator.rate("USD/IDR") == 16250
        await simulator.set_rate("USD/IDR", None)
        assert await simulator.rate("USD/IDR") is None

    async def test_names_every_message_anew(self, simulator: Simulator) -> None:
        """Two texts are two messages, even when they are equal."""
        first = simulator.text(to=1, sender="a", text="b")
        assert (
            first.provider_message_id
            != simulator.text(to=1, sender="a", text="b").provider_message_id
        )


class TestBrokenFile:
    """A world whose file cannot be read."""

    async def test_is_an_upstream_that_does_not_answer(
        self, tmp_path: Path, slept: list[float]
    ) -> None:
        """Every question to it fails as one to a company that is out of reach, with an outcome that
        nobody knows."""
        (tmp_path / "world.sqlite").mkdir()
        world = World(tmp_path / "world.sqlite")
        simulator = simulator_of(world, slept)
        try:
            for asked in (
                simulator.reserve(wanted()),
                simulator.tiers(),
                simulator.look_up("r1"),
                simulator.rate("USD/IDR"),
            ):
                with pytest.raises(ProviderError) as failed:
                    await asked
                assert (failed.value.cause, failed.value.unknown) == (
                    Cause.PROVIDER_UNAVAILABLE,
                    True,
                )
        finally:
            world.close()
