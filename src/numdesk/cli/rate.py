"""`numdesk rate`: the exchange rates that prices are shown at."""

from __future__ import annotations

import asyncio

import cyclopts

from numdesk.cli.attach import Common, attached
from numdesk.cli.given import Whole
from numdesk.cli.outcome import CommandRefused, table, tell
from numdesk.usecases import rates

app = cyclopts.App(name="rate", help="Look at and set exchange rates.")


@app.command(name="set")
def set_rate(pair: str, rate: Whole, *, common: Common | None = None) -> None:
    """Set how many minor units of the second currency one unit of the first is worth; 0 takes the rate away.

    Parameters
    ----------
    pair
        Two currencies, such as USD/IDR.
    rate
        A whole number, such as 16250.
    """
    if rate < 0:
        raise CommandRefused(f"The rate {rate} cannot be used: it must be a whole number from 0.")
    asyncio.run(_set(pair.strip().upper(), rate or None, common or Common()))


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """Show all rates; one that is older than a day is not used any more."""
    asyncio.run(_show(common or Common()))


async def _set(pair: str, rate: int | None, common: Common) -> None:
    async with attached(common) as desk:
        await rates.set_rate(desk.rt, pair, rate)
    said = f"One {pair.partition('/')[0]} is worth {rate} now." if rate else f"{pair} has no rate any more."
    tell({"pair": pair, "rate": rate}, as_json=common.json, text=said)


async def _show(common: Common) -> None:
    async with attached(common) as desk:
        found = await rates.every(desk.rt)
        now = desk.rt.clock.now()
    facts = [{"pair": rate.pair, "rate": rate.value, "as_of": rate.as_of, "usable": rates.is_fresh(rate, now)} for rate in found]
    rows = [(fact["pair"], fact["rate"], fact["as_of"], "yes" if fact["usable"] else "no, too old") for fact in facts]
    tell(facts, as_json=common.json, text=table(["pair", "rate", "as of", "usable"], rows))
