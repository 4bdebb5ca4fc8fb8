"""The state of the fake upstream: a SQLite file that all processes of one server share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from numdesk.kit.shared_sqlite import Notebook, NotebookUnavailable
from numdesk.ports.errors import Cause, ProviderError

Answer = TypeVar("Answer")

#: Outcomes that may wait to be played.
SCRIPT_MAX = 10_000

_SCHEMA = """
create table if not exists sales (
  id integer primary key,
  reference text not null unique,
  msisdn integer not null,
  country text not null,
  service text not null,
  operator text,
  cost integer not null,
  open integer not null default 1
);
create index if not exists sales_msisdn on sales (msisdn);
create index if not exists sales_open on sales (country, service) where open;
create table if not exists serials (country text primary key, next integer not null);
create table if not exists script (id integer primary key, method text, outcome text not null);
create table if not exists rates (pair text primary key, rate integer);
insert or ignore into rates values ('USD/IDR', 16250);
"""


@dataclass(frozen=True, slots=True)
class Sale:
    """A number that was sold: `id` is the upstream's own name of it, `reference` the buyer's."""

    id: int
    reference: str
    msisdn: int
    country: str
    service: str
    operator: str | None
    cost: int
    open: bool


_SALE_BY_REFERENCE = """
select id, reference, msisdn, country, service, operator, cost, open from sales
  where reference = ?"""
_LAST_SALE = """
select id, reference, msisdn, country, service, operator, cost, open from sales where msisdn = ?
  order by id desc limit 1"""
_SELL = """
insert into sales (reference, msisdn, country, service, operator, cost) values (?, ?, ?, ?, ?, ?)
returning id, reference, msisdn, country, service, operator, cost, open"""


class World:
    """The file. Every method is one transaction."""

    def __init__(self, path: Path) -> None:
        self._file = Notebook(path, schema=_SCHEMA)

    async def next_outcome(self, method: str, *, unnamed: bool) -> str | None:
        """Take the first scripted outcome that is meant for this method, or (`unnamed`) for
        whatever comes."""

        def work(db: sqlite3.Connection) -> str | None:
            row = db.execute(
                "delete from script where id = (select min(id) from script where method = ? or (? "
                "and method is null)) returning outcome",
                (method, unnamed),
            ).fetchone()
            return row[0] if row else None

        return await self._run(work)

    async def script(self, steps: Sequence[tuple[str | None, str]]) -> None:
        """Put (method or None, outcome) in the place of the rest of the script.

        Keep at most SCRIPT_MAX.
        """

        def work(db: sqlite3.Connection) -> None:
            db.execute("delete from script")
            db.executemany("insert into script (method, outcome) values (?, ?)", steps[:SCRIPT_MAX])

        await self._run(work)

    async def scripted(self) -> list[tuple[str | None, str]]:
        """Return the rest of the script."""
        return await self._run(
            lambda db: db.execute("select method, outcome from script order by id").fetchall()
        )

    async def sale_of(self, reference: str) -> Sale | None:
        """Return the sale that a buyer's reference names."""
        return await self._run(
            lambda db: _sale(db.execute(_SALE_BY_REFERENCE, (reference,)).fetchone())
        )

    async def last_sale_of(self, msisdn: int) -> Sale | None:
        """Return the latest sale of a number."""
        return await self._run(lambda db: _sale(db.execute(_LAST_SALE, (msisdn,)).fetchone()))

    async def sell(self, sale: Sale, *, serials: int) -> Sale:
        """Sell a number, or returns what the same reference bought before.

        With `serials` the sale's `msisdn` is the first of a range of so many numbers, and the next
        one of it is sold; without, it is the number itself.
        """

        def work(db: sqlite3.Connection) -> Sale:
            known = _sale(db.execute(_SALE_BY_REFERENCE, (sale.reference,)).fetchone())
            if known is not None:
                return known
            msisdn = (
                sale.msisdn
                if not serials
                else sale.msisdn + _next_serial(db, sale.country) % serials
            )
            values = (sale.reference, msisdn, sale.country, sale.service, sale.operator, sale.cost)
            sold = _sale(db.execute(_SELL, values).fetchone())
            assert sold is not None, "an insert returns its row"
            return sold

        return await self._run(work)

    async def close_sale(self, sale_id: int) -> None:
        """End the use of a number; harmless when repeated."""
        await self._run(lambda db: db.execute("update sales set open = 0 where id = ?", (sale_id,)))

    async def is_open(self, sale_id: int) -> bool:
        """Return whether the number of this sale is still in use."""
        return bool(
            await self._run(
                lambda db: db.execute(
                    "select 1 from sales where id = ? and open", (sale_id,)
                ).fetchone()
            )
        )

    async def open_sales(self) -> dict[tuple[str, str], int]:
        """Count the numbers in use by (country, service)."""
        found = await self._run(
            lambda db: db.execute(
                "select country, service, count(*) from sales where open group by country, service"
            ).fetchall()
        )
        return {(country, service): count for country, service, count in found}

    async def rate(self, pair: str) -> int | None:
        """Return the rate of a pair."""
        row = await self._run(
            lambda db: db.execute("select rate from rates where pair = ?", (pair,)).fetchone()
        )
        return row[0] if row else None

    async def set_rate(self, pair: str, value: int | None) -> None:
        """Set the rate of a pair, or leaves it without one."""
        await self._run(
            lambda db: db.execute("insert or replace into rates values (?, ?)", (pair, value))
        )

    async def _run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Do `work` in a transaction; what this upstream cannot write down it does not answer."""
        try:
            return await self._file.run(work)
        except NotebookUnavailable as error:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, str(error), unknown=True) from error

    def close(self) -> None:
        """Close the file; the world goes on when it is opened again."""
        self._file.close()


def _next_serial(db: sqlite3.Connection, country: str) -> int:
    row = db.execute(
        "insert into serials values (?, 1) on conflict (country) do update set next = next + 1 "
        "returning next - 1",
        (country,),
    ).fetchone()
    return int(row[0])


def _sale(row: tuple | None) -> Sale | None:
    return Sale(*row[:7], open=bool(row[7])) if row else None
