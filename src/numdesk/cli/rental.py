"""`numdesk rental`: countries, prices and rentals by the hour and by the day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import CountryCode, InputFile, OutputFile, count
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.list_report import report
from numdesk.cli.lists import complaints_into, opened_list
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.domain.rentals.lifecycle import CURRENCY, RentalService, RentalState, RentType
from numdesk.usecases.rentals import prices as rental_prices
from numdesk.usecases.rentals import reading
from numdesk.usecases.rentals.prices import GivenRentalPrice, RentalList

app = cyclopts.App(name="rental", help="Price, open and list rentals by the hour and by the day.")
prices = cyclopts.App(name="prices", help="Load and show the price list.")
app.command(prices)

Flag = Annotated[bool, Parameter(negative="")]
#: Rentals in one list.
LIMIT_MAX = 1000
Limit = Annotated[int, Parameter(converter=count("rentals", LIMIT_MAX))]


@prices.command
def load(file: InputFile, *, errors: OutputFile | None = None, common: Common | None = None) -> int:
    """Set prices from a CSV file; loading the same file again changes nothing.

    Lines that contradict each other are reported, and none of them is loaded.

    Parameters
    ----------
    file
        Columns country,service,rent_type,period,price[,priority]: ISO 3166 letters, the service's
        code, SHORT (by the hour) or LONG (by the day), the number of hours or days, euros with at
        most two decimals or "off", and the service's position in the list (lowest first).
    errors
        A file for every line that was refused.
    """
    common = common or Common()
    columns = {
        "needed": ["country", "service", "rent_type", "period", "price"],
        "optional": ["priority"],
    }
    with (
        complaints_into(errors, inputs=[file]) as complaints,
        opened_list(file, **columns) as found,
    ):
        total = at_desk(
            common,
            lambda desk: rental_prices.load(desk.rt, found.rows(_given), complain=complaints.add),
        )
    return report(total, complaints, common, done=("price set", "prices set"), same="as before")


@prices.command(name="list")
def show_prices(*, country: str | None = None, common: Common | None = None) -> None:
    """Show the prices of each service, in euros.

    Parameters
    ----------
    country
        Only this country: ISO 3166 letters, or its name for customers.
    """
    common = common or Common()
    facts = _price_facts(at_desk(common, lambda desk: rental_prices.price_list(desk.rt)), country)
    columns = ["country", "service", "rent_type", "priority", "prices"]
    rows = [(*(fact[name] for name in columns[:4]), _shown(fact["prices"])) for fact in facts]
    text = (
        table(columns, rows)
        if rows
        else "There are no prices yet: `numdesk rental prices load FILE.csv` sets them."
    )
    print_result(facts, as_json=common.json, text=text)


@app.command
def countries(*, common: Common | None = None) -> None:
    """List the open and the announced countries."""
    common = common or Common()
    known = at_desk(common, lambda desk: rental_prices.price_list(desk.rt)).countries.values()
    facts = [{"country": one.iso2, "name": one.name, "open": one.open} for one in known]
    rows = [
        (fact["country"], fact["name"], "open" if fact["open"] else "announced") for fact in facts
    ]
    text = (
        table(["country", "name", "state"], rows)
        if rows
        else "There are no countries yet: `numdesk rental open ES` opens Spain."
    )
    print_result(facts, as_json=common.json, text=text)


@app.command(name="open")
def open_country(
    country: CountryCode, *, name: str | None = None, common: Common | None = None
) -> None:
    """Let customers rent numbers of a country.

    Parameters
    ----------
    country
        ISO 3166 letters.
    name
        The country's name for customers; default: the present name, or the English one.
    """
    _set_country(country, name, is_open=True, common=common or Common())


@app.command
def close(country: CountryCode, *, name: str | None = None, common: Common | None = None) -> None:
    """Announce a country only: running rentals go on and can be extended, new ones are refused.

    Parameters
    ----------
    country
        ISO 3166 letters.
    name
        The country's name for customers; default: the present name, or the English one.
    """
    _set_country(country, name, is_open=False, common=common or Common())


@app.command(name="list")
def show(*, ended: Flag = False, limit: Limit = 100, common: Common | None = None) -> None:
    """List the running rentals, newest first.

    Parameters
    ----------
    ended
        List the ended rentals instead.
    limit
        The number of rentals, at most 1000.
    """
    common = common or Common()
    states = frozenset(RentalState) - {RentalState.ACTIVE} if ended else reading.ACTIVE_ONLY
    found = at_desk(
        common, lambda desk: reading.listing(desk.rt, states=states, limit=limit, offset=0)
    )
    facts = [
        {
            "rental": one.public_id,
            "customer": one.customer_id,
            "number": str(one.msisdn),
            "country": one.country,
            "services": [service.code for service in one.services],
            "rent_type": one.rent_type.name,
            "state": one.state.name.lower(),
            "starts_at": one.starts_at.isoformat(),
            "expires_at": one.expires_at.isoformat(),
            "price": one.price,
        }
        for one in found.items
    ]
    columns = ["rental", "customer", "number", "services", "state", "from", "until", "price"]
    rows = [
        (
            one.public_id,
            one.customer_id,
            str(one.msisdn),
            ", ".join(service.code for service in one.services),
            one.state.name.lower(),
            f"{one.starts_at:%Y-%m-%d %H:%M}",
            f"{one.expires_at:%Y-%m-%d %H:%M}",
            _euros(one.price),
        )
        for one in found.items
    ]
    text = table(columns, rows) if rows else "There are no such rentals."
    print_result({"total": found.total, "rentals": facts}, as_json=common.json, text=text)


def _set_country(country: str, name: str | None, *, is_open: bool, common: Common) -> None:
    async def change(desk: Desk) -> tuple[bool, RentalList]:
        return await rental_prices.set_country(
            desk.rt, iso2=country, name=name, is_open=is_open
        ), await rental_prices.price_list(desk.rt)

    changed, known = at_desk(common, change)
    one = next(found for found in known.countries.values() if found.iso2 == country.strip().upper())
    what = "open for rentals" if one.open else "announced only"
    print_result(
        {"country": one.iso2, "name": one.name, "open": one.open, "changed": changed},
        as_json=common.json,
        text=f"{one.name} ({one.iso2}) is {what}" + ("." if changed else ", as before."),
    )


def _given(line: int, cells: dict[str, str]) -> GivenRentalPrice:
    return GivenRentalPrice(
        line,
        cells["country"],
        cells["service"],
        cells["rent_type"],
        cells["period"],
        cells["price"],
        cells.get("priority", ""),
    )


def _price_facts(known: RentalList, country: str | None) -> list[dict[str, Any]]:
    """Return one row per country, type and service. Raises CommandRefused."""
    wanted = (country or "").strip().lower()
    chosen = [
        one
        for one in known.countries.values()
        if wanted in ("", one.iso2.lower(), one.name.lower())
    ]
    if wanted and not chosen:
        raise CommandRefused(
            f"{country} is not a country with rentals; `numdesk rental countries` lists them."
        )
    return [
        _service_facts(one.name, rent_type, service)
        for one in chosen
        for rent_type in RentType
        for service in known.services.get((one.id, rent_type), ())
    ]


def _service_facts(country: str, rent_type: RentType, service: RentalService) -> dict[str, Any]:
    return {
        "country": country,
        "service": service.code,
        "rent_type": rent_type.name,
        "priority": service.priority,
        "currency": CURRENCY,
        "prices": dict(service.prices),
    }


def _shown(prices: Mapping[int, int]) -> str:
    return "  ".join(f"{units}: {_euros(cents)}" for units, cents in prices.items())


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
