"""NOWPayments behind our port: invoices that are made once or not at all, deposits that are
payments of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode

from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import CallbackRefused, Intent, Invoice, Payment, PaymentHint
from numdesk.providers import broken_answer
from numdesk.providers.nowpayments.callback import read_callback
from numdesk.providers.nowpayments.calls import Calls, Document
from numdesk.providers.nowpayments.settings import NowPaymentsSettings
from numdesk.providers.nowpayments.wire import (
    invoice_of,
    number,
    objects,
    parent_of,
    payment_id_of,
    read_invoice,
    read_payment,
    read_time,
    write_time,
)

#: As many rows as the list gives at once.
PAGE_ROWS = 500
#: 500,000 payments; a list that is longer is asked for in shorter spans, and never silently cut
#: off.
PAGES_MAX = 1_000
#: Two clocks may differ by so much.
CLOCKS = timedelta(hours=1)
#: So many references are remembered as asked for.
ASKED_MAX = 10_000


class NowPayments:
    """See `ports/payments.py`."""

    #: It differs by coin and flow and changes daily; who pays is told on the gateway's own page.
    minimum: Mapping[str, Decimal] = {}
    #: The gateway makes another invoice for every call, whatever the order id.
    repeatable = False

    def __init__(self, settings: NowPaymentsSettings, *, calls: Calls) -> None:
        self._settings = settings
        self._calls = calls
        #: References whose invoice this process has asked for, oldest first: the last guard against
        #: a second one.
        self._asked: OrderedDict[str, None] = OrderedDict()

    async def create(self, intent: Intent) -> Invoice:
        """Make an invoice.

        Refuse, as if the answer was lost again, when this process asked for the reference before.
        """
        if intent.reference in self._asked:
            raise ProviderError(
                Cause.PROVIDER_ERROR, "an invoice was asked for before", unknown=True
            )
        asked: dict[str, object] = {
            "price_amount": number(intent.amount),
            "price_currency": intent.currency.lower(),
            "order_id": intent.reference,
            "ipn_callback_url": intent.callback_url,
            "success_url": intent.return_url,
            "cancel_url": intent.return_url,
        }
        self._remember(intent.reference)
        try:
            made = read_invoice(
                await self._calls.post(
                    "/invoice", {name: value for name, value in asked.items() if value is not None}
                )
            )
        except ProviderError as error:
            if not error.unknown:
                del self._asked[intent.reference]  # nothing was made
            raise
        if (made.reference, made.amount, made.currency) != (
            intent.reference,
            intent.amount,
            intent.currency,
        ):
            raise broken_answer("is about another invoice")
        return made

    async def look_up(
        self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()
    ) -> Sequence[Payment]:
        """List the payments of an invoice, and read those by themselves that callbacks named and
        the list does not hold.

        Without the list (no e-mail and password) only the latter are known.
        """
        rows: dict[str, Document] = {}
        if self._settings.may_list:
            found = await self._list(begin=since - CLOCKS, end=None, invoice_id=invoice_id)
            rows = {
                payment_id_of(row): row for row in found if _is_about(row, invoice_id, reference)
            }
        for payment_id in payment_ids:
            if (
                payment_id not in rows
                and (row := await self._calls.get(_path_of(payment_id))) is not None
            ):
                rows[payment_id_of(row)] = row
        return await self._read(rows.values())

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Look for a payment with the reference: an invoice that nobody has opened is listed
        nowhere.

        Without the list there is nothing to look in, and the answer is None.
        """
        if not self._settings.may_list:
            return None
        for payment in await self._read(await self._list(begin=since - CLOCKS, end=None)):
            if payment.reference == reference and payment.invoice_id:
                return invoice_of(payment, page=self._settings.invoice_page)
        return None

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """List payments by when they were made, as far back as the settings say, and keep those
        made or changed in the span."""
        begin = since - timedelta(days=self._settings.look_back_days)
        rows = await self._list(begin=begin, end=until + CLOCKS)
        return await self._read([row for row in rows if _is_within(row, since, until)], beside=rows)

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Verify a callback."""
        if not self._settings.is_complete:
            raise CallbackRefused("this gateway is not set up")
        return read_callback(headers, body, key=self._settings.signing_key)

    async def _list(
        self, *, begin: datetime, end: datetime | None, invoice_id: str | None = None
    ) -> list[Document]:
        """Read every page of a span, oldest first, so that payments made meanwhile come at the
        end."""
        asked = {
            "limit": str(PAGE_ROWS),
            "sortBy": "created_at",
            "orderBy": "asc",
            "dateFrom": write_time(begin),
        }
        asked |= {"dateTo": write_time(end)} if end else {}
        asked |= {"invoiceId": invoice_id} if invoice_id else {}
        rows: list[Document] = []
        for page in range(PAGES_MAX):
            answer = await self._calls.get_listed(
                f"/payment/?{urlencode({**asked, 'page': str(page)})}"
            )
            found = objects(answer.get("data"))
            rows.extend(found)
            # Fewer rows than asked for may also mean that the gateway has come to give fewer at
            # once.
            if not found or str(answer.get("pagesCount")) == str(page + 1):
                return rows
        raise ProviderError(
            Cause.PROVIDER_ERROR, f"the list has more than {PAGES_MAX} pages", ours=True
        )

    async def _read(
        self, rows: Iterable[Document], *, beside: Iterable[Document] = ()
    ) -> list[Payment]:
        """Return payments, each compared with the one that it repeats.

        A parent that is not at hand is asked for.
        """
        rows = list(rows)
        known: dict[str, Document | None] = {payment_id_of(row): row for row in (*beside, *rows)}
        found: list[Payment] = []
        for row in rows:
            parent_id = parent_of(row)
            if parent_id is not None and parent_id not in known:
                known[parent_id] = await self._calls.get(_path_of(parent_id))
            found.append(
                read_payment(row, parent=known[parent_id] if parent_id is not None else None)
            )
        return found

    def _remember(self, reference: str) -> None:
        self._asked[reference] = None
        if len(self._asked) > ASKED_MAX:
            self._asked.popitem(last=False)


def _path_of(payment_id: str) -> str:
    return f"/payment/{quote(payment_id, safe='')}"


def _is_about(row: Document, invoice_id: str, reference: str) -> bool:
    """Do a payment say that it belongs to this invoice, or to its reference?"""
    return str(row.get("invoice_id")) == invoice_id or row.get("order_id") == reference


def _is_within(row: Document, since: datetime, until: datetime) -> bool:
    """Return whether this was made or changed in the span.

    True for one without a time of its own.
    """
    moments = [
        moment
        for moment in (read_time(row.get("created_at")), read_time(row.get("updated_at")))
        if moment
    ]
    return not moments or any(since <= moment < until for moment in moments)
