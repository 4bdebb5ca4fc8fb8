"""The state of the fake NOWPayments and the acts on its payments: a SQLite file that all processes
of one server share."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal
from pathlib import Path
from typing import Any

from numdesk.kit.clock import Clock
from numdesk.kit.fake_company import SCRIPT_SCHEMA, Script
from numdesk.kit.shared_sqlite import Notebook
from numdesk.ports.simulation import UnknownInvoice

Row = dict[str, Any]

#: What a coin and a unit of other money is worth, in euros. The rates are round, so that cents stay
#: whole in any coin.
WORTH = {"eur": Decimal(1), "usd": Decimal("0.8"), "rub": Decimal("0.01")}
COINS = {
    "usdttrc20": Decimal("0.8"),
    "btc": Decimal(50_000),
    "eth": Decimal(2_500),
    "trx": Decimal("0.2"),
}
COIN = "usdttrc20"
#: The gateway keeps half a hundredth of what comes.
KEPT = Decimal("0.995")
COIN_UNIT = Decimal("0.00000001")
#: Statuses of a payment that is on its way.
UNSETTLED = ("waiting", "confirming", "confirmed", "sending")
#: A payment that nobody makes is over after this.
WAITS = timedelta(days=7)
_SCHEMA = """
create table if not exists invoices (
  id integer primary key,
  order_id text not null,
  callback_url text,
  document text not null
);
create index if not exists invoices_order_id on invoices (order_id);
create table if not exists payments (
  id integer primary key,
  invoice_id integer not null,
  made_at text not null,
  document text not null
);
create index if not exists payments_invoice on payments (invoice_id);
create index if not exists payments_made_at on payments (made_at, id);
create table if not exists notices (id integer primary key, payment_id integer not null,
  document text not null);
create index if not exists notices_payment on notices (payment_id);
create table if not exists lies (payment_id integer not null, place text not null,
  lie text not null, primary key (payment_id, place));
create table if not exists serials (name text primary key, next integer not null);
insert or ignore into serials values ('invoices', 4522625843), ('payments', 5077125051);
"""
_PAGE = """
select p.document, l.lie from payments p left join lies l on l.payment_id = p.id
  and l.place = 'list'
where p.made_at between ? and ? and (? is null or p.invoice_id = ?) order by p.made_at, p.id
  limit ? offset ?"""
_COUNT = (
    "select count(*) from payments where made_at between ? and ? and (? is null or invoice_id = ?)"
)
_PAID_OF_INVOICE = "select document from payments where invoice_id = ? order by id"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that the gateway has to say: about which payment, to which URL, and the document
    that is signed."""

    id: int
    payment_id: int
    url: str | None
    document: Mapping[str, Any]


class World:
    """The file. Every method is one transaction."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._file = Notebook(path, schema=_SCHEMA + SCRIPT_SCHEMA)
        self.script = Script(self._file)
        self._clock = clock

    async def make(self, asked: Mapping[str, Any], *, page: str) -> Row:
        """Make an invoice: another one for every call, whatever its order id."""

        def work(db: sqlite3.Connection) -> Row:
            number, now = _serial(db, "invoices"), write_time(self._clock.now())
            row: Row = {
                "id": str(number), "token_id": "5", "order_id": asked["order_id"], "order_description": asked.get("order_description"),
                "price_amount": str(asked["price_amount"]), "price_currency": asked["price_currency"], "pay_currency": None,
                "ipn_callback_url": asked.get("ipn_callback_url"), "invoice_url": f"{page}/?iid={number}",
                "success_url": asked.get("success_url"), "cancel_url": asked.get("cancel_url"), "created_at": now, "updated_at": now,
                "is_fixed_rate": False, "is_fee_paid_by_user": False,
            }  # fmt: skip
            values = (number, row["order_id"], row["ipn_callback_url"], json.dumps(row))
            db.execute(
                "insert into invoices (id, order_id, callback_url, document) values (?, ?, ?, ?)",
                values,
            )
            return row

        return await self._file.run(work)

    async def invoices(self, reference: str) -> list[Row]:
        """Return every invoice that was made for a reference."""
        query = "select document from invoices where order_id = ? order by id"
        return [
            json.loads(row[0])
            for row in await self._file.run(lambda db: db.execute(query, (reference,)).fetchall())
        ]

    async def invoice(self, invoice_id: str) -> Row | None:
        """Return an invoice by its own id."""
        found = await self._file.run(
            lambda db: db.execute(
                "select document from invoices where id = ?", (invoice_id,)
            ).fetchone()
        )
        return json.loads(found[0]) if found else None

    async def read(self, payment_id: str) -> tuple[Row, str | None] | None:
        """Return a payment, over if nobody made it in time, and the lie that is told about it."""
        query = """
            select p.document, l.lie from payments p left join lies l on l.payment_id = p.id
              and l.place = 'payment' where p.id = ?"""
        found = await self._file.run(lambda db: db.execute(query, (payment_id,)).fetchone())
        return (self._aged(json.loads(found[0])), found[1]) if found else None

    async def page(
        self, span: tuple[str, str], invoice_id: str | None, *, rows: int, skip: int
    ) -> tuple[list[tuple[Row, str | None]], int]:
        """Return a page of the list, oldest first, with the lie that is to be told about each.

        And how many there are in all.
        """
        asked = (*span, invoice_id, invoice_id)

        def work(db: sqlite3.Connection) -> tuple[list[tuple[Row, str | None]], int]:
            found = db.execute(_PAGE, (*asked, rows, skip)).fetchall()
            return [(self._aged(json.loads(document)), lie) for document, lie in found], db.execute(
                _COUNT, asked
            ).fetchone()[0]

        return await self._file.run(work)

    async def choose(self, invoice: str, *, coin: str, repeats: bool) -> Notice:
        """Somebody opens an invoice and chooses a coin: a payment that waits, or with `repeats` a
        further deposit to the first one's place.

        Raises UnknownInvoice.
        """

        def work(db: sqlite3.Connection) -> Notice:
            found = self._invoice(db, invoice)
            first = db.execute(_PAID_OF_INVOICE, (found["id"],)).fetchone()
            row = self._open(db, found, coin=coin)
            row["parent_payment_id"] = (
                json.loads(first[0])["payment_id"] if repeats and first else None
            )
            values = (row["payment_id"], found["id"], row["created_at"], json.dumps(row))
            db.execute(
                "insert into payments (id, invoice_id, made_at, document) values (?, ?, ?, ?)",
                values,
            )
            return self._note(db, row)

        return await self._file.run(work)

    async def change(self, payment_id: int, change: Callable[[Row], None]) -> Notice:
        """Change a payment and writes down the callback about it."""

        def work(db: sqlite3.Connection) -> Notice:
            found = db.execute(
                "select document from payments where id = ?", (payment_id,)
            ).fetchone()
            if found is None:
                raise UnknownInvoice(str(payment_id))
            row = self._aged(json.loads(found[0]))
            change(row)
            row["updated_at"] = write_time(self._clock.now())
            db.execute(
                "update payments set document = ? where id = ?", (json.dumps(row), payment_id)
            )
            return self._note(db, row)

        return await self._file.run(work)

    async def payments(self, invoice: str) -> list[Row]:
        """Return the payments of an invoice (our reference, its own id, or the id of one of them),
        oldest first. Raises UnknownInvoice."""

        def work(db: sqlite3.Connection) -> list[Row]:
            found = db.execute(_PAID_OF_INVOICE, (self._invoice(db, invoice)["id"],)).fetchall()
            return [self._aged(json.loads(row[0])) for row in found]

        return await self._file.run(work)

    async def notices(self, invoice: str) -> list[Notice]:
        """Return everything that was to be said of an invoice's payments, oldest first.

        Raises UnknownInvoice.
        """
        query = """
            select n.id, n.payment_id, n.document from notices n join payments p
              on p.id = n.payment_id
            where p.invoice_id = ? order by n.id"""

        def work(db: sqlite3.Connection) -> list[Notice]:
            found = self._invoice(db, invoice)
            rows = db.execute(query, (found["id"],)).fetchall()
            return [
                Notice(row[0], row[1], found["ipn_callback_url"], json.loads(row[2]))
                for row in rows
            ]

        return await self._file.run(work)

    async def set_lie(self, payment_id: int, lie: str | None, *, place: str) -> None:
        """Set the answer about a payment instead of the truth, in the `list` or by itself
        (`payment`); None for the truth again."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("delete from lies where payment_id = ? and place = ?", (payment_id, place))
            if lie is not None:
                db.execute("insert into lies values (?, ?, ?)", (payment_id, place, lie))

        await self._file.run(work)

    def close(self) -> None:
        """Close the file; the world goes on when it is opened again."""
        self._file.close()

    def _invoice(self, db: sqlite3.Connection, name: str) -> Row:
        """Find an invoice by our reference (the last one made for it), its own id, or the id of one
        of its payments."""
        query = """
            select document from invoices where order_id = ?1 or id = ?1 or id = (select invoice_id
              from payments where id = ?1)
            order by invoices.id desc limit 1"""
        found = db.execute(query, (name,)).fetchone()
        if found is None:
            raise UnknownInvoice(name)
        return json.loads(found[0])

    def _open(self, db: sqlite3.Connection, invoice: Row, *, coin: str) -> Row:
        """Return a new payment that waits."""
        number, now = _serial(db, "payments"), write_time(self._clock.now())
        due = coins_for(Decimal(invoice["price_amount"]), invoice["price_currency"], coin)
        return {
            "payment_id": number, "parent_payment_id": None, "invoice_id": int(invoice["id"]), "payment_status": "waiting",
            "pay_address": f"T{uuid.uuid5(uuid.NAMESPACE_OID, invoice['id']).hex}", "payin_extra_id": None,
            "price_amount": invoice["price_amount"], "price_currency": invoice["price_currency"], "pay_amount": str(due),
            "actually_paid": "0", "actually_paid_at_fiat": "0", "pay_currency": coin, "order_id": invoice["order_id"],
            "order_description": invoice["order_description"], "purchase_id": str(number + 1_000_000), "outcome_amount": None,
            "outcome_currency": coin, "payout_hash": None, "payin_hash": None, "payment_extra_ids": None, "fee": None,
            "created_at": now, "updated_at": now, "type": "crypto2crypto",
        }  # fmt: skip

    def _note(self, db: sqlite3.Connection, row: Row) -> Notice:
        url = db.execute(
            "select callback_url from invoices where id = ?", (row["invoice_id"],)
        ).fetchone()[0]
        note = "insert into notices (payment_id, document) values (?, ?)"
        return Notice(
            db.execute(note, (row["payment_id"], json.dumps(row))).lastrowid or 0,
            row["payment_id"],
            url,
            row,
        )

    def _aged(self, row: Row) -> Row:
        """Return a payment as it is by now: one that nobody made in time is over."""
        if (
            row["payment_status"] == "waiting"
            and self._clock.now() >= datetime.fromisoformat(row["created_at"]) + WAITS
        ):
            row["payment_status"] = "expired"
        return row


def add_money(row: Row, *, amount: Decimal | None, currency: str | None) -> None:
    """Money comes for a payment: all that is due, an amount of the invoice's money, or of the
    payment's own coin."""
    coin = row["pay_currency"]
    if amount is None:
        came = Decimal(row["pay_amount"])
    else:
        came = (
            amount
            if currency in COINS
            else coins_for(amount, currency or row["price_currency"], coin)
        )
    left = (came * KEPT).normalize()
    row |= {
        "actually_paid": format(came.normalize(), "f"), "outcome_amount": format(left, "f"), "payin_hash": uuid.uuid4().hex * 2,
        "actually_paid_at_fiat": format((came * COINS[coin] / _worth_of(row["price_currency"])).quantize(Decimal("0.01")), "f"),
        "fee": {"currency": coin, "depositFee": format((came - left).normalize(), "f"), "withdrawalFee": "0", "serviceFee": "0"},
        "payment_status": "confirming",
    }  # fmt: skip


def settle(row: Row) -> None:
    """Payments that came are settled.

    A further deposit, and one in another coin, is finished whatever came.
    """
    if row["payment_status"] not in UNSETTLED:
        return
    is_enough = row["parent_payment_id"] is not None or Decimal(row["actually_paid"]) >= Decimal(
        row["pay_amount"]
    )
    row["payment_status"] = "finished" if is_enough else "partially_paid"


def coins_for(amount: Decimal, currency: str, coin: str) -> Decimal:
    """Return what an amount of money is in a coin, rounded up."""
    return (
        (amount * _worth_of(currency) / COINS[coin])
        .quantize(COIN_UNIT, rounding=ROUND_UP)
        .normalize()
    )


def write_time(moment: datetime) -> str:
    """Write a moment as JavaScript does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _worth_of(currency: str) -> Decimal:
    """Return what a unit of money is worth in euros.

    Of money that we do not know, as much as one.
    """
    return WORTH.get(currency.lower(), Decimal(1))


def _serial(db: sqlite3.Connection, name: str) -> int:
    return int(
        db.execute(
            "update serials set next = next + 1 where name = ? returning next - 1", (name,)
        ).fetchone()[0]
    )
