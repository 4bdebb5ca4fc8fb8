"""A payment gateway in memory, for tests: it tells the truth that the test wrote, however it is
called back about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import Caller
from numdesk.domain.payments.gateway_payments import Payment, PaymentStatus
from numdesk.domain.payments.topups import TopUp
from numdesk.ports.payments import CallbackRefused, Intent, Invoice, PaymentHint
from numdesk.runtime import Runtime
from numdesk.storage.payments.gateway_payments import Booked
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.ledger import wallets
from numdesk.usecases.payments import polling, settlement, topups

PROVIDER = "cryptomus"
EUR = "EUR"
SIGNATURE = "genuine"


@dataclass
class GatewayInMemory:
    """See `ports/payments.py`. `truth` is by payment id.

    `failures` are what the next calls meet, in order.
    """

    minimum: Mapping[str, Decimal] = field(default_factory=dict)
    repeatable: bool = True
    invoices: dict[str, Invoice] = field(default_factory=dict)
    truth: dict[str, Payment] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    created: list[Intent] = field(default_factory=list)
    asked: int = 0
    #: The answer to `create` is lost although the invoice was made.
    loses_answers: Exception | None = None
    #: What `payments` says instead of the truth.
    listed: list[Payment] | None = None
    #: Questions get no answer before this is set.
    hangs_until: asyncio.Event | None = None
    #: Questions that wait for it.
    hanging: int = 0

    async def create(self, intent: Intent) -> Invoice:
        """Makes an invoice, or finds it."""
        self._fail()
        self.created.append(intent)
        fresh = Invoice(
            f"g-{intent.reference}",
            intent.reference,
            intent.amount,
            intent.currency,
            f"https://pay/{intent.reference}",
            None,
        )
        invoice = self.invoices.setdefault(intent.reference, fresh)
        if self.loses_answers:
            error, self.loses_answers = self.loses_answers, None
            raise error
        return invoice

    async def look_up(
        self, *, invoice_id: str, reference: str, since: datetime, payment_ids: Sequence[str] = ()
    ) -> Sequence[Payment]:
        """Tells the truth about an invoice."""
        assert self.invoices[reference].gateway_id == invoice_id
        assert since is not None
        await self._meet()
        self.asked += 1
        return [
            one
            for one in self.truth.values()
            if one.invoice_id == invoice_id or one.payment_id in payment_ids
        ]

    async def find(self, *, reference: str, since: datetime) -> Invoice | None:
        """Returns the invoice of a reference."""
        assert since is not None
        await self._meet()
        return self.invoices.get(reference)

    async def payments(self, *, since: datetime, until: datetime) -> Sequence[Payment]:
        """Lists all payments that changed in the span."""
        await self._meet()
        found = list(self.truth.values()) if self.listed is None else self.listed
        return [one for one in found if one.changed_at is None or since <= one.changed_at < until]

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentHint:
        """Believes whoever knows the word."""
        if headers.get("x-signature") != SIGNATURE:
            raise CallbackRefused("signature")
        said = json.loads(body)
        return PaymentHint(
            said["reference"], said.get("invoice"), said.get("payment"), json.dumps(said)
        )

    def pay(
        self,
        topup: TopUp,
        status: PaymentStatus = PaymentStatus.PAID,
        *,
        share: str | Decimal = "1",
        payment_id: str | None = None,
        fee: str | None = None,
        at: datetime | None = None,
        **facts: object,
    ) -> Payment:
        """Writes what is true of a payment from now on: `share` of what was due, which is in a coin
        at 0.9 euro."""
        amount = Decimal(topup.final_amount) / 100
        due = (amount / Decimal("0.9")).quantize(Decimal("0.000001"))
        told = Payment(
            payment_id=payment_id or f"p-{topup.public_id}",
            invoice_id=topup.invoice_id or "",
            reference=topup.public_id,
            status=status,
            gateway_status=status.value,
            amount=amount,
            currency=topup.currency,
            due=due,
            paid=due * Decimal(share),
            payer_currency="USDT",
            fee=None if fee is None else Decimal(fee),
            changed_at=at,
        )
        told = replace(told, **facts)
        self.truth[told.payment_id] = told
        return told

    async def _meet(self) -> None:
        """Hangs or fails, if that is what the next question meets."""
        if self.hangs_until is not None:
            self.hanging += 1
            await self.hangs_until.wait()
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


def callback_of(
    topup: TopUp, *, number: int = 0, payment_id: str | None = None
) -> tuple[dict[str, str], bytes]:
    """Returns headers and body of a callback; another `number` makes another body."""
    said = {
        "reference": topup.public_id,
        "invoice": topup.invoice_id,
        "payment": payment_id,
        "number": number,
    }
    return {"x-signature": SIGNATURE}, json.dumps(said).encode()


@dataclass
class Till:
    """A desk with a gateway and a customer who tops up."""

    desk: DeskOfTest
    gateway: GatewayInMemory
    caller: Caller
    provider: str = PROVIDER

    @property
    def rt(self) -> Runtime:
        """The Runtime with the gateway."""
        return self.desk.rt

    async def order(self, amount: int = 50_000, *, key: str | None = None) -> TopUp:
        """Wants a top-up."""
        return (
            await topups.create_topup(
                self.rt, self.caller, topups.TopUpRequest(key, b"same", self.provider, amount)
            )
        )[0]

    async def read(self, topup: TopUp) -> TopUp:
        """Reads it back."""
        return (await topups.read(self.rt, topup.public_id))[0]

    async def lines(self, topup: TopUp) -> list[Booked]:
        """Returns its payments."""
        return (await topups.read(self.rt, topup.public_id))[1]

    async def settle(self, topup: TopUp) -> TopUp:
        """Settles it and reads it back."""
        await settlement.settle(self.rt, topup.id)
        return await self.read(topup)

    async def poll(self) -> int:
        """Asks about what is due to be asked about."""
        return await polling.poll_due(self.rt, provider=self.provider)

    async def balance(self) -> int:
        """Returns what the wallet holds."""
        return int(
            await self.desk.pool.fetchval(
                "select balance from accounts where id = $1", self.caller.wallet_id
            )
        )

    async def account(self, kind: str, label: str) -> int:
        """Returns the sum of a system account's entries."""
        return int(
            await self.desk.pool.fetchval(
                """select coalesce(sum(e.amount), 0) from entries e join accounts a
                    on a.id = e.account_id
                     where a.kind = $1 and a.label = $2 and a.currency = 'EUR'""",
                kind,
                label,
            )
        )

    async def events(self) -> list[tuple[str, dict[str, object]]]:
        """Returns what the customer was told, oldest first."""
        rows = await self.desk.pool.fetch(
            "select kind, document::text from events where kind <> 'balance.low' order by id"
        )
        return [(row[0], json.loads(row[1])) for row in rows]

    async def spend(self, units: int) -> None:
        """Moves money out of the wallet as if it were spent."""
        await wallets.adjust(
            self.rt,
            customer_id=self.caller.customer_id,
            currency=EUR,
            units=-units,
            reason_ref=f"spent {units}",
        )


async def open_till(
    desk: DeskOfTest, gateway: GatewayInMemory | None = None, *, provider: str = PROVIDER
) -> Till:
    """Gives the desk a gateway, beside those that it has, and a customer with an empty euro
    wallet."""
    gateway = gateway or GatewayInMemory()
    desk.rt.payments = {**desk.rt.payments, provider: gateway}
    desk.rt.provider_titles = {**desk.rt.provider_titles, provider: provider.capitalize()}
    made = await accounts.register(
        desk.rt, name="Payer", dialect="partner", currency=EUR, signed=True
    )
    return Till(
        desk,
        gateway,
        await callers.authenticate(desk.rt, made.token.encode(), dialect="partner"),
        provider,
    )


def later(desk: DeskOfTest, **span: float) -> datetime:
    """Returns a moment after the desk's now."""
    return desk.clock.now() + timedelta(**span)
