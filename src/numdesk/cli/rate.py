"""`numdesk rate`: the exchange rates of shown prices."""

from __future__ import annotations

from datetime import datetime

import cyclopts

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import Pair, RateValue
from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import print_result, table
from numdesk.usecases import rates

app = cyclopts.App(name="rate", help="Show and set exchange rates.")


@app.command(name="set")
def set_rate(pair: Pair, rate: RateValue, *, common: Common | None = None) -> None:
    """Set the worth of one unit of the first currency in minor units of the second.

    0 removes the rate.

    Parameters
    ----------
    pair
        Two currencies, such as USD/IDR.
    rate
        A whole number, such as 16250.
    """
    common, pair = common or Common(), pair.strip().upper()
    at_desk(common, lambda desk: rates.set_rate(desk.rt, pair, rate or None))
    text = (
        f"One {pair.partition('/')[0]} is worth {rate} now." if rate else f"{pair} has no rate now."
    )
    print_result({"pair": pair, "rate": rate or None}, as_json=common.json, text=text)


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """List all rates; a rate older than a day is not used."""
    common = common or Common()

    async def read(desk: Desk) -> tuple[list[rates.Rate], datetime]:
        return await rates.every(desk.rt), desk.rt.clock.now()

    found, now = at_desk(common, read)
    facts = [
        {
            "pair": rate.pair,
            "rate": rate.value,
            "as_of": rate.as_of,
            "usable": rates.is_fresh(rate, now),
        }
        for rate in found
    ]
    rows = [
        (fact["pair"], fact["rate"], fact["as_of"], "yes" if fact["usable"] else "no, too old")
        for fact in facts
    ]
    print_result(facts, as_json=common.json, text=table(["pair", "rate", "as of", "usable"], rows))
