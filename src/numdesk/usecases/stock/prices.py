"""Prices of offers: load a list of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from numdesk.domain.money import DECIMALS, print_amount
from numdesk.domain.stock.catalogue import LOCAL
from numdesk.storage.stock import numbers as rows
from numdesk.usecases.stock.lists import (
    CHUNK,
    BadLine,
    Fact,
    Loaded,
    PriceList,
    Stated,
    chunks,
    read_amount,
)
from numdesk.usecases.stock.words import Words, add_named, code_of, find_words, read_place

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class GivenPrice:
    """A line of a price list, as text.

    The operator may be empty, the cost (it is then left as it is) and the provider (us) too.
    """

    line: int
    country: str
    service: str
    operator: str
    currency: str
    price: str
    cost: str = ""
    provider: str = LOCAL
    available: int = 0


@dataclass(frozen=True, slots=True)
class PriceRules:
    """The permissions of a price list: add operators, give numbers away (a price of 0), sell below
    the cost.

    `currencies` are those that somebody here sells in: a price in another one would never be shown,
    its cost taken for the wrong money.
    """

    new_operators: bool = False
    free: bool = False
    losses: bool = False
    currencies: Collection[str] = tuple(DECIMALS)


#: The rules of a list that is loaded without any flag.
STRICT = PriceRules()


async def price(
    rt: Runtime,
    prices: Iterable[GivenPrice | BadLine],
    *,
    rules: PriceRules = STRICT,
    complain: Callable[[BadLine], None],
) -> Loaded:
    """Set the prices of a list, making the offers that are missing.

    `added` counts the prices that are new or changed.

    Lines that contradict each other are not loaded, nor is a price of 0 or below the cost unless
    the rules allow it. An offer of a supplier has none available before
    `catalogue.refresh_supplier` has asked it; its cost then comes from there, too. Refuses with
    InvalidInput when the list is too long.
    """
    total = Loaded()
    known = await find_words(rt)
    providers = frozenset({LOCAL, *rt.suppliers})
    listed: PriceList[rows.PriceLine] = PriceList(complain, total)
    for chunk in chunks(prices, CHUNK):
        total.read += len(chunk)
        good = [given for given in chunk if isinstance(given, GivenPrice)]
        places, services = (
            [(given.country, given.operator) for given in good],
            [given.service for given in good],
        )
        await add_named(rt, known, places, services, new_operators=rules.new_operators)
        listed.add(
            given if isinstance(given, BadLine) else _price_line(given, known, providers, rules)
            for given in chunk
        )
    agreed, facts = listed.agreed()
    for batch in chunks(agreed, CHUNK):
        lines = [replace(one.line, cost=facts.get(_cost_of(one.line))) for one in batch]
        losing, changed = await rt.run(
            "stock.price", lambda tx, lines=lines: _set_prices(tx, lines, rules)
        )
        if rules.losses:
            total.losses += len(losing)
        else:
            for place, cost in losing.items():
                listed.refuse(_below_cost(batch[place], cost))
            lines = [line for place, line in enumerate(lines) if place not in losing]
        total.added += changed
        total.present += len(lines) - changed
    rt.memory.forget("catalogue")
    return total


async def _set_prices(
    tx: Tx, lines: Sequence[rows.PriceLine], rules: PriceRules
) -> tuple[dict[int, int], int]:
    """Set prices, those below their cost only when the rules allow it.

    Return the cost of those by place, and how many changed.
    """
    losing = await rows.below_cost(tx, lines=lines)
    kept = (
        lines if rules.losses else [line for place, line in enumerate(lines) if place not in losing]
    )
    return losing, await rows.set_prices(tx, lines=kept)


def _price_line(
    given: GivenPrice, known: Words, providers: frozenset[str], rules: PriceRules
) -> Stated[rows.PriceLine] | BadLine:
    place = read_place(given.line, given.country, given.operator, known)
    if isinstance(place, BadLine):
        return place
    wrong = _wrong_word(given, known, providers, rules.currencies)
    if wrong is not None:
        return wrong
    service_id, provider, currency = (
        known.services[code_of(given.service)],
        code_of(given.provider) or LOCAL,
        given.currency.strip().upper(),
    )
    price, cost = (
        read_amount(given.line, given.price, currency),
        read_amount(given.line, given.cost.strip() or "0", currency),
    )
    if isinstance(price, BadLine):
        return price
    if isinstance(cost, BadLine):
        return cost
    if price == 0 and not rules.free:
        return BadLine(
            given.line,
            given.price,
            "would give the number away: set a price, or load the list with --allow-free",
        )
    line = rows.PriceLine(
        place[0], service_id, place[1], provider, currency, price, None, given.available
    )
    facts: dict[Hashable, Fact] = {
        ("price", currency, *_cost_of(line)): Fact(f"price in {currency}", price, given.price)
    }
    if given.cost.strip():
        facts[_cost_of(line)] = Fact("cost", cost, given.cost)
    return Stated(given.line, facts, line)


def _cost_of(line: rows.PriceLine) -> tuple[Hashable, ...]:
    """Return the subject of an offer's cost."""
    return ("cost", line.country_id, line.service_id, line.operator_id, line.provider)


def _below_cost(one: Stated[rows.PriceLine], cost: int) -> BadLine:
    """Return the complaint about a price below the offer's cost, given in minor units."""
    text, currency = next(iter(one.facts.values())).text, one.line.currency
    reason = (
        f"is below the cost of {print_amount(cost, currency)}: raise the price, or load the list "
        f"with --allow-loss"
    )
    return BadLine(one.number, text, reason)


def _wrong_word(
    given: GivenPrice, known: Words, providers: frozenset[str], currencies: Collection[str]
) -> BadLine | None:
    """Return which word of a price's line is not known, None when all are."""
    if (code_of(given.provider) or LOCAL) not in providers:
        return BadLine(
            given.line,
            given.provider,
            f"is no provider of this desk ({', '.join(sorted(providers))})",
        )
    if code_of(given.service) not in known.services:
        return BadLine(
            given.line, given.service, "is no service that is known here, such as whatsapp"
        )
    if given.currency.strip().upper() not in currencies:
        return BadLine(
            given.line,
            given.currency,
            f"is not a currency that orders are priced in here: {', '.join(sorted(currencies))}",
        )
    return None
