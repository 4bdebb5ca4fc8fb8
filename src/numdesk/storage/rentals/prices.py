"""Countries and prices of rentals, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncpg import Record

    from numdesk.storage.database.pool import Tx


@dataclass(frozen=True, slots=True)
class RentalPriceLine:
    """A price in cents, None to take the period off the list.

    `priority` None leaves it as it is (new ones come last).
    """

    country_id: int
    service_id: int
    rent_type: int
    units: int
    price: int | None
    priority: int | None


async def countries(tx: Tx) -> list[Record]:
    """Return (country_id, iso2, name, open) of every country that numbers are or will be rented in,
    by name."""
    return await tx.fetch(
        """select r.country_id, c.iso2, r.name, r.open
             from rental_countries r join countries c on c.id = r.country_id
               order by lower(r.name)"""
    )


async def prices(tx: Tx) -> list[Record]:
    """Return the whole list: (country_id, rent_type, service_id, code, name, priority, units,
    price), services by priority."""
    return await tx.fetch(
        """select o.country_id, o.rent_type, o.service_id, s.code, s.name, o.priority,
            p.units::int, p.price
             from rental_offers o join services s on s.id = o.service_id and s.active
             join rental_prices p on (p.country_id, p.rent_type, p.service_id) = (o.country_id,
               o.rent_type, o.service_id)
             order by o.country_id, o.rent_type, o.priority, s.name, o.service_id, p.units"""
    )


async def services_in_stock(
    tx: Tx, *, country_id: int, service_ids: Sequence[int], now: datetime
) -> set[int]:
    """Return those of the services for which a number of the country is free."""
    rows = await tx.fetch(
        """select s.id from unnest($2::int[]) s(id) where exists (
             select from numbers n where n.state = 0 and n.country_id = $1
               and not exists (select from number_uses u where u.number_id = n.id
                 and u.service_id = s.id and u.until > $3))""",
        country_id,
        list(service_ids),
        now,
    )
    return {row[0] for row in rows}


async def announce(tx: Tx, *, country_ids: Sequence[int]) -> None:
    """Announce countries that are new here under their English names.

    The others are left as they are.
    """
    await tx.execute(
        "insert into rental_countries (country_id, name) select id, name from countries where id "
        "= any($1::int[]) on conflict do nothing",
        list(country_ids),
    )


async def set_country(tx: Tx, *, country_id: int, name: str | None, is_open: bool) -> bool:
    """Announce or opens a country; without a name it keeps its own, or gets its English one.

    False when it was so already.
    """
    tag = await tx.execute(
        """insert into rental_countries as r (country_id, name, open)
            select id, coalesce($2, name), $3 from countries where id = $1
           on conflict (country_id) do update set name = coalesce($2, r.name), open = excluded.open
             where (r.name, r.open) is distinct from (coalesce($2, r.name), excluded.open)""",
        country_id,
        name,
        is_open,
    )
    return tag == "INSERT 0 1"


async def set_prices(tx: Tx, *, lines: Sequence[RentalPriceLine]) -> int:
    """Set prices and priorities, and take periods off the list.

    Return how many prices are new, changed or gone.
    """
    keys = (
        [i.country_id for i in lines],
        [i.rent_type for i in lines],
        [i.service_id for i in lines],
    )
    await tx.execute(
        """insert into rental_offers as o (country_id, rent_type, service_id, priority)
             select u.country_id, u.rent_type, u.service_id, coalesce(min(u.priority), 100)
               from unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::bigint[]) u(country_id,
                 rent_type, service_id, priority, price)
               where u.price is not null group by 1, 2, 3 order by 1, 2, 3
             on conflict do nothing""",
        *keys,
        [i.priority for i in lines],
        [i.price for i in lines],
    )
    await tx.execute(
        """update rental_offers o set priority = u.priority
             from (select country_id, rent_type, service_id, min(priority) priority
                     from unnest($1::int[], $2::int[], $3::int[], $4::int[]) v(country_id,
                       rent_type, service_id, priority)
                     where priority is not null group by 1, 2, 3) u
             where (o.country_id, o.rent_type, o.service_id) = (u.country_id, u.rent_type,
               u.service_id) and o.priority <> u.priority""",
        *keys,
        [i.priority for i in lines],
    )
    return await tx.fetchval(
        """with given as (
             select *
               from unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::bigint[]) u(country_id,
                 rent_type, service_id, units, price)),
           gone as (
             delete from rental_prices p using given g where g.price is null
               and (p.country_id, p.rent_type, p.service_id, p.units) = (g.country_id, g.rent_type,
                 g.service_id, g.units) returning 1),
           written as (
             insert into rental_prices as p (country_id, rent_type, service_id, units, price)
               select * from given where price is not null
               on conflict (country_id, rent_type, service_id, units) do update
                 set price = excluded.price where p.price <> excluded.price
               returning 1)
           select (select count(*) from gone) + (select count(*) from written)""",
        *keys,
        [i.units for i in lines],
        [i.price for i in lines],
    )
