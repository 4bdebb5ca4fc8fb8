"""Whether a key may make a call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from numdesk.domain.customers.callers import Caller, CustomerState, Scope, check_call
from numdesk.domain.errors import NotAuthenticated, NotPermitted, Refusal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALLER = Caller(
    1,
    1,
    CustomerState.ACTIVE,
    "smscode",
    1,
    "IDR",
    frozenset(Scope),
    frozenset(),
    (),
    None,
    None,
    None,
)
NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))


def refusal(
    caller: Caller,
    *,
    operation: str = "orders.get",
    scope: Scope = Scope.READ,
    address: str = "192.0.2.7",
) -> type[Refusal] | None:
    """Returns how the call is refused, or None."""
    try:
        check_call(caller, operation=operation, scope=scope, address=address, wall=lambda: NOW)
    except Refusal as refused:
        return type(refused)
    return None


@pytest.mark.parametrize("scope", Scope)
def test_a_key_of_all_scopes_may_do_all(scope: Scope) -> None:
    """An approved customer's key without bounds is let through."""
    assert refusal(CALLER, scope=scope) is None


@pytest.mark.parametrize(("state", "scope", "expected"), [
    (CustomerState.PENDING, Scope.READ, NotPermitted), (CustomerState.BLOCKED, Scope.READ, NotPermitted),
    (CustomerState.RESTRICTED, Scope.READ, None), (CustomerState.RESTRICTED, Scope.CONFIGURE, None),
    (CustomerState.RESTRICTED, Scope.ORDER, None), (CustomerState.RESTRICTED, Scope.SPEND, NotPermitted),
])  # fmt: skip
def test_the_customers_state_counts(
    state: CustomerState, scope: Scope, expected: type[Refusal] | None
) -> None:
    """Parked and blocked customers may do nothing, restricted ones all but spend."""
    assert refusal(replace(CALLER, state=state), scope=scope) is expected


def test_a_key_ends_at_its_time() -> None:
    """At the moment of its end a key is as unknown as one that never was, before any other
    reason."""
    assert refusal(replace(CALLER, expires_at=NOW, state=CustomerState.BLOCKED)) is NotAuthenticated
    assert refusal(replace(CALLER, expires_at=NOW + timedelta(microseconds=1))) is None


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_opens_itself_alone(scope: Scope) -> None:
    """A key does what its scopes say and nothing beside."""
    narrow = replace(CALLER, scopes=frozenset({scope}))
    assert [other for other in Scope if refusal(narrow, scope=other) is None] == [scope]


def test_a_list_of_calls_is_closed() -> None:
    """A key with a list makes those calls only."""
    narrow = replace(CALLER, methods=frozenset({"orders.get"}))
    assert (refusal(narrow), refusal(narrow, operation="balance.get")) == (None, NotPermitted)


@pytest.mark.parametrize(("address", "inside"), [
    ("192.0.2.1", True), ("192.0.3.1", False), ("2001:db8::1", True), ("2001:db9::1", False), ("::ffff:192.0.2.9", True),
    ("::ffff:192.0.3.9", False), ("", False), ("unix", False), ("192.0.2.1:80", False),
])  # fmt: skip
def test_a_list_of_networks_is_closed(address: str, *, inside: bool) -> None:
    """An address counts as it is, mapped into IPv6 or not; what is no address is outside."""
    assert (refusal(replace(CALLER, networks=NETWORKS), address=address) is None) == inside
