"""What rentals should do, written down once more with nothing but dictionaries: numbers, terms,
money, messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

QUARANTINE = timedelta(minutes=30)
COOLDOWN = timedelta(days=90)
REFUND_WINDOW = timedelta(hours=24)
DAYS_MAX = 365


@dataclass
class Number:
    """A number: free, in a rental's hands, or resting."""

    msisdn: int
    holder: Lease | None = None
    resting_until: datetime | None = None
    last: Lease | None = None
    cooling: dict[str, datetime] = field(default_factory=dict)

    def is_free(self) -> bool:
        """Is it on the shelf?"""
        return self.holder is None and self.resting_until is None

    def is_cool(self, services: Sequence[str], now: datetime) -> bool:
        """May it be rented for all of these by anybody?"""
        return all(self.cooling.get(service, now) <= now for service in services)


@dataclass
class Lease:
    """A customer's rental: its running or last term, and every message of all its terms."""

    id: str
    customer: Purse
    number: Number
    services: tuple[str, ...]
    starts_at: datetime
    expires_at: datetime
    days: int
    charges: list[tuple[int, int]]
    is_running: bool = True
    used: set[str] = field(default_factory=set)
    term_messages: int = 0
    messages: list[str] = field(default_factory=list)

    def is_active(self, now: datetime) -> bool:
        """Does the customer have the number at this moment?"""
        return self.is_running and now < self.expires_at


@dataclass
class Purse:
    """A customer's money."""

    wallet: int
    bonus: int

    def pay(self, price: int) -> tuple[int, int] | None:
        """Takes a price, bonus first.

        Returns what came from bonus and wallet, None when there is too little.
        """
        bonus = min(price, self.bonus)
        if price - bonus > self.wallet:
            return None
        self.bonus -= bonus
        self.wallet -= price - bonus
        return bonus, price - bonus


@dataclass
class Reference:
    """The shop: numbers by msisdn, leases by id."""

    numbers: dict[int, Number]
    prices: dict[str, dict[int, int]]
    leases: dict[str, Lease] = field(default_factory=dict)

    def price(self, services: Sequence[str], days: int) -> int | None:
        """Returns what a period costs, None when not all services have it."""
        prices = [self.prices[service].get(days) for service in services]
        return None if None in prices else sum(price for price in prices if price is not None)

    def has_number(self, services: Sequence[str], now: datetime) -> bool:
        """Is there a number to be rented for these?"""
        return any(
            number.is_free() and number.is_cool(services, now) for number in self.numbers.values()
        )

    def rent(self, lease: Lease, *, now: datetime) -> str | None:
        """Notes a rent that succeeded; returns what is wrong with it."""
        number = lease.number
        if not number.is_free() or not number.is_cool(lease.services, now):
            return f"{number.msisdn} was not to be had"
        number.holder = number.last = lease
        self.leases[lease.id] = lease
        return None

    def can_rerent(self, lease: Lease, now: datetime) -> bool:
        """May this customer have the number again?"""
        number = lease.number
        if number.holder is lease:  # its time is up, and nobody has put the number away yet
            return True
        if number.holder is not None:
            return False
        return number.last is lease or (number.is_free() and number.is_cool(lease.services, now))

    def end(self, lease: Lease, *, now: datetime) -> None:
        """Ends the running term; the number rests."""
        lease.is_running = False
        number = lease.number
        number.holder = None
        number.resting_until = now + QUARANTINE
        for service in lease.used:
            number.cooling[service] = max(number.cooling.get(service, now), now + COOLDOWN)

    def cancel(self, lease: Lease, *, now: datetime) -> int:
        """Cancels and returns what goes back."""
        back = 0
        if lease.term_messages == 0 and now < lease.starts_at + REFUND_WINDOW:
            for bonus, wallet in lease.charges:
                lease.customer.bonus += bonus
                lease.customer.wallet += wallet
                back += bonus + wallet
        self.end(lease, now=now)
        return back

    def rerent(self, lease: Lease, *, days: int, paid: tuple[int, int], now: datetime) -> None:
        """Begins a new term."""
        if lease.is_running:
            self.end(lease, now=now)
        lease.number.resting_until = None
        lease.number.holder = lease.number.last = lease
        lease.is_running, lease.used, lease.term_messages = True, set(), 0
        lease.starts_at, lease.expires_at, lease.days = now, now + timedelta(days=days), days
        lease.charges = [paid]

    def tidy(self, now: datetime) -> None:
        """Does what the clock does: ends terms whose time is up, frees numbers that have rested."""
        for number in self.numbers.values():
            if number.holder is not None and now >= number.holder.expires_at:
                self.end(number.holder, now=now)
            if number.resting_until is not None and now >= number.resting_until:
                number.resting_until = None

    def receive(
        self, msisdn: int, service: str | None, text: str, *, now: datetime
    ) -> tuple[Lease | None, bool]:
        """Notes a message; returns whose it is, and whether they see it: not one of a service that
        they have not rented."""
        number = self.numbers[msisdn]
        lease = (
            number.holder if number.holder is not None and number.holder.is_active(now) else None
        )
        if service is not None and (lease is None or service not in lease.services):
            number.cooling[service] = max(number.cooling.get(service, now), now + COOLDOWN)
        if lease is None:
            return None, False
        named = lease.services[0] if service is None and len(lease.services) == 1 else service
        if named is not None and named not in lease.services:
            return lease, False
        lease.used.update([named] if named else [])
        lease.messages.append(text)
        lease.term_messages += 1
        return lease, True
