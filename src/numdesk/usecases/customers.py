"""Customers: who is calling, opening and closing customers, their keys, and the abuse guard's review."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from numdesk.domain import tokens
from numdesk.domain.chart import adjustment
from numdesk.domain.customers import Caller, CustomerState, Scope
from numdesk.domain.errors import NotAuthenticated, NotFound
from numdesk.domain.guard import judge
from numdesk.runtime import Runtime
from numdesk.storage import customers as rows
from numdesk.storage import ledger
from numdesk.storage.customers import KeyLine
from numdesk.storage.pool import Tx

#: What is remembered of callers is dropped when their version changes (looked at four times a second); this bounds the harm of a look
#: that failed.
MEMORY_AGE_MAX_S = 60.0
#: More remembered callers than this are dropped at once, so that a flood of keys cannot fill the memory.
REMEMBERED_MAX = 50_000
ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer that was just registered. The token is shown once and never again."""

    customer_id: int
    token: str
    wallet_id: int


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What a key may do: scopes, the dialect's call names (none = all), networks in CIDR form (none = all), until when; and its name."""

    scopes: frozenset[Scope] = ALL_SCOPES
    methods: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None
    name: str = "API key"


class _Remembered(dict[bytes, Caller]):
    """Callers by token; filled between two versions of the customers."""


def remembered(rt: Runtime, token: bytes, *, dialect: str) -> Caller | None:
    """Returns the caller when this process knows the token already; never waits."""
    known: _Remembered | None = rt.memory.peek("customers.callers", age_max_s=MEMORY_AGE_MAX_S)
    caller = known.get(token) if known is not None else None
    return caller if caller is not None and caller.dialect == dialect else None


async def authenticate(rt: Runtime, token: bytes, *, dialect: str) -> Caller:
    """Returns who the token belongs to; refuses with NotAuthenticated. Requests that wait together are looked up together."""
    if not tokens.looks_genuine(token):
        raise NotAuthenticated
    known: _Remembered = await rt.memory.get("customers.callers", _nothing_known, age_max_s=MEMORY_AGE_MAX_S)
    caller = known.get(token)
    if caller is None:

        async def run(hashes: list[bytes]) -> list[Caller | None]:
            found = await rt.repeat("customers.authenticate", lambda tx: rows.callers(tx, hashes))
            return [found.get(hashed) for hashed in hashes]

        caller = await rt.batch("customers.authenticate", run, batch_max=256).submit(rt.keys.fingerprint(token))
        if caller is None:
            raise NotAuthenticated
        if len(known) >= REMEMBERED_MAX:
            known.clear()
        known[token] = caller
        rt.local.setdefault("customers.used_keys", set()).add(caller.key_id)
    if caller.dialect != dialect:
        raise NotAuthenticated
    return caller


async def note_used_keys(rt: Runtime) -> None:
    """Writes down, to the hour, which keys were used since the last call."""
    used: set[int] = rt.local.pop("customers.used_keys", set())
    if used:
        await rt.run("customers.note_used_keys", lambda tx: rows.touch_keys(tx, sorted(used), now=rt.clock.wall()))


async def _nothing_known() -> _Remembered:
    return _Remembered()


async def register(  # noqa: PLR0913 - what a registration form asks
    rt: Runtime,
    *,
    name: str,
    dialect: str,
    currency: str,
    credit: int = 0,
    state: CustomerState = CustomerState.ACTIVE,
) -> NewCustomer:
    """Adds a customer with one wallet, one key of all scopes, and `credit` minor units in the wallet."""
    token = _new_token(rt)

    async def work(tx: Tx) -> NewCustomer:
        now = rt.clock.now()
        customer_id = await rows.insert_customer(tx, name=name, state=state, now=now)
        wallet_id = await ledger.open_wallet(tx, customer_id=customer_id, currency=currency)
        await _insert_key(rt, tx, customer_id=customer_id, dialect=dialect, currency=currency, token=token, rules=KeyRules())
        if credit:
            await ledger.apply(
                tx,
                adjustment(customer_id=customer_id, currency=currency, units=credit, ref=f"opening:{customer_id}"),
                now=now,
            )
        return NewCustomer(customer_id, token, wallet_id)

    return await rt.run("customers.register", work)


async def add_key(rt: Runtime, *, customer_id: int, dialect: str, currency: str, rules: KeyRules) -> str:
    """Adds a key to a customer and returns its token, which is shown once; opens the wallet when there is none yet."""
    token = _new_token(rt)

    async def work(tx: Tx) -> None:
        await ledger.open_wallet(tx, customer_id=customer_id, currency=currency)
        await _insert_key(rt, tx, customer_id=customer_id, dialect=dialect, currency=currency, token=token, rules=rules)

    await rt.run("customers.add_key", work)
    return token


async def keys(rt: Runtime, customer_id: int) -> list[KeyLine]:
    """Returns a customer's keys by id, revoked ones too; never their tokens."""
    return await rt.repeat("customers.keys", lambda tx: rows.keys(tx, customer_id))


async def revoke_key(rt: Runtime, key_id: int) -> None:
    """Revokes a key on every process within a second; refuses with NotFound."""
    if not await rt.run("customers.revoke_key", lambda tx: rows.revoke_key(tx, key_id, now=rt.clock.now())):
        raise NotFound(what=f"key {key_id}")


async def set_state(rt: Runtime, customer_id: int, state: CustomerState) -> None:
    """Approves (ACTIVE), restricts, blocks or parks a customer; refuses with NotFound."""
    if not await rt.run("customers.set_state", lambda tx: rows.set_state(tx, customer_id, state)):
        raise NotFound(what=f"customer {customer_id}")


async def review(rt: Runtime, customer_ids: Iterable[int]) -> None:
    """Lets the abuse guard look at customers whose orders have just ended without a message."""
    if not rt.settings.rate_limits:
        return

    async def work(tx: Tx, customer_id: int) -> None:
        now = rt.clock.now()
        verdict = judge(await rows.hours(tx, customer_id, now=now), now=now)
        if verdict is not None:
            await rows.set_guard(tx, customer_id, verdict)

    for customer_id in sorted(set(customer_ids)):
        await rt.run("customers.review", lambda tx, who=customer_id: work(tx, who))


def _new_token(rt: Runtime) -> str:
    random = "".join(secrets.choice(tokens.ALPHABET) for _ in range(tokens.RANDOM_CHARACTERS))
    return tokens.make_token(rt.environment, random=random)


async def _insert_key(  # noqa: PLR0913 - one column each
    rt: Runtime, tx: Tx, *, customer_id: int, dialect: str, currency: str, token: str, rules: KeyRules
) -> None:
    await rows.insert_key(
        tx,
        customer_id=customer_id,
        dialect=dialect,
        currency=currency,
        hashed=rt.keys.fingerprint(token.encode()),
        shown=token[: tokens.SHOWN_CHARACTERS],
        name=rules.name,
        scopes=rules.scopes,
        methods=rules.methods,
        networks=rules.networks,
        expires_at=rules.expires_at,
        now=rt.clock.wall(),
    )
