"""Customers, their API keys, and whether a key may make a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from numdesk.domain.errors import NotAuthenticated, NotPermitted


class CustomerState(IntEnum):
    """The state of a customer. The numbers are stored.

    RESTRICTED may read and end orders but not spend.
    """

    PENDING = 0
    ACTIVE = 1
    RESTRICTED = 2
    BLOCKED = 3


#: What staff may set for one customer, by name, with the values that are allowed (a range, or
#: words).
OPTIONS: Mapping[str, range | tuple[str, ...]] = {
    "replay": ("dedupe", "reject", "allow"),  # what a signed request that comes again gets
    "answers": ("auto", "full", "short"),  # which of a vendor's two answer shapes
    "rental_discount_bp": range(10_001),  # hundredths of a percent off the rental price list
    "low_balance": range(10**9),  # minor units below which the customer is told; 0 never
}


class Scope(IntEnum):
    """The scope of a key. The numbers are stored."""

    READ = 0
    ORDER = 1  # end orders, ask for one more message
    CONFIGURE = 2
    SPEND = 3  # buy


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: one customer by one key, with the wallet of the dialect's currency.

    `guard_until` and `guard_tier` are the abuse guard's last word (None when it is silent).
    `bonus_id` is the account of gifts to the customer in that currency, where there is one;
    `secret` the key with which requests are signed, where the dialect signs; `options` what staff
    has set for this customer (see OPTIONS).
    """

    customer_id: int
    key_id: int
    state: CustomerState
    dialect: str
    wallet_id: int
    currency: str
    scopes: frozenset[Scope]
    methods: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]
    expires_at: datetime | None
    guard_until: datetime | None
    guard_tier: str | None
    bonus_id: int | None = None
    secret: bytes | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)


def check_call(
    caller: Caller, *, operation: str, scope: Scope, address: str, wall: Callable[[], datetime]
) -> None:
    """Refuses with NotAuthenticated (expired) or NotPermitted when this key may not make this call
    from this address.

    `operation` is the call's name in the dialect, as a key's list of methods holds it; an empty
    list allows all. `wall` tells the real time when it is asked.
    """
    if caller.expires_at is not None and wall() >= caller.expires_at:
        raise NotAuthenticated
    if caller.state in (CustomerState.PENDING, CustomerState.BLOCKED):
        state = caller.state.name.lower()
        raise NotPermitted(reason=f"customer is {state}", customer_state=state)
    if caller.state is CustomerState.RESTRICTED and scope is Scope.SPEND:
        raise NotPermitted(reason="customer is restricted", customer_state="restricted")
    if scope not in caller.scopes:
        raise NotPermitted(reason=f"key lacks the scope {scope.name.lower()}")
    if caller.methods and operation not in caller.methods:
        raise NotPermitted(reason="key does not allow this call")
    if caller.networks and not _inside(address, caller.networks):
        raise NotPermitted(reason="key does not allow this address")


def _inside(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Return whether the address is in one of the networks.

    An IPv4 address mapped into IPv6 counts as IPv4.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
