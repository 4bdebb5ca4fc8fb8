"""Our own numbers: counting them, loading many, taking them off the shelf.

And the prices of offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from numdesk.domain.stock.atlas import CountryFacts, OperatorFacts, ServiceFacts
from numdesk.storage.database.old_rows import by_columns
from numdesk.storage.database.pool import Tx


async def count_free(tx: Tx) -> dict[tuple[int, int | None], int]:
    """Count the free numbers by country and by operator.

    Both counts are read from partial indexes alone.
    """
    rows = await tx.fetch(
        """select country_id, null::int operator_id, count(*) n from numbers where state = 0
            group by country_id
           union all
           select country_id, operator_id, count(*) from numbers where state = 0
             and operator_id is not null
            group by country_id, operator_id"""
    )
    return {(row["country_id"], row["operator_id"]): row["n"] for row in rows}


async def count_cooling(tx: Tx, *, now: datetime) -> dict[tuple[int, int | None, int], int]:
    """Count the free numbers that may not be sold yet for a service, by country, operator and
    service."""
    rows = await tx.fetch(
        """select n.country_id, n.operator_id, u.service_id, count(*) n
             from number_uses u join numbers n on n.id = u.number_id and n.state = 0
            where u.until > $1 group by 1, 2, 3""",
        now,
    )
    cooling: dict[tuple[int, int | None, int], int] = {}
    for row in rows:
        for operator_id in {row["operator_id"], None}:
            key = (row["country_id"], operator_id, row["service_id"])
            cooling[key] = cooling.get(key, 0) + row["n"]
    return cooling


@dataclass(frozen=True, slots=True)
class NumberLine:
    """A number to be put on the shelf, and the line of the list that it stood on."""

    line: int
    msisdn: int
    country_id: int
    operator_id: int | None


@dataclass(frozen=True, slots=True)
class ShelfLine:
    """The count of numbers of a country, operator and state."""

    country: str
    operator: str | None
    free: int
    taken: int
    rented: int
    quarantined: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A number of a list that is here already, under another country or operator."""

    line: int
    msisdn: int
    country: str
    operator: str | None


async def insert_numbers(tx: Tx, *, lines: Sequence[NumberLine]) -> int:
    """Put numbers on the shelf and returns how many are new.

    Those that are here already are left as they are.

    A number's place on the shelf follows from its digits, so the same list always gives the same
    shelf.
    """
    found = await tx.fetchval(
        """with fresh as (
             insert into numbers (msisdn, country_id, operator_id, rnd)
             select u.msisdn, u.country_id, u.operator_id, hashint8(u.msisdn) & 2147483647
               from unnest($1::bigint[], $2::int[], $3::int[]) u(msisdn, country_id, operator_id)
             on conflict (msisdn) do nothing returning 1)
           select count(*) from fresh""",
        [line.msisdn for line in lines],
        [line.country_id for line in lines],
        [line.operator_id for line in lines],
    )
    assert isinstance(found, int)
    return found


async def elsewhere(tx: Tx, *, lines: Sequence[NumberLine]) -> list[Elsewhere]:
    """Return the numbers of a list that are here under another country or operator, by line."""
    found = await tx.fetch(
        """select u.line, u.msisdn, c.iso2, o.code
             from unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) u(msisdn, country_id,
               operator_id, line)
             join numbers n on n.msisdn = u.msisdn
             join countries c on c.id = n.country_id
             left join operators o on o.id = n.operator_id
            where n.country_id <> u.country_id or n.operator_id is distinct from u.operator_id
              order by u.line""",
        [line.msisdn for line in lines],
        [line.country_id for line in lines],
        [line.operator_id for line in lines],
        [line.line for line in lines],
    )
    return [Elsewhere(*row) for row in found]


async def withdraw(tx: Tx, *, msisdns: Sequence[int]) -> int:
    """Take numbers off the shelf for good, unless they are taken; return how many."""
    tag = await tx.execute(
        "update numbers set state = 3, free_at = null where msisdn = any($1::bigint[]) and state "
        "in (0, 2)",
        list(msisdns),
    )
    return int(tag.split()[-1])


async def states(tx: Tx, *, msisdns: Sequence[int]) -> dict[int, int]:
    """Return the state of each of the numbers that is here."""
    found = await tx.fetch(
        "select msisdn, state from numbers where msisdn = any($1::bigint[])", list(msisdns)
    )
    return {row["msisdn"]: row["state"] for row in found}


async def summary(tx: Tx) -> list[ShelfLine]:
    """Count all numbers by country, operator and state."""
    found = await tx.fetch(
        """select c.iso2, o.code, count(*) filter (where n.state = 0),
            count(*) filter (where n.state = 1),
                  count(*) filter (where n.state = 4), count(*) filter (where n.state = 2),
                    count(*) filter (where n.state = 3)
             from numbers n join countries c on c.id = n.country_id left join operators o
               on o.id = n.operator_id
            group by c.iso2, o.code order by c.iso2, o.code nulls first"""
    )
    return [ShelfLine(*row) for row in found]


@dataclass(frozen=True, slots=True)
class PriceLine:
    """The price of an offer: ids of country, service and operator; price and cost in minor units.

    `cost` None leaves it as it is.
    """

    country_id: int
    service_id: int
    operator_id: int | None
    provider: str
    currency: str
    price: int
    cost: int | None
    available: int = 0


async def insert_facts(
    tx: Tx,
    *,
    countries: Sequence[CountryFacts],
    services: Sequence[ServiceFacts],
    operators: Sequence[tuple[int, OperatorFacts]],
) -> None:
    """Add countries, services and operators (each with its country's id).

    Those that are here already are left as they are.
    """
    if countries:
        await tx.execute(
            """insert into countries (id, iso2, name, dial_code, emoji)
               select * from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[])
                 on conflict do nothing""",
            [country.id for country in countries],
            [country.iso2 for country in countries],
            [country.name for country in countries],
            [country.dial_code for country in countries],
            [country.emoji for country in countries],
        )
    if services:
        await tx.execute(
            "insert into services (id, code, name) select * from unnest($1::int[], $2::text[], "
            "$3::text[]) on conflict do nothing",
            [service.id for service in services],
            [service.code for service in services],
            [service.name for service in services],
        )
    if operators:
        await tx.execute(
            """insert into operators (country_id, code, name, local_name)
               select * from unnest($1::int[], $2::text[], $3::text[], $4::text[]) on conflict
                 do nothing""",
            [country_id for country_id, _ in operators],
            [operator.code for _, operator in operators],
            [operator.name for _, operator in operators],
            [operator.local_name for _, operator in operators],
        )


async def set_prices(tx: Tx, *, lines: Sequence[PriceLine]) -> int:
    """Make the offers that are missing, set their prices and costs, and return how many prices are
    new or changed."""
    columns = (
        [line.country_id for line in lines],
        [line.service_id for line in lines],
        [line.operator_id for line in lines],
        [line.provider for line in lines],
    )
    await tx.execute(
        """insert into catalogue_products (country_id, service_id)
           select distinct u.country_id, u.service_id
             from unnest($1::int[], $2::int[]) u(country_id, service_id)
            where not exists (select from catalogue_products p
              where (p.country_id, p.service_id) = (u.country_id, u.service_id))
            order by 1, 2 on conflict do nothing""",
        *columns[:2],
    )
    await tx.execute(
        """insert into offers as o (catalogue_id, country_id, service_id, operator_id, provider,
            cost, available)
           select p.id, u.country_id, u.service_id, u.operator_id, u.provider, coalesce(u.cost, 0),
             u.available
             from unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::bigint[], $6::int[])
               with ordinality u(country_id, service_id, operator_id, provider, cost, available, n)
             join catalogue_products p on p.country_id = u.country_id
               and p.service_id = u.service_id
            order by u.n
           on conflict on constraint offer_unique do nothing""",
        *columns,
        [line.cost for line in lines],
        [line.available for line in lines],
    )
    await tx.execute(
        """update offers o set cost = u.cost
             from unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::bigint[]) u(country_id,
               service_id, operator_id, provider, cost)
            where o.country_id = u.country_id and o.service_id = u.service_id
              and o.provider = u.provider
              and o.operator_id is not distinct from u.operator_id and u.cost is not null
                and u.cost <> o.cost""",
        *columns,
        [line.cost for line in lines],
    )
    changed = await tx.fetchval(
        """with written as (
             insert into offer_prices as p (offer_id, currency, price)
             select o.id, u.currency, u.price
               from unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::text[], $6::bigint[])
                 u(country_id, service_id, operator_id, provider, currency, price)
               join offers o on o.country_id = u.country_id and o.service_id = u.service_id
                 and o.provider = u.provider
                and o.operator_id is not distinct from u.operator_id
             on conflict (offer_id, currency) do update set price = excluded.price
               where p.price <> excluded.price
             returning 1)
           select count(*) from written""",
        *columns,
        [line.currency for line in lines],
        [line.price for line in lines],
    )
    assert isinstance(changed, int)
    return changed


async def below_cost(tx: Tx, *, lines: Sequence[PriceLine]) -> dict[int, int]:
    """Return the places of the lines whose price is below the cost that they give or that their
    offer has, with that cost."""
    found = await tx.fetch(
        """select u.n::int - 1 place, coalesce(u.cost, o.cost) cost
             from unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::bigint[], $6::bigint[])
               with ordinality u(country_id, service_id, operator_id, provider, price, cost, n)
             left join offers o on o.country_id = u.country_id and o.service_id = u.service_id
              and o.provider = u.provider and o.operator_id is not distinct from u.operator_id
            where u.price < coalesce(u.cost, o.cost)""",
        [line.country_id for line in lines],
        [line.service_id for line in lines],
        [line.operator_id for line in lines],
        [line.provider for line in lines],
        [line.price for line in lines],
        [line.cost for line in lines],
    )
    return {row["place"]: row["cost"] for row in found}


async def tidy(tx: Tx) -> None:
    """Let counts be read from the indexes alone again after many numbers were written.

    Outside a transaction only.
    """
    await tx.execute("vacuum (analyze) numbers")


#: Uses of numbers that kept them from a service until then.
OLD_USES = by_columns(
    "number_uses",
    "until < $1 order by until",
    key="number_id, service_id",
    same="o.number_id = (k ->> 0)::bigint and o.service_id = (k ->> 1)::int",
)
