"""The state of the fake Cryptomus and the acts on its invoices: a SQLite file that all processes of
one server share."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from pathlib import Path
from typing import Any

from numdesk.kit.clock import Clock
from numdesk.kit.fake_company import SCRIPT_SCHEMA, Script
from numdesk.kit.shared_sqlite import Notebook
from numdesk.ports.simulation import UnknownInvoice, UnknownMoney

Row = dict[str, Any]

#: What a coin and a unit of other money is worth, in euros. The rates are round, so that cents stay
#: whole in any coin.
WORTH = {"EUR": Decimal(1), "USD": Decimal("0.8"), "RUB": Decimal("0.01")}
COINS = {
    "USDT": ("tron", Decimal("0.8")),
    "BTC": ("btc", Decimal(50_000)),
    "ETH": ("eth", Decimal(2_500)),
    "TRX": ("tron", Decimal("0.2")),
}
COIN = "USDT"
#: The gateway keeps two hundredths of what comes.
KEPT = Decimal("0.98")
COIN_UNIT = Decimal("0.00000001")
#: The gateway tells its times as they are in Moscow.
ZONE = timezone(timedelta(hours=3))

#: Statuses in which an invoice still waits for money.
OPEN = ("process", "check", "wrong_amount_waiting")
#: Of what was written to a notice, this much is kept in mind: enough to tell it again.
_NOTICED = (
    "uuid", "order_id", "amount", "payment_amount", "payment_amount_usd", "merchant_amount", "commission", "is_final", "status", "from",
    "wallet_address_uuid", "network", "currency", "payer_currency", "payer_amount", "additional_data", "txid",
)  # fmt: skip

_SCHEMA = """
create table if not exists invoices (
  id integer primary key,
  uuid text not null unique,
  order_id text not null unique,
  made_at text not null,
  ends_at real not null,
  callback_url text,
  document text not null
);
create index if not exists invoices_made_at on invoices (made_at, id);
create table if not exists notices (id integer primary key, uuid text not null,
  document text not null);
create index if not exists notices_uuid on notices (uuid);
create table if not exists lies (uuid text not null, place text not null, lie text not null,
  primary key (uuid, place));
"""
_INSERT = (
    "insert into invoices (uuid, order_id, made_at, ends_at, callback_url, document) values (?, "
    "?, ?, ?, ?, ?)"
)
_ONE = "select document, ends_at, callback_url from invoices where uuid = ? or order_id = ?"
_PAGE = """
select i.document, i.ends_at, l.lie from invoices i left join lies l on l.uuid = i.uuid
  and l.place = 'list'
where i.made_at between ? and ? order by i.made_at desc, i.id desc limit ? offset ?"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that the gateway has to say: of which invoice, to which URL, and the document
    without its signature."""

    id: int
    uuid: str
    url: str | None
    document: Mapping[str, Any]


class World:
    """The file. Every method is one transaction."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._file = Notebook(path, schema=_SCHEMA + SCRIPT_SCHEMA)
        self.script = Script(self._file)
        self._clock = clock

    async def make(self, asked: Mapping[str, Any], *, page: str) -> Row:
        """Make an invoice, or return the one that its order id names, whatever else is asked."""

        def work(db: sqlite3.Connection) -> Row:
            known = db.execute(_ONE, ("", asked["order_id"])).fetchone()
            return json.loads(known[0]) if known else self._make(db, asked, page=page)

        return await self._file.run(work)

    async def read(self, invoice: str) -> Row | None:
        """Return an invoice by its uuid or order id, closed if its time is over."""

        def work(db: sqlite3.Connection) -> Row | None:
            found = db.execute(_ONE, (invoice, invoice)).fetchone()
            return self._aged(json.loads(found[0]), found[1]) if found else None

        return await self._file.run(work)

    async def page(
        self, begin: str, end: str, *, rows: int, skip: int
    ) -> list[tuple[Row, str | None]]:
        """Return a page of the list, newest first, with the lie that is to be told about each."""

        def work(db: sqlite3.Connection) -> list[tuple[Row, str | None]]:
            found = db.execute(_PAGE, (begin, end, rows, skip)).fetchall()
            return [
                (self._aged(json.loads(document), ends_at), lie) for document, ends_at, lie in found
            ]

        return await self._file.run(work)

    async def change(self, invoice: str, change: Callable[[Row], None]) -> Notice:
        """Change an invoice and writes down the callback about it. Raises UnknownInvoice."""

        def work(db: sqlite3.Connection) -> Notice:
            found = db.execute(_ONE, (invoice, invoice)).fetchone()
            if found is None:
                raise UnknownInvoice(invoice)
            row = self._aged(json.loads(found[0]), found[1])
            change(row)
            row["updated_at"] = _written(self._clock.now())
            db.execute(
                "update invoices set document = ? where uuid = ?", (json.dumps(row), row["uuid"])
            )
            told = {"type": "payment", **{name: row[name] for name in _NOTICED}}
            notice_id = db.execute(
                "insert into notices (uuid, document) values (?, ?)",
                (row["uuid"], json.dumps(told)),
            ).lastrowid
            return Notice(notice_id or 0, row["uuid"], found[2], told)

        return await self._file.run(work)

    async def notices(self, invoice: str) -> list[Notice]:
        """Return everything that was to be said of an invoice, oldest first."""

        def work(db: sqlite3.Connection) -> list[Notice]:
            found = db.execute(
                "select n.id, n.uuid, i.callback_url, n.document from notices n join invoices i "
                "using (uuid)"
                " where i.uuid = ? or i.order_id = ? order by n.id",
                (invoice, invoice),
            ).fetchall()
            return [Notice(row[0], row[1], row[2], json.loads(row[3])) for row in found]

        return await self._file.run(work)

    async def set_lie(self, invoice: str, lie: str | None, *, place: str) -> None:
        """Set the answer about an invoice instead of the truth, in the `list` or by `info`.

        None for the truth again.
        """

        def work(db: sqlite3.Connection) -> None:
            found = db.execute(
                "select uuid from invoices where uuid = ? or order_id = ?", (invoice, invoice)
            ).fetchone()
            if found is None:
                raise UnknownInvoice(invoice)
            db.execute("delete from lies where uuid = ? and place = ?", (found[0], place))
            if lie is not None:
                db.execute("insert into lies values (?, ?, ?)", (found[0], place, lie))

        await self._file.run(work)

    async def lie_about(self, invoice_uuid: str, *, place: str) -> str | None:
        """Return the lie that is told of an invoice."""
        query = "select lie from lies where uuid = ? and place = ?"
        found = await self._file.run(lambda db: db.execute(query, (invoice_uuid, place)).fetchone())
        return found[0] if found else None

    def close(self) -> None:
        """Close the file; the world goes on when it is opened again."""
        self._file.close()

    def _make(self, db: sqlite3.Connection, asked: Mapping[str, Any], *, page: str) -> Row:
        now, made = self._clock.now(), str(uuid.uuid4())
        ends_at = now + timedelta(seconds=int(asked.get("lifetime", 3600)))
        row: Row = {
            "uuid": made, "order_id": asked["order_id"], "amount": asked["amount"], "payment_amount": None, "payment_amount_usd": None,
            "payer_amount": None, "discount_percent": 0, "discount": "0.00000000", "payer_currency": None, "currency": asked["currency"],
            "merchant_amount": None, "commission": None, "network": None, "address": None, "from": None, "txid": None,
            "wallet_address_uuid": None, "payment_status": "check", "status": "check", "url": f"{page}/{made}",
            "expired_at": int(ends_at.timestamp()), "is_final": False, "additional_data": asked.get("additional_data"),
            "created_at": _written(now), "updated_at": _written(now),
        }  # fmt: skip
        key = (
            made,
            row["order_id"],
            row["created_at"][:19],
            ends_at.timestamp(),
            asked.get("url_callback"),
        )
        db.execute(_INSERT, (*key, json.dumps(row)))
        return row

    def _aged(self, row: Row, ends_at: float) -> Row:
        """Return an invoice as it is by now: one that waited too long is closed."""
        if row["status"] in OPEN and self._clock.now().timestamp() >= ends_at:
            close_invoice(row)
        return row


def add_money(row: Row, *, amount: Decimal | None, currency: str | None) -> None:
    """Money comes for an invoice, on top of what has come: all that is due, an amount of some
    money, or of a coin. Raises UnknownMoney."""
    currency = currency and currency.upper()
    if currency and currency not in COINS and currency not in WORTH:
        raise UnknownMoney(currency)
    coin = currency if currency in COINS else (row["payer_currency"] or COIN)
    rate = worth_of(row["currency"]) / COINS[coin][1]
    due = _coins(Decimal(row["amount"]) * rate, ROUND_UP)
    before = (
        Decimal(row["payment_amount"] or 0) if row["payer_currency"] in (None, coin) else Decimal(0)
    )
    if amount is None:
        came = max(due - before, Decimal(0))
    else:
        came = (
            amount
            if currency in COINS
            else _coins(amount * worth_of(currency or row["currency"]) / COINS[coin][1], ROUND_UP)
        )
    paid = before + came
    row |= {
        "payer_currency": coin, "network": COINS[coin][0], "payer_amount": _text(due), "payment_amount": _text(paid),
        "payment_amount_usd": f"{paid * COINS[coin][1] / WORTH['USD']:.2f}",
        "merchant_amount": _text(paid * KEPT), "commission": _text(paid - _coins(paid * KEPT, ROUND_DOWN)),
        "address": f"T{uuid.uuid5(uuid.NAMESPACE_OID, row['uuid']).hex}", "txid": uuid.uuid4().hex * 2,
    }  # fmt: skip
    set_status(row, "confirm_check")


def settle(row: Row) -> None:
    """Payments that came are settled.

    Whether it is enough, too much or too little says the status.
    """
    paid, due = Decimal(row["payment_amount"] or 0), Decimal(row["payer_amount"] or 0)
    if paid < due:
        set_status(row, "wrong_amount_waiting")
    else:
        set_status(row, "paid" if paid == due else "paid_over")


def close_invoice(row: Row) -> None:
    """Time is over for an invoice that waits for money."""
    set_status(row, "wrong_amount" if Decimal(row["payment_amount"] or 0) else "cancel")


def set_status(row: Row, status: str) -> None:
    """Give an invoice another status, of whatever kind."""
    is_final = status not in (*OPEN, "confirm_check", "refund_process")
    row |= {"status": status, "payment_status": status, "is_final": is_final}


def worth_of(currency: str) -> Decimal:
    """Return what a unit of money is worth in euros.

    Of money that we do not know, as much as one.
    """
    return WORTH.get(currency, Decimal(1))


def _coins(amount: Decimal, rounding: str) -> Decimal:
    return amount.quantize(COIN_UNIT, rounding=rounding)


def _text(amount: Decimal) -> str:
    return format(_coins(amount, ROUND_DOWN), "f")


def _written(moment: datetime) -> str:
    return moment.astimezone(ZONE).isoformat(timespec="seconds")
