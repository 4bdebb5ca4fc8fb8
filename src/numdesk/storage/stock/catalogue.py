"""Countries, services, operators, products, offers and providers as rows.

And the success of providers day by day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from numdesk.domain.stock.numbers import CatalogueProduct, Country, Offer, Operator, Service
from numdesk.domain.stock.routing import Tally
from numdesk.ports.suppliers import Tier
from numdesk.storage.database.pool import Tx

if TYPE_CHECKING:
    from asyncpg import Record


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider as staff set it and as its calls found it."""

    slug: str
    active: bool
    healthy: bool


async def countries(tx: Tx) -> list[Country]:
    """Return all countries by id."""
    rows = await tx.fetch(
        "select id, iso2, name, dial_code, emoji, active from countries order by id"
    )
    return [Country(*row) for row in rows]


async def services(tx: Tx) -> list[Service]:
    """Return all services by id."""
    return [
        Service(*row)
        for row in await tx.fetch("select id, code, name, active from services order by id")
    ]


async def operators(tx: Tx) -> list[Operator]:
    """Return all operators by id."""
    rows = await tx.fetch(
        "select id, country_id, code, name, local_name from operators order by id"
    )
    return [Operator(*row) for row in rows]


async def products(tx: Tx) -> list[CatalogueProduct]:
    """Return all pairs of country and service that have a product, by id."""
    rows = await tx.fetch("select id, country_id, service_id from catalogue_products order by id")
    return [CatalogueProduct(*row) for row in rows]


async def offer_rows(tx: Tx, *, currency: str) -> list[Record]:
    """Return every offer that has a price in the currency, in the order of the fields of
    `Offer`."""
    return await tx.fetch(
        """select o.id, o.catalogue_id, o.country_id, o.service_id, o.operator_id, o.provider,
            p.currency, p.price, o.cost,
                  o.available, o.active
             from offers o join offer_prices p on p.offer_id = o.id and p.currency = $1
               order by o.id""",
        currency,
    )


def offer_of(row: Record) -> Offer:
    """Return a row of `offer_rows` as an offer."""
    return Offer(*row)


async def providers(tx: Tx) -> list[ProviderState]:
    """Return all providers by slug."""
    return [
        ProviderState(*row)
        for row in await tx.fetch("select slug, active, healthy from providers order by slug")
    ]


async def add_providers(tx: Tx, *, slugs: Sequence[str]) -> None:
    """Make the providers known that are not yet.

    Nothing is changed, and no version is raised, when all are.
    """
    await tx.execute(
        """insert into providers (slug)
           select u.slug from unnest($1::text[]) u(slug) where not exists (select from providers p
             where p.slug = u.slug)
             and $1::text[] <> '{}' on conflict do nothing""",
        list(slugs),
    )


async def missing_providers(tx: Tx, *, slugs: Sequence[str]) -> list[str]:
    """Return those slugs that have no row."""
    rows = await tx.fetch(
        "select u.slug from unnest($1::text[]) u(slug) where not exists (select from providers p "
        "where p.slug = u.slug) order by 1",
        list(slugs),
    )
    return [row["slug"] for row in rows]


async def take_tiers(tx: Tx, *, provider: str, tiers: Sequence[Tier]) -> int:
    """Write what a supplier sells now into its offers and returns how many changed.

    An offer that the supplier no longer lists has none available. A tier without an offer is not
    for sale here until staff price it. Nothing is written when nothing changed: even an update of
    no rows would make every process load the catalogue anew.
    """
    changed = await tx.fetch(
        """with told as (
             select o.id, t.available, t.cost
               from unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[]) t(country,
                 service, operator, available, cost)
               join countries c on c.iso2 = t.country
               join services s on s.code = t.service
               left join operators k on k.country_id = c.id and k.code = t.operator
               join offers o on o.provider = $1 and o.country_id = c.id and o.service_id = s.id
                and o.operator_id is not distinct from k.id and (t.operator is null
                  or k.id is not null))
           select o.id, coalesce(t.available, 0) available, coalesce(t.cost, o.cost) cost
             from offers o left join told t on t.id = o.id
            where o.provider = $1
              and (o.available <> coalesce(t.available, 0) or o.cost <> coalesce(t.cost, o.cost))
                order by o.id""",
        provider,
        [tier.country for tier in tiers],
        [tier.service for tier in tiers],
        [tier.operator for tier in tiers],
        [tier.available for tier in tiers],
        [tier.cost for tier in tiers],
    )
    if changed:
        await tx.execute(
            """update offers o set available = u.available, cost = u.cost
                 from unnest($1::int[], $2::int[], $3::bigint[]) u(id, available, cost)
                   where o.id = u.id""",
            [row["id"] for row in changed],
            [row["available"] for row in changed],
            [row["cost"] for row in changed],
        )
    return len(changed)


async def set_health(tx: Tx, *, provider: str, healthy: bool) -> bool:
    """Write whether a provider can be reached; return whether that is news."""
    if not await tx.fetchval(
        "select true from providers where slug = $1 and healthy <> $2 for update", provider, healthy
    ):
        return False
    await tx.execute("update providers set healthy = $2 where slug = $1", provider, healthy)
    return True


async def scored_through(tx: Tx) -> date | None:
    """Return the last UTC day whose tallies are final."""
    text = await tx.fetchval("select value #>> '{}' from settings where name = 'scores.through'")
    return date.fromisoformat(text) if isinstance(text, str) else None


async def tally_days(tx: Tx, *, since: datetime, until: datetime, final_through: date) -> None:
    """Count each provider's orders of the days from `since` to before `until` anew, and remembers
    which days are final."""
    await tx.execute(
        """insert into provider_days (provider, day, total, received)
           select provider, (created_at at time zone 'UTC')::date, count(*), count(first_sms_at)
             from orders where created_at >= $1 and created_at < $2 and msisdn is not null
               group by 1, 2
           on conflict (provider, day) do update
             set total = excluded.total, received = excluded.received""",
        since,
        until,
    )
    await tx.execute(
        """insert into settings (name, value) values ('scores.through', to_jsonb($1::text))
           on conflict (name) do update set value = excluded.value""",
        final_through.isoformat(),
    )


async def tallies(tx: Tx, *, first: date, last: date) -> dict[str, Tally]:
    """Return each provider's orders over the days from `first` to `last`, both included."""
    rows = await tx.fetch(
        """select provider, sum(total)::bigint total, sum(received)::bigint received
             from provider_days where day between $1 and $2 group by provider order by provider""",
        first,
        last,
    )
    return {row["provider"]: Tally(row["total"], row["received"]) for row in rows}
