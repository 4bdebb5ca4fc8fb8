"""`numdesk stock`: our own numbers and their prices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import InputFile, OutputFile
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.list_report import report, show_progress
from numdesk.cli.lists import complaints_into, opened_list
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.domain.stock import atlas
from numdesk.usecases.stock import numbers as stock_numbers
from numdesk.usecases.stock import prices
from numdesk.usecases.stock.lists import BadLine, Loaded
from numdesk.usecases.stock.numbers import GivenNumber
from numdesk.usecases.stock.prices import GivenPrice, PriceRules

app = cyclopts.App(name="stock", help="Load, price, list and withdraw numbers of our own.")
Flag = Annotated[bool, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PriceFlags:
    """Permission for lines of a price list that are refused otherwise."""

    new_operators: Flag = False
    "Add unknown operators instead of refusing their lines."
    allow_free: Flag = False
    "Load prices of 0."
    allow_loss: Flag = False
    "Load prices below the cost."


@app.command
def load(
    file: InputFile,
    *,
    errors: OutputFile | None = None,
    new_operators: Flag = False,
    common: Common | None = None,
) -> int:
    """Add the numbers of a CSV file to stock; loading the same file again changes nothing.

    Parameters
    ----------
    file
        Columns msisdn,country[,operator]: digits in E.164, ISO 3166 letters, the operator's code.
    errors
        A file for every line that was refused.
    new_operators
        Add unknown operators instead of refusing their lines.
    """
    common = common or Common()

    columns = {"needed": ["msisdn", "country"], "optional": ["operator"]}
    with (
        complaints_into(errors, inputs=[file]) as complaints,
        opened_list(file, **columns) as found,
    ):
        lines = found.rows(_number)

        async def read(desk: Desk) -> Loaded:
            with show_progress(found, file, quiet=common.json) as progress:
                return await stock_numbers.load(
                    desk.rt,
                    lines,
                    new_operators=new_operators,
                    complain=complaints.add,
                    progress=progress,
                )

        total = at_desk(common, read)
    return report(total, complaints, common, done=("loaded", "loaded"), same="in stock already")


@app.command
def price(
    file: InputFile,
    *,
    errors: OutputFile | None = None,
    flags: PriceFlags | None = None,
    common: Common | None = None,
) -> int:
    """Set prices from a CSV file: of own numbers, or of a supplier's.

    Lines that contradict each other are reported, and none of them is loaded.

    Parameters
    ----------
    file
        Columns country,service,operator,currency,price[,cost][,provider]; amounts as decimals of
        the currency. Without a provider, or with "local", the line is about own numbers; a
        supplier's cost and count are then updated automatically.
    errors
        A file for every line that was refused.
    flags
        Permissions for lines that are refused otherwise.
    """
    common, flags = common or Common(), flags or PriceFlags()

    columns = {
        "needed": ["country", "service", "operator", "currency", "price"],
        "optional": ["cost", "provider"],
    }
    with (
        complaints_into(errors, inputs=[file]) as complaints,
        opened_list(file, **columns) as found,
    ):
        lines = found.rows(_price)

        async def read(desk: Desk) -> Loaded:
            sellers = [
                dialect
                for dialect in desk.dialects
                if any(route.operation == "orders.create" for route in dialect.routes)
            ]
            currencies = {dialect.currency for dialect in sellers}
            rules = PriceRules(flags.new_operators, flags.allow_free, flags.allow_loss, currencies)
            return await prices.price(desk.rt, lines, rules=rules, complain=complaints.add)

        total = at_desk(common, read)
    return report(total, complaints, common, done=("price set", "prices set"), same="as before")


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """Count own numbers by country and operator."""
    common = common or Common()
    found = at_desk(common, lambda desk: stock_numbers.summary(desk.rt))
    columns = ["country", "operator", "free", "taken", "rented", "quarantined", "withdrawn"]
    rows = [
        (
            line.country,
            line.operator,
            line.free,
            line.taken,
            line.rented,
            line.quarantined,
            line.withdrawn,
        )
        for line in found
    ]
    text = (
        table(columns, rows)
        if rows
        else "There are no numbers yet: `numdesk stock load FILE.csv` adds some."
    )
    print_result(
        [dict(zip(columns, row, strict=True)) for row in rows], as_json=common.json, text=text
    )


@app.command
def services(*, common: Common | None = None) -> None:
    """List the services for price lists."""
    facts = [{"service": service.code, "name": service.name} for service in atlas.SERVICES]
    text = table(["service", "name"], sorted((fact["service"], fact["name"]) for fact in facts))
    print_result(facts, as_json=(common or Common()).json, text=text)


@app.command
def countries(*, common: Common | None = None) -> None:
    """List the countries for lists, with their dial codes and known operators."""
    facts = [
        {
            "country": country.iso2,
            "name": country.name,
            "dial_code": country.dial_code,
            "operators": [operator.code for operator in country.operators],
        }
        for country in atlas.COUNTRIES
    ]
    rows = sorted(
        (one.iso2, one.name, f"+{one.dial_code}", ", ".join(known.code for known in one.operators))
        for one in atlas.COUNTRIES
    )
    print_result(
        facts,
        as_json=(common or Common()).json,
        text=table(["country", "name", "dial code", "operators"], rows),
    )


@app.command
def withdraw(
    *numbers: str,
    file: InputFile | None = None,
    errors: OutputFile | None = None,
    common: Common | None = None,
) -> int:
    """Withdraw numbers from sale for good; one in use stays until its order has ended.

    Parameters
    ----------
    numbers
        The numbers, in E.164.
    file
        A CSV file with the column msisdn, instead.
    errors
        A file for every number that was refused.
    """
    common = common or Common()
    if bool(numbers) == bool(file):
        raise CommandRefused(
            "The arguments are incomplete; expected numbers to withdraw, or --file FILE.csv."
        )
    with (
        complaints_into(errors, inputs=[file] if file else []) as complaints,
        _given(numbers, file) as found,
    ):
        total = at_desk(
            common, lambda desk: stock_numbers.withdraw(desk.rt, found, complain=complaints.add)
        )
    return report(
        total, complaints, common, done=("withdrawn", "withdrawn"), same="withdrawn before"
    )


@contextmanager
def _given(
    numbers: tuple[str, ...], file: Path | None
) -> Iterator[Iterator[GivenNumber | BadLine]]:
    if file is None:
        yield (GivenNumber(place, text, "", "") for place, text in enumerate(numbers, start=1))
        return
    with opened_list(file, needed=["msisdn"], optional=["country", "operator"]) as found:
        yield found.rows(lambda line, cells: GivenNumber(line, cells["msisdn"], "", ""))


def _number(line: int, cells: dict[str, str]) -> GivenNumber:
    return GivenNumber(line, cells["msisdn"], cells["country"], cells.get("operator", ""))


def _price(line: int, cells: dict[str, str]) -> GivenPrice:
    return GivenPrice(
        line,
        cells["country"],
        cells["service"],
        cells["operator"],
        cells["currency"],
        cells["price"],
        cells.get("cost", ""),
        cells.get("provider", ""),
    )
