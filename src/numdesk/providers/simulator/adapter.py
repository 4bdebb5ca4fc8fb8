"""The simulator's side of the ports: deterministic, and as honest about what it did as a good
upstream is."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from numdesk.domain.stock import atlas
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.inbound import MessageReceived
from numdesk.ports.simulation import UnknownOutcome
from numdesk.ports.suppliers import Outcome, Reserved, Tier, Wanted
from numdesk.providers.simulator.world import Sale, World

#: Where the simulator's numbers begin within a country's range, and how many there are; our own
#: stock in the sandbox ends below.
SERIAL_FIRST = 500_000
SERIALS = 500_000
#: Operators are offered for the best-known services only.
SERVICES_WITH_OPERATORS = 20

#: Outcomes that are a definite "no", in the words of the port. Nothing was done.
_REFUSALS = {
    "no_numbers": Cause.NO_NUMBERS,
    "price_rejected": Cause.PRICE_REJECTED,
    "error_500": Cause.PROVIDER_ERROR,
}
#: `timeout` loses the call before the work, `late_ok` loses the answer after it: the buyer cannot
#: tell which, and must look up.
_LOST = ("timeout", "late_ok")
OUTCOMES = (*_REFUSALS, *_LOST, "provider_account_balance", "slow", "ok")
METHODS = ("reserve", "reactivate", "release", "resend", "look_up", "tiers")
#: Methods that an outcome without a method's name waits for: those that change something.
_CHANGING = ("reserve", "reactivate", "release", "resend")


class SimulatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The time of a call, as if over a network, and of a slow one."""

    delay_s: float = 0.003
    slow_s: float = 2.0


class Simulator:
    """Sells numbers of every country for every service, and changes money.

    See `ports/suppliers.py` and `ports/rates.py`.
    """

    def __init__(
        self,
        world: World,
        settings: SimulatorSettings,
        *,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._world = world
        self._settings = settings
        self._sleep = sleep

    async def tiers(self) -> Sequence[Tier]:
        """Return one tier per country and service, and one per operator for the best-known
        services."""
        await self._call("tiers")
        used = await self._world.open_sales()
        found: list[Tier] = []
        for country in atlas.COUNTRIES:
            for rank, service in enumerate(atlas.SERVICES):
                taken = used.get((country.iso2, service.code), 0)
                operators = (
                    (None, *country.operators) if rank < SERVICES_WITH_OPERATORS else (None,)
                )
                found.extend(
                    Tier(
                        country.iso2,
                        service.code,
                        operator.code if operator else None,
                        max(0, _stock(country, service) - taken),
                        cost_of(country, service, operator is not None),
                    )
                    for operator in operators
                )
        return found

    async def reserve(self, wanted: Wanted) -> Reserved:
        """Sell a number; the same reference gets the same number again."""
        lost = await self._call("reserve")
        country, service = _place(wanted)
        cost = cost_of(country, service, wanted.operator is not None)
        if cost > wanted.cost_max:
            raise ProviderError(Cause.PRICE_REJECTED, f"costs {cost}, not {wanted.cost_max}")
        sale = await self._world.sell(
            _draft(wanted, msisdn=atlas.synthetic_msisdn(country, SERIAL_FIRST), cost=cost),
            serials=SERIALS,
        )
        _lose(lost)
        return _reserved(sale)

    async def look_up(self, reference: str) -> Reserved | None:
        """Return what a reference bought, however its answer was lost."""
        await self._call("look_up")
        sale = await self._world.sale_of(reference)
        return _reserved(sale) if sale else None

    async def release(self, provider_ref: str, outcome: Outcome) -> None:  # noqa: ARG002 - all ends are one to it
        """End the use of a number; an unknown one is no harm."""
        lost = await self._call("release")
        await self._world.close_sale(_sale_id(provider_ref))
        _lose(lost)

    async def resend(self, provider_ref: str) -> bool:
        """Say yes for a number that is in use."""
        lost = await self._call("resend")
        answer = await self._world.is_open(_sale_id(provider_ref))
        _lose(lost)
        return answer

    async def reactivate(self, wanted: Wanted, *, msisdn: int) -> Reserved:
        """Sell a number once more that was sold before and is not in use."""
        lost = await self._call("reactivate")
        country, service = _place(wanted)
        last = await self._world.last_sale_of(msisdn)
        if last is None or (last.open and last.reference != wanted.reference):
            raise ProviderError(Cause.NO_NUMBERS, f"{msisdn} cannot be had again")
        cost = cost_of(country, service, wanted.operator is not None)
        if cost > wanted.cost_max:
            raise ProviderError(Cause.PRICE_REJECTED, f"costs {cost}, not {wanted.cost_max}")
        sale = await self._world.sell(_draft(wanted, msisdn=msisdn, cost=cost), serials=0)
        _lose(lost)
        return _reserved(sale)

    async def reactivation_cost(self, *, msisdn: int, service: str) -> int | None:
        """Return the price of the number's tier, or None while the number is in use or when it
        never was."""
        await self._sleep(self._settings.delay_s)
        last = await self._world.last_sale_of(msisdn)
        wanted = atlas.SERVICES_BY_CODE.get(service)
        if last is None or last.open or wanted is None:
            return None
        return cost_of(atlas.COUNTRIES_BY_ISO2[last.country], wanted, last.operator is not None)

    async def rate(self, pair: str) -> int | None:
        """Return the rate that the world has now."""
        await self._sleep(self._settings.delay_s)
        return await self._world.rate(pair)

    async def script(self, outcomes: Sequence[str]) -> None:
        """Say what comes next, in the place of earlier scripts: `no_numbers` for any next call,
        `release:error_500` for a release."""
        await self._world.script([_step(outcome) for outcome in outcomes])

    async def scripted(self) -> list[str]:
        """Return the outcomes that no call has met yet."""
        return [
            f"{method}:{outcome}" if method else outcome
            for method, outcome in await self._world.scripted()
        ]

    async def set_rate(self, pair: str, value: int | None) -> None:
        """Change the rate that the world has."""
        await self._world.set_rate(pair, value)

    async def owns(self, msisdn: int) -> bool:
        """Return whether this number was ever sold."""
        return await self._world.last_sale_of(msisdn) is not None

    def text(self, *, to: int, sender: str, text: str) -> MessageReceived:
        """Return a new message under a new id."""
        return MessageReceived(
            provider="simulator",
            provider_message_id=uuid.uuid4().hex,
            to=to,
            sender=sender,
            text=text,
        )

    async def _call(self, method: str) -> str | None:
        """Take as long as a call takes and play the next scripted outcome.

        Return how the answer will be lost, if so.
        """
        await self._sleep(self._settings.delay_s)
        outcome = await self._world.next_outcome(method, unnamed=method in _CHANGING)
        if outcome == "slow":
            await self._sleep(self._settings.slow_s)
        if outcome == "provider_account_balance":
            raise ProviderError(
                Cause.PROVIDER_ACCOUNT_BALANCE, "our credit there is used up", ours=True
            )
        if outcome in _REFUSALS:
            raise ProviderError(_REFUSALS[outcome], f"the script says {outcome}")
        if outcome == "timeout":
            _lose(outcome)
        return outcome


def cost_of(country: atlas.CountryFacts, service: atlas.ServiceFacts, by_operator: bool) -> int:
    """Return what a number costs us here, in rupiah: the same today and tomorrow."""
    base = 900 + (country.id * 7919 + service.id * 104_729) % 8000
    return base + base // 5 if by_operator else base


def _stock(country: atlas.CountryFacts, service: atlas.ServiceFacts) -> int:
    return 50 + (country.id * 613 + service.id * 37) % 4950


def _place(wanted: Wanted) -> tuple[atlas.CountryFacts, atlas.ServiceFacts]:
    country, service = (
        atlas.COUNTRIES_BY_ISO2.get(wanted.country),
        atlas.SERVICES_BY_CODE.get(wanted.service),
    )
    known = country is not None and (
        wanted.operator is None
        or wanted.operator in {operator.code for operator in country.operators}
    )
    if country is None or service is None or not known:
        raise ProviderError(Cause.NO_NUMBERS, f"nothing for {wanted.service} in {wanted.country}")
    return country, service


def _draft(wanted: Wanted, *, msisdn: int, cost: int) -> Sale:
    return Sale(
        0,
        wanted.reference,
        msisdn,
        wanted.country,
        wanted.service,
        wanted.operator,
        cost,
        open=True,
    )


def _reserved(sale: Sale) -> Reserved:
    return Reserved(provider_ref=f"sim-{sale.id}", msisdn=sale.msisdn, cost=sale.cost)


def _sale_id(provider_ref: str) -> int:
    digits = provider_ref.removeprefix("sim-")
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _lose(lost: str | None) -> None:
    if lost in _LOST:
        raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "no answer in time", unknown=True)


def _step(text: str) -> tuple[str | None, str]:
    method, separator, outcome = text.rpartition(":")
    if outcome not in OUTCOMES or (separator and method not in METHODS):
        raise UnknownOutcome(text)
    return (method or None), outcome
