"""The desk as plain dictionaries: what every act must come to, written a second time and as simply
as possible."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from numdesk.domain.orders.lifecycle import State

LIFE_S, CANCEL_FROM_S, COOLDOWN_S, QUARANTINE_S, RESEND_S = 1200, 115, 90 * 86_400, 1800, 30
LOCAL, LOCAL_TWO, REMOTE = 1, 2, 3
#: The service of each offer.
SERVICE = {LOCAL: 3, LOCAL_TWO: 4, REMOTE: 3}
OPEN = (State.ACTIVE, State.RECEIVED, State.RESENT)


@dataclass
class Number:
    """One of our own numbers: who has it, who had it last, when its quarantine ends, and until when
    it rests for each service."""

    order: int | None = None
    last: int | None = None
    free_at: float | None = None
    rests: dict[int, float] = field(default_factory=dict)


@dataclass
class Order:
    """One order; a number of ours is in `numbers` of the reference, a supplier's is not."""

    customer: int
    offer: int
    price: int
    msisdn: int | None
    created: float
    state: State = State.ACTIVE
    revision: int = 0
    resend_at: float = 0

    @property
    def evidence(self) -> bool:
        """Has a message come?"""
        return self.revision > 0


@dataclass
class Answer:
    """What a request must come to: the name of a refusal, or how many numbers at which price, or
    the orders of a replay."""

    refusal: str | None = None
    bought: tuple[tuple[int, int], ...] = ()
    failed: int = 0
    replay: tuple[int, ...] | None = None


class Reference:
    """Wallets, orders, numbers, keys and messages."""

    def __init__(self, prices: dict[int, int], numbers: Iterable[int]) -> None:
        self.now = 0.0
        self.prices = dict(prices)
        self.wallets: dict[int, int] = {}
        self.orders: dict[int, Order] = {}
        self.numbers = {msisdn: Number() for msisdn in numbers}
        self.keys: dict[tuple[int, str, str], tuple[bytes, tuple[int, ...] | str | None]] = {}
        self.messages: set[str] = set()

    def held(self, customer: int) -> int:
        """Returns the open holds of a customer."""
        return sum(
            o.price
            for o in self.orders.values()
            if o.customer == customer and o.state in (State.PENDING, State.ACTIVE)
        )

    def available(self, customer: int) -> int:
        """Returns what a customer can spend."""
        return self.wallets[customer] - self.held(customer)

    def free(self, offer: int) -> list[int]:
        """Returns our numbers that may be sold for an offer now."""
        return [
            m
            for m, n in self.numbers.items()
            if n.order is None and n.free_at is None and n.rests.get(SERVICE[offer], 0) <= self.now
        ]

    def known(
        self, customer: int, space: str, key: str | None, fingerprint: bytes
    ) -> Answer | None:
        """Returns what the key decides before anything else, or None."""
        if key is None or (customer, space, key) not in self.keys:
            return None
        bound, outcome = self.keys[customer, space, key]
        if bound != fingerprint:
            return Answer("KeyReused")
        if outcome is None:
            return Answer("RequestInProgress")
        return Answer(outcome) if isinstance(outcome, str) else Answer(replay=outcome)

    def buy(self, customer: int, offers: list[int], quantity: int, word: str = "ok") -> Answer:
        """Returns what buying must come to: `offers` are the candidates of the request, `word` what
        the supplier does."""
        ranked = sorted(
            (o for o in offers if o == REMOTE or self.free(o)), key=lambda o: (self.prices[o], o)
        )
        if not ranked:
            return Answer("NoOffer")
        if self.prices[ranked[0]] * quantity > self.available(customer):
            return Answer("WalletShort")
        money, left, bought = self.available(customer), quantity, []
        for offer in ranked:
            count = min(left, money // self.prices[offer]) if self.prices[offer] else left
            count = min(count, len(self.free(offer))) if offer != REMOTE else count
            if offer == REMOTE and word not in ("ok", "late_ok"):
                return Answer("RequestInProgress" if word == "unknown" else "SupplierFailed")
            bought += [(offer, self.prices[offer])] * count
            left, money = left - count, money - count * self.prices[offer]
        return Answer(bought=tuple(bought), failed=left)

    def sold(self, order_id: int, order: Order) -> None:
        """Notes an order that the desk made; its number must have been free for it."""
        if order.offer != REMOTE and order.msisdn is not None:
            assert order.msisdn in self.free(order.offer), f"{order.msisdn} was not free"
        self.orders[order_id] = order
        if order.msisdn in self.numbers:
            number = self.numbers[order.msisdn]
            number.order = number.last = order_id

    def reactivate(self, customer: int, order_id: int, word: str = "ok") -> Answer:
        """Returns what buying the order's number again must come to."""
        order = self.orders[order_id]
        if (
            order.customer != customer
            or order.state is State.FAILED
            or order.state is State.PENDING
        ):
            return Answer("NotFound")
        number = self.numbers.get(order.msisdn or 0)
        if number:
            in_use = number.order is not None or number.last != order_id
        else:
            in_use = any(o.msisdn == order.msisdn and o.state in OPEN for o in self.orders.values())
        if order.state is not State.COMPLETED or in_use:
            return Answer("StateForbids")
        if self.prices[order.offer] > self.available(customer):
            return Answer("WalletShort")
        if not number and word not in ("ok", "late_ok"):
            return Answer("SupplierFailed")
        return Answer(bought=((order.offer, self.prices[order.offer]),))

    def retaken(self, order_id: int, order: Order) -> None:
        """Notes the child of a reactivation."""
        self.orders[order_id] = order
        if number := self.numbers.get(order.msisdn or 0):
            number.order, number.last, number.free_at = order_id, order_id, None

    def receive(self, msisdn: int, message_id: str) -> tuple[str, int | None]:
        """Takes a message; returns its status and, when one got it, the order."""
        if message_id in self.messages:
            return "seen", None
        self.messages.add(message_id)
        owners = [i for i, o in self.orders.items() if o.msisdn == msisdn]
        waiting = [
            i
            for i in owners
            if self.orders[i].state in OPEN and self.now < self.orders[i].created + LIFE_S
        ]
        if not waiting:
            return ("late", max(owners)) if owners else ("orphan", None)
        order = self.orders[max(waiting)]
        if not order.evidence:
            self.wallets[order.customer] -= order.price
        order.state, order.revision = State.RECEIVED, order.revision + 1
        return "taken", max(waiting)

    def cancel(self, customer: int, order_id: int) -> str | None:
        """Cancels, or returns the refusal."""
        refusal = self._end(customer, order_id, (State.ACTIVE,))
        if refusal:
            return refusal
        if self.now < self.orders[order_id].created + CANCEL_FROM_S:
            return "CancelTooEarly"
        return self._ended(order_id, State.CANCELED)

    def finish(self, customer: int, order_id: int) -> str | None:
        """Finishes, or returns the refusal."""
        return self._end(customer, order_id, (State.RECEIVED, State.RESENT)) or self._ended(
            order_id, State.COMPLETED
        )

    def resend(self, customer: int, order_id: int) -> str | None:
        """Asks for one more message, or returns the refusal."""
        refusal = self._end(customer, order_id, (State.RECEIVED, State.RESENT))
        order = self.orders[order_id]
        if refusal is None and self.now < order.resend_at:
            return "StateForbids"
        if refusal is None:
            order.state, order.resend_at = State.RESENT, self.now + RESEND_S
        return refusal

    def expire(self) -> list[int]:
        """Ends what is due; returns those orders."""
        due = [
            i for i, o in self.orders.items() if o.state in OPEN and o.created + LIFE_S <= self.now
        ]
        for order_id in due:
            self._ended(
                order_id, State.COMPLETED if self.orders[order_id].evidence else State.EXPIRED
            )
        return due

    def release(self) -> int:
        """Ends quarantines; returns how many."""
        over = [n for n in self.numbers.values() if n.free_at is not None and n.free_at <= self.now]
        for number in over:
            number.free_at = None
        return len(over)

    def _end(self, customer: int, order_id: int, states: tuple[State, ...]) -> str | None:
        order = self.orders[order_id]
        if order.customer != customer or order.state in (State.PENDING, State.FAILED):
            return "NotFound"
        return (
            "StateForbids"
            if order.state not in states or self.now >= order.created + LIFE_S
            else None
        )

    def _ended(self, order_id: int, state: State) -> None:
        order = self.orders[order_id]
        order.state = state
        if number := self.numbers.get(order.msisdn or 0):
            number.order, number.free_at = None, self.now + QUARANTINE_S
            number.rests[SERVICE[order.offer]] = self.now + COOLDOWN_S
