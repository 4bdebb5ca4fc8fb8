"""Settling a top-up: ask the gateway how its payments stand, and make the ledger say the same.

Nothing else moves a top-up's money.

The booking of a payment is a function of its facts, so it does not matter how often or in which
order news come, nor where a process dies: the next one to settle books the difference between what
stands and what should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from numdesk.domain.errors import InvalidInput, NotFound, StateForbids
from numdesk.domain.money import AMOUNT_MAX
from numdesk.domain.payments import journals as payment_journals
from numdesk.domain.payments import judging, topups
from numdesk.domain.payments.gateway_payments import Payment, PaymentStatus, has_money, newer
from numdesk.domain.payments.topups import Decision, Doubt, Line, Share, TopUp, TopUpState, Verdict
from numdesk.kit.log import get_logger
from numdesk.storage.jobs import queue
from numdesk.storage.ledger import history, journals
from numdesk.storage.payments import gateway_payments as payment_rows
from numdesk.storage.payments import topups as rows
from numdesk.storage.payments.gateway_payments import Booked
from numdesk.usecases.ledger import alerts
from numdesk.usecases.payments import invoices

if TYPE_CHECKING:
    from numdesk.runtime import Runtime
    from numdesk.storage.database.pool import Tx

#: Ids of gateways are uuids or numbers; a longer one would not fit into a journal's reference.
PAYMENT_ID_MAX = 100

_log = get_logger(__name__, "doubt", "payment_id", "provider", "sum", "topup_id")
_doubts = Counter(
    "numdesk_topup_doubts_total",
    "Payments that were found to need a person",
    ["provider", "reason"],
)

#: How a customer is told why a top-up came to nothing.
_FAILURES = {
    TopUpState.EXPIRED: "expired",
    TopUpState.FAILED: "failed",
    TopUpState.REFUSED: "refused",
    TopUpState.REFUNDED: "refunded",
}


async def settle(rt: Runtime, topup_id: int, *, payment_ids: Sequence[str] = ()) -> None:
    """Read a top-up's payments back from its gateway, those that a callback named included, and
    book their shares.

    Raises ProviderError. Raises NotFound or GatewayUnavailable.
    """
    topup = await invoices.read(rt, topup_id)
    if topup.invoice_id is None:
        topup = await invoices.find_invoice(rt, topup)
    if topup.invoice_id is None:
        return
    known = await rt.repeat("payments.known", lambda tx: payment_rows.payments_of(tx, [topup_id]))
    ids = {booked.line.payment.payment_id for booked in known} | set(payment_ids)
    await take(
        rt, topup_id, await invoices.look_up(rt, topup, topup.invoice_id, payment_ids=sorted(ids))
    )


async def take(rt: Runtime, topup_id: int, told: Sequence[Payment]) -> None:
    """Book what a gateway says of a top-up's payments, in one transaction."""
    found = await rt.run("payments.settle", lambda tx: _Settling(rt, tx).take(topup_id, told))
    for topup, payment_id, doubt, sum_ in found:
        _doubts.labels(topup.provider, doubt).inc()
        _log.error(
            "a payment needs a person",
            provider=topup.provider,
            topup_id=topup.public_id,
            payment_id=payment_id,
            doubt=doubt,
            sum=sum_ or None,
        )


async def settle_again(rt: Runtime, payload: Mapping[str, Any]) -> None:
    """Settle a top-up that the news about another one named (job `payments.settle`)."""
    await settle(rt, int(payload["topup"]), payment_ids=[str(one) for one in payload["payments"]])


async def decide(
    rt: Runtime,
    public_id: str,
    decision: Decision,
    *,
    payment_id: str | None = None,
    worth: int | None = None,
) -> TopUp:
    """End the doubt about a payment by a person's word: credits it for what it is worth (in minor
    units, where we cannot tell), keeps it apart, or takes it out of the books because it went back:
    only the excess where there is one, the credit too where the gateway contradicts it.

    Raises NotFound (no such top-up, or nothing in doubt), InvalidInput, or StateForbids (to credit
    what the gateway still holds).
    """

    async def work(tx: Tx) -> TopUp:
        return await _Settling(rt, tx).decide(
            public_id, decision, payment_id=payment_id, worth=worth
        )

    return await rt.run("payments.decide", work)


async def collect(rt: Runtime, public_id: str) -> int:
    """Take the debt of a top-up that was taken back from the wallet, as far as the wallet has it.

    Return how much.
    """
    return await rt.run("payments.collect", lambda tx: _Settling(rt, tx).collect(public_id))


#: A top-up, one of its payments, why a person should look (a word of few, for counting), and the
#: sum that it is about, if any.
Found = tuple[TopUp, str, str, str]


class _Settling:
    """One transaction in which a top-up is settled."""

    def __init__(self, rt: Runtime, tx: Tx) -> None:
        self._tx = tx
        self._now: datetime = rt.clock.now()
        self._titles = rt.provider_titles
        self._keys = rt.keys
        self._found: list[Found] = []

    async def take(self, topup_id: int, told: Sequence[Payment]) -> list[Found]:
        """Book the payments told of, and return the doubts for a person."""
        topup = await rows.lock(self._tx, topup_id)
        assert topup is not None, "top-ups are never deleted"
        known = {
            booked.line.payment.payment_id: booked
            for booked in await payment_rows.payments_of(self._tx, [topup.id])
        }
        strangers = sorted({payment.reference for payment in told} - {topup.public_id})
        others = {
            other.public_id: other.id
            for other in await rows.by_reference(
                self._tx, provider=topup.provider, references=strangers
            )
        }
        for payment in told:
            if payment.reference in others:
                await self._pass_on(others[payment.reference], topup.provider, payment)
            else:
                await self._hear(topup, payment, known)
        await self._conclude(topup, list(known.values()))
        return self._found

    async def decide(
        self, public_id: str, decision: Decision, *, payment_id: str | None, worth: int | None
    ) -> TopUp:
        """Note what a person said and books it."""
        topup = await self._lock(public_id)
        known = await payment_rows.payments_of(self._tx, [topup.id])
        named = [booked for booked in known if payment_id in (None, booked.line.payment.payment_id)]
        # What was refused before stays apart until it has gone back.
        held = [
            booked
            for booked in named
            if booked.doubt or (decision is Decision.RETURNED and booked.share.suspense)
        ]
        if not held:
            raise NotFound(what=f"held payment of {public_id}")
        if len(held) > 1:
            raise InvalidInput(
                field="payment",
                reason=f"must be named: {len(held)} payments of {public_id} are held or kept apart",
            )
        line = self._decided(topup, held[0], decision, worth)
        return await self._conclude(
            topup, [replace(one, line=line) if one.id == held[0].id else one for one in known]
        )

    async def collect(self, public_id: str) -> int:
        """Take the debt from the wallet."""
        topup = await self._lock(public_id)
        total = 0
        for booked in await payment_rows.payments_of(self._tx, [topup.id]):
            taken = min(booked.owed, max(0, await self._available(topup)))
            if taken:
                total += taken
                await payment_rows.write_payment(
                    self._tx,
                    await self._book(topup, booked, booked.share, booked.owed - taken),
                    now=self._now,
                )
        return total

    async def _lock(self, public_id: str) -> TopUp:
        found = await rows.read_public(self._tx, public_id)
        topup = None if found is None else await rows.lock(self._tx, found.id)
        if topup is None:
            raise NotFound(what=f"top-up {public_id}")
        return topup

    async def _pass_on(self, topup_id: int, provider: str, payment: Payment) -> None:
        """Leave word to look at a payment that is for another top-up of ours."""
        payload = {"topup": topup_id, "payments": [payment.payment_id], "provider": provider}
        key = f"{topup_id}/{payment.payment_id}"
        await queue.add(
            self._tx, kind="payments.settle", payload=payload, run_at=self._now, unique_key=key
        )

    async def _hear(self, topup: TopUp, payment: Payment, known: dict[str, Booked]) -> None:
        """Take over the new facts of a payment."""
        seen_at = payment.changed_at if has_money(payment) else None
        booked = known.get(payment.payment_id)
        if booked is None and 0 < len(payment.payment_id) <= PAYMENT_ID_MAX:
            booked = await payment_rows.open_payment(
                self._tx, topup=topup, payment=payment, seen_at=seen_at, now=self._now
            )
        if booked is None:
            self._found.append((topup, payment.payment_id[:PAYMENT_ID_MAX], "foreign_id", ""))
            return
        line = booked.line
        # Whatever the gateway says later, what was credited is not taken back because an invoice
        # was edited there.
        foreign = judging.find_mismatch(topup, payment) if booked.share.credit else None
        if foreign:
            self._found.append((topup, payment.payment_id, foreign, ""))
            return
        moments = [moment for moment in (line.seen_at, seen_at) if moment]
        line = line.with_news(
            newer(line.payment, payment), seen_at=min(moments) if moments else None
        )
        known[payment.payment_id] = replace(booked, line=line)

    async def _conclude(self, topup: TopUp, known: Sequence[Booked]) -> TopUp:
        """Book every payment's share, and write where the top-up stands."""
        judged: list[tuple[Line, Verdict]] = []
        for booked in known:
            verdict = judging.with_time(
                topup, booked.line, judging.judge(topup, booked.line), now=self._now
            )
            judged.append((booked.line, verdict))
            if verdict.doubt and verdict.doubt != booked.doubt:
                self._found.append((topup, booked.line.payment.payment_id, verdict.doubt, ""))
            after = booked
            if verdict.share != booked.share:
                after = await self._book(
                    topup,
                    booked,
                    verdict.share,
                    await self._owed_after(topup, booked, verdict.share),
                )
            await payment_rows.write_payment(
                self._tx, replace(after, doubt=verdict.doubt), now=self._now
            )
        state = judging.state_of(topup, judged, now=self._now)
        credited = sum(verdict.share.credit for _, verdict in judged)
        was_over = _is_over(topup.state, [booked.doubt for booked in known])
        is_over = _is_over(state, [verdict.doubt for _, verdict in judged])
        await rows.write_state(
            self._tx, topup, state=state, credited=credited, polled=(not was_over, not is_over)
        )
        if state is not topup.state and state in _FAILURES:
            await self._tell_failed(topup, _FAILURES[state])
        if credited != topup.credited:
            await alerts.look(
                self._tx,
                customer_ids=[topup.customer_id],
                dialect=topup.dialect,
                currency=topup.currency,
                now=self._now,
            )
        return replace(topup, state=state, credited=credited)

    async def _owed_after(self, topup: TopUp, booked: Booked, share: Share) -> int:
        """Return what the customer owes of a payment once its share is booked: what the wallet
        lacks for taking back, less what comes."""
        change = share.credit - booked.share.credit
        if change >= 0:
            return max(0, booked.owed - change)
        lacking = max(0, -change - max(0, await self._available(topup)))
        if lacking:
            await rows.restrict(self._tx, topup.customer_id)
            self._found.append(
                (topup, booked.line.payment.payment_id, "spent", f"{lacking} {topup.currency}")
            )
        return booked.owed + lacking

    async def _book(self, topup: TopUp, booked: Booked, share: Share, owed: int) -> Booked:
        """Move the money from the present booking to the new one."""
        ref = f"{topup.provider}:{booked.line.payment.payment_id}:{booked.seq + 1}"
        journal = payment_journals.topup(
            customer_id=topup.customer_id,
            provider=topup.provider,
            currency=topup.currency,
            ref=ref,
            was=(booked.share, booked.owed),
            becomes=(share, owed),
        )
        gain = share.credit - booked.share.credit + owed - booked.owed
        if journal.transfers:
            applied = await journals.apply(self._tx, journal, now=self._now)
            await self._describe(topup, applied.journal_id, gain)
            if gain > 0:
                paid = (
                    share.received - share.suspense - booked.share.received + booked.share.suspense
                )
                await self._tell_completed(topup, gain, paid, applied.journal_id)
        return replace(booked, share=share, owed=owed, seq=booked.seq + 1)

    async def _describe(self, topup: TopUp, journal_id: int, gain: int) -> None:
        title = self._titles.get(topup.provider, topup.provider)
        said = (
            ("topup", f"Wallet top-up via {title}")
            if gain > 0
            else ("adjustment", f"Top-up taken back by {title}")
        )
        metadata = {"provider": topup.provider, "invoiceId": topup.public_id}
        await history.describe(
            self._tx, journal_id, type=said[0], description=said[1], metadata=metadata
        )

    async def _tell_completed(self, topup: TopUp, gain: int, paid: int, journal_id: int) -> None:
        document = {
            **self._facts(topup, amount=gain, paid=paid),
            "transaction": self._keys.opaque_id("tx", journal_id),
            "paid_at": int(self._now.timestamp()),
        }
        await rows.append_event(
            self._tx, topup=topup, kind="payment.completed", document=document, now=self._now
        )

    async def _tell_failed(self, topup: TopUp, reason: str) -> None:
        document = {
            **self._facts(topup, amount=topup.amount, paid=topup.final_amount),
            "reason": reason,
        }
        await rows.append_event(
            self._tx, topup=topup, kind="payment.failed", document=document, now=self._now
        )

    def _facts(self, topup: TopUp, *, amount: int, paid: int) -> dict[str, Any]:
        return {
            "v": 1,
            "invoice": topup.public_id,
            "provider": topup.provider,
            "amount": amount,
            "final_amount": paid,
        }

    def _decided(self, topup: TopUp, booked: Booked, decision: Decision, worth: int | None) -> Line:
        """Return the payment with a person's decision about it."""
        if booked.doubt is Doubt.GATEWAY and decision is Decision.APPROVED:
            raise StateForbids(state="held by the gateway")
        settled = replace(booked.line, payment=replace(booked.line.payment, contradicted=False))
        if decision is Decision.APPROVED and booked.line.payment.contradicted and worth is None:
            return settled  # what was booked before the gateway contradicted itself stands
        line = replace(settled, worth=None)
        if decision is not Decision.APPROVED:
            # The excess alone is refused, or went back; what the payment brought within the rules
            # stays the customer's.
            has_excess = (
                booked.share.credit
                and booked.share.suspense
                and not booked.line.payment.contradicted
            )
            refused = booked.line.worth
            credited = judging.worth_of(topup, line) if refused is None else refused
            return replace(line, decision=decision, worth=credited if has_excess else None)
        is_told = line.payment.status is not PaymentStatus.UNKNOWN and not judging.find_mismatch(
            topup, line.payment
        )
        if worth is None and is_told:
            worth = judging.worth_of(topup, line)
        if worth is None or not 0 < worth <= AMOUNT_MAX:
            raise InvalidInput(
                field="worth",
                reason=(
                    f"must be given: what the payment is worth in {topup.currency}, in minor units"
                ),
            )
        return replace(line, decision=decision, worth=worth)

    async def _available(self, topup: TopUp) -> int:
        return await rows.available(
            self._tx, customer_id=topup.customer_id, currency=topup.currency
        )


def _is_over(state: TopUpState, doubts: Sequence[Doubt | None]) -> bool:
    """Return whether nothing more is expected from the gateway."""
    return state in topups.SETTLED and not topups.OPEN_AT_GATEWAY.intersection(doubts)
