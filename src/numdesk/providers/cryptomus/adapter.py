"""Cryptomus behind our port: invoices made once per reference, read back by the invoice's own id,
listed by the day they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec

from numdesk.kit.outgoing.base_url import policy_for
from numdesk.kit.outgoing.http import OutgoingHttp
from numdesk.kit.outgoing.policy import HttpAnswer, HttpFailure
from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.payments import CallbackRefused, Intent, Invoice, Payment, PaymentHint
from numdesk.protocols.json_tokens import JsonRefused, maybe_moment, read_object, read_text
from numdesk.providers import broken_answer, check_outage, unanswered
from numdesk.providers.cryptomus.callback import read_callback
from numdesk.providers.cryptomus.settings import CryptomusSettings
from numdesk.providers.cryptomus.wire import as_cursor, read_invoice, read_payment, sign

#: A page of the list has 15 rows, some hundred bytes each; a proxy's error page may be longer than
#: it should.
ANSWER_BYTES_MAX = 1024 * 1024
#: 60,000 payments; a list that is longer is asked for in shorter spans, and never silently cut off.
PAGES_MAX = 4_000
#: What the gateway takes for an invoice's life, in seconds.
LIFETIME_S = (300, 43_200)
#: The list takes a time without saying of which place, so a day more is asked for on either side.
ZONES = timedelta(days=1)


class Cryptomus:
    """See `ports/payments.py`."""

    #: It differs by coin and network and changes daily; who pays is told on the gateway's own page.
    minimum: Mapping[str, Decimal] = {}
    #: An order id names one invoice for ever.
    repeatable = True

    def __init__(self, settings: CryptomusSettings, *, http: OutgoingHttp) -> None:
        self._settings = settings
        self._http = http
        self._policy = policy_for(
            settings.base_url, timeout_s=settings.timeout_s, answer_bytes_max=ANSWER_BYTES_MAX
        )

    async def create(self, intent: Intent) -> Invoice:
        """Make an invoice, or return the one that the reference has.

        Refuse one that was made for another amount.
        """
        asked: dict[str, object] = {
            "amount": format(intent.amount, "f"),
            "currency": intent.currency,
            "order_id": intent.reference,
            "lifetime": min(max(intent.lifetime_s, LIFETIME_S[0]), LIFETIME_S[1]),
            "url_callback": intent.callback_url,
            "url_return": intent.return_url,
        }
        row = await self._ask(
            "/v1/payment", {name: value for name, value in asked.items() if value is not None}
        )
        if row is None:
            raise ProviderError(Cause.PROVIDER_ERROR, "the gateway made no invoice", ours=True)
        made = read_invoice(row)
        # The gateway answers with what it made for this order id at first, whatever the amount is
        # now.
        if (made.reference, made.amount, made.currency) != (
            intent.reference,
            intent.amount,
            intent.currency,
        ):
            raise ProviderError(
                Cause.PROVIDER_ERROR,
                "the gateway has another invoice for this reference",
                ours=True,
            )
        return made

    async def look_up(
        self,
        *,
        invoice_id: str,
        reference: str,  # noqa: ARG002 - given both, the gateway would go by the reference and never say that they differ
        since: datetime,  # noqa: ARG002 - for gateways that need it
        payment_ids: Sequence[str] = (),  # noqa: ARG002 - the same
    ) -> Sequence[Payment]:
        """Read an invoice by its own id; it has one payment, which grows with every deposit."""
        row = await self._ask("/v1/payment/info", {"uuid": invoice_id})
        return [] if row is None else [read_payment(row)]

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:  # noqa: ARG002 - for gateways that need it
        """Read the invoice that a reference names."""
        row = await self._ask("/v1/payment/info", {"order_id": reference})
        return None if row is None else read_invoice(row)

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """List invoices by when they were made, as far back as the settings say, and keep those
        made or changed in the span."""
        begin = since - timedelta(days=self._settings.look_back_days)
        rows = await self._list(begin=begin, end=until)
        return [read_payment(row) for row in rows if _is_within(row, since, until)]

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:  # noqa: ARG002 - the signature is in the body
        """Verify a callback."""
        if not self._settings.is_complete:
            raise CallbackRefused("this gateway is not set up")
        return read_callback(body, key=self._settings.payment_key)

    async def _list(self, *, begin: datetime, end: datetime) -> list[Mapping[str, Any]]:
        """Read every page of a span."""
        span = {"date_from": _listed(begin - ZONES), "date_to": _listed(end + ZONES)}
        rows: list[Mapping[str, Any]] = []
        path = "/v1/payment/list"
        for _ in range(PAGES_MAX):
            page = await self._ask(path, span)
            if page is None or not isinstance(page.get("items"), list):
                raise broken_answer("has no items")
            rows.extend(page["items"])
            paginate = page.get("paginate")
            cursor = paginate.get("nextCursor") if isinstance(paginate, Mapping) else None
            if not cursor:
                return rows
            path = f"/v1/payment/list?cursor={as_cursor(cursor)}"
        raise ProviderError(
            Cause.PROVIDER_ERROR, f"the list has more than {PAGES_MAX} pages", ours=True
        )

    async def _ask(self, path: str, asked: Mapping[str, object]) -> Mapping[str, Any] | None:
        """Post a signed request and returns its result, None when the gateway knows no such
        invoice."""
        settings = self._settings
        if not settings.is_complete:
            raise ProviderError(Cause.PROVIDER_UNAVAILABLE, "this gateway is not set up", ours=True)
        body = msgspec.json.encode(asked)
        headers = {
            "merchant": settings.merchant,
            "sign": sign(body, key=settings.payment_key),
            "Content-Type": "application/json",
        }
        try:
            answer = await self._http.post(
                settings.base_url + path, body=body, headers=headers, policy=self._policy
            )
        except HttpFailure as error:
            raise unanswered(error) from error
        return _result(answer)


def _result(answer: HttpAnswer) -> Mapping[str, Any] | None:
    """Return what an answer holds, None for "not found".

    Raises ProviderError for every other no.
    """
    status = answer.status
    check_outage(status)
    if status == HTTPStatus.NOT_FOUND:
        return None
    document = _document(answer)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and not document.get("errors"):
        # {"state":1,"message":"..."}: nothing is wrong with the request, there is no such thing.
        return None
    if status != HTTPStatus.OK or str(document.get("state")) != "0":
        raise ProviderError(Cause.PROVIDER_ERROR, f"the gateway refused with {status}", ours=True)
    result = document.get("result")
    if not isinstance(result, Mapping):
        raise broken_answer("has no result")
    return result


def _document(answer: HttpAnswer) -> Mapping[str, Any]:
    """Read an answer's body; one that is none, under a status that is no success, holds nothing."""
    try:
        return read_object(
            read_text(answer.body_head, bytes_max=ANSWER_BYTES_MAX)
        )  # one that was cut off is none
    except JsonRefused as error:
        if answer.status != HTTPStatus.OK:
            return {"errors": "unreadable"}
        raise broken_answer(str(error)) from error


def _listed(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _is_within(row: Mapping[str, Any], since: datetime, until: datetime) -> bool:
    """Return whether this was made or changed in the span.

    True for one without a time of its own.
    """
    if not isinstance(row, Mapping):
        raise broken_answer("has an item that is no object")
    moments = [
        moment
        for moment in (maybe_moment(row.get("created_at")), maybe_moment(row.get("updated_at")))
        if moment
    ]
    return not moments or any(since <= moment < until for moment in moments)
