"""Customers: who is calling, opening and closing customers, their keys, and the abuse guard's review."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from numdesk.domain.customers import tokens
from numdesk.domain.customers.abuse_guard import judge
from numdesk.domain.customers.callers import OPTIONS, Caller, CustomerState, Scope
from numdesk.domain.errors import InvalidInput, NotAuthenticated, NotFound, Unavailable
from numdesk.domain.ledger.chart import adjustment
from numdesk.runtime import Runtime
from numdesk.storage.customers import callers as rows
from numdesk.storage.customers.callers import KeyLine
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import journals
from numdesk.usecases.jobs import sweeps

#: What is remembered of callers is dropped when their version changes (looked at four times a second); this bounds the harm of a look
#: that failed.
MEMORY_AGE_MAX_S = 60.0
#: More remembered callers than this are dropped at once, so that a flood of keys cannot fill the memory.
REMEMBERED_MAX = 50_000
#: As many tokens that are nobody's are remembered apart, so that a flood of them pushes no caller out.
UNKNOWN_MAX = 10_000
ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer that was just registered. Token and secret (where requests are signed) are shown once and never again."""

    customer_id: int
    token: str = field(repr=False)
    wallet_id: int
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; shown once and never again."""

    token: str = field(repr=False)
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What a key may do: scopes, the dialect's call names (none = all), networks in CIDR form (none = all), until when; and its name."""

    scopes: frozenset[Scope] = ALL_SCOPES
    methods: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None
    name: str = "API key"


class _Remembered(dict[bytes, Caller]):
    """Callers by token, and tokens that are nobody's; filled between two versions of the customers."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[bytes] = set()

    def note_unknown(self, token: bytes) -> None:
        """Remembers that a token is nobody's."""
        if len(self.unknown) >= UNKNOWN_MAX:
            self.unknown.clear()
        self.unknown.add(token)


def remembered(rt: Runtime, token: bytes, *, dialect: str) -> Caller | None:
    """Returns the caller when this process knows the token already; never waits."""
    known: _Remembered | None = rt.memory.peek("customers.callers", age_max_s=MEMORY_AGE_MAX_S)
    caller = known.get(token) if known is not None else None
    return caller if caller is not None and caller.dialect == dialect else None


async def authenticate(rt: Runtime, token: bytes, *, dialect: str) -> Caller:
    """Returns who the token belongs to; refuses with NotAuthenticated. Requests that wait together are looked up together."""
    if not tokens.looks_genuine(token):
        raise NotAuthenticated
    known: _Remembered = await rt.memory.get(
        "customers.callers", _nothing_known, age_max_s=MEMORY_AGE_MAX_S
    )
    if token in known.unknown:
        raise NotAuthenticated
    caller = known.get(token)
    if caller is None:

        async def run(hashes: list[bytes]) -> list[Caller | None]:
            found = await rt.repeat("customers.authenticate", lambda tx: rows.callers(tx, hashes))
            return [_opened(rt, found.get(hashed), hashed) for hashed in hashes]

        caller = await rt.batch("customers.authenticate", run, batch_max=256).submit(
            rt.keys.fingerprint(token)
        )
        if caller is None:
            known.note_unknown(token)
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
        await rt.run(
            "customers.note_used_keys",
            lambda tx: rows.touch_keys(tx, sorted(used), now=rt.clock.wall()),
        )


async def _nothing_known() -> _Remembered:
    return _Remembered()


async def register(  # noqa: PLR0913 - what a registration form asks
    rt: Runtime,
    *,
    name: str,
    dialect: str,
    currency: str,
    signed: bool = False,
    credit: int = 0,
    state: CustomerState = CustomerState.ACTIVE,
    contact: Mapping[str, str] | None = None,
) -> NewCustomer:
    """Adds a customer with one wallet, one key of all scopes, and `credit` minor units in the wallet.

    `signed` gives the key a secret for signing requests, and the customer an account for bonus; `contact` is kept for staff.
    """
    key = _new_key(rt, signed=signed)

    async def work(tx: Tx) -> NewCustomer:
        now = rt.clock.now()
        customer_id = await rows.insert_customer(
            tx, name=name, state=state, contact=contact or {}, now=now
        )
        wallet_id = await journals.open_wallet(tx, customer_id=customer_id, currency=currency)
        await _insert_key(
            rt,
            tx,
            customer_id=customer_id,
            dialect=dialect,
            currency=currency,
            key=key,
            rules=KeyRules(),
        )
        if credit:
            await journals.apply(
                tx,
                adjustment(
                    customer_id=customer_id,
                    currency=currency,
                    units=credit,
                    ref=f"opening:{customer_id}",
                ),
                now=now,
            )
        return NewCustomer(customer_id, key.token, wallet_id, key.secret)

    return await rt.run("customers.register", work)


async def add_key(  # noqa: PLR0913
    rt: Runtime,
    *,
    customer_id: int,
    dialect: str,
    currency: str,
    rules: KeyRules,
    signed: bool = False,
) -> NewKey:
    """Adds a key to a customer and returns it, to be shown once; opens the wallet when there is none yet."""
    key = _new_key(rt, signed=signed)

    async def work(tx: Tx) -> None:
        await journals.open_wallet(tx, customer_id=customer_id, currency=currency)
        await _insert_key(
            rt,
            tx,
            customer_id=customer_id,
            dialect=dialect,
            currency=currency,
            key=key,
            rules=rules,
        )

    await rt.run("customers.add_key", work)
    return key


async def keys(rt: Runtime, customer_id: int) -> list[KeyLine]:
    """Returns a customer's keys by id, revoked ones too; never their tokens."""
    return await rt.repeat("customers.keys", lambda tx: rows.keys(tx, customer_id))


async def signing_secret(rt: Runtime, customer_id: int, *, dialect: str) -> str | None:
    """Returns the secret of a customer's newest key of a dialect, None when no key that may be used has one. Never to be shown."""
    now = rt.clock.wall()
    found = await rt.repeat(
        "customers.signing_secret",
        lambda tx: rows.newest_secret(tx, customer_id, dialect=dialect, now=now),
    )
    return (
        None
        if found is None
        else rt.keys.open(found[1], context=_secret_context(found[0])).decode()
    )


async def revoke_key(rt: Runtime, key_id: int) -> None:
    """Revokes a key on every process within a second; refuses with NotFound."""
    if not await rt.run(
        "customers.revoke_key", lambda tx: rows.revoke_key(tx, key_id, now=rt.clock.now())
    ):
        raise NotFound(what=f"key {key_id}")


async def set_state(rt: Runtime, customer_id: int, state: CustomerState) -> None:
    """Approves (ACTIVE), restricts, blocks or parks a customer; refuses with NotFound."""
    if not await rt.run("customers.set_state", lambda tx: rows.set_state(tx, customer_id, state)):
        raise NotFound(what=f"customer {customer_id}")


async def set_option(rt: Runtime, customer_id: int, *, name: str, value: str | None) -> None:
    """Sets what staff wishes for one customer (see OPTIONS), None takes it away; refuses with InvalidInput or NotFound."""
    allowed = OPTIONS.get(name)
    if allowed is None:
        raise InvalidInput(field="option", reason=f"must be one of {', '.join(OPTIONS)}")
    kept: str | int | None = value
    if isinstance(allowed, range) and value is not None:
        if not (value.isascii() and value.isdigit() and len(value) < 12 and int(value) in allowed):
            raise InvalidInput(
                field=name,
                reason=f"must be a whole number from {allowed.start} to {allowed.stop - 1}",
            )
        kept = int(value)
    elif isinstance(allowed, tuple) and value not in (None, *allowed):
        raise InvalidInput(field=name, reason=f"must be one of {', '.join(allowed)}")
    if not await rt.run(
        "customers.set_option", lambda tx: rows.set_option(tx, customer_id, name=name, value=kept)
    ):
        raise NotFound(what=f"customer {customer_id}")


async def review(rt: Runtime, customer_ids: Iterable[int]) -> None:
    """Lets the abuse guard look at customers whose orders have just ended without a message.

    What ended them is committed, so an outage now is not a reason to refuse: the guard looks again when the next one ends.
    """
    if not rt.settings.rate_limits:
        return

    async def work(tx: Tx, customer_id: int) -> None:
        now = rt.clock.now()
        verdict = judge(await rows.hours(tx, customer_id, now=now), now=now)
        if verdict is not None:
            await rows.set_guard(tx, customer_id, verdict)

    ids = set(customer_ids)
    if not ids:
        return
    with suppress(Unavailable):
        aside = await sweeps.of_sweep(rt, "customers.review")
        failed = {int(one.item) for one in aside}
        for customer_id in sorted(ids | {int(one.item) for one in sweeps.again(rt, aside)}):
            judge_one = partial(
                rt.run, "customers.review", lambda tx, who=customer_id: work(tx, who)
            )
            await sweeps.attempt(
                rt, "customers.review", str(customer_id), judge_one, is_aside=customer_id in failed
            )


def _opened(rt: Runtime, caller: Caller | None, hashed: bytes) -> Caller | None:
    """Returns the caller with its secret opened."""
    if caller is None or caller.secret is None:
        return caller
    return replace(caller, secret=rt.keys.open(caller.secret, context=_secret_context(hashed)))


def _secret_context(hashed: bytes) -> str:
    """Returns the place that a key's secret is sealed for, so that it opens nowhere else."""
    return f"api_keys.secret:{hashed.hex()}"


def _new_key(rt: Runtime, *, signed: bool) -> NewKey:
    token = tokens.make_token(rt.environment, random=_random(), prefix="pk" if signed else "nd")
    return NewKey(
        token, tokens.make_token(rt.environment, random=_random(), prefix="sk") if signed else None
    )


def _random() -> str:
    return "".join(secrets.choice(tokens.ALPHABET) for _ in range(tokens.RANDOM_CHARACTERS))


async def _insert_key(  # noqa: PLR0913 - one column each
    rt: Runtime,
    tx: Tx,
    *,
    customer_id: int,
    dialect: str,
    currency: str,
    key: NewKey,
    rules: KeyRules,
) -> None:
    hashed, secret = rt.keys.fingerprint(key.token.encode()), None
    if key.secret is not None:
        secret = rt.keys.seal(key.secret.encode(), context=_secret_context(hashed))
        await journals.open_bonus(tx, customer_id=customer_id, currency=currency)
    await rows.insert_key(
        tx,
        customer_id=customer_id,
        dialect=dialect,
        currency=currency,
        hashed=hashed,
        secret=secret,
        shown=key.token[: tokens.SHOWN_CHARACTERS],
        name=rules.name,
        scopes=rules.scopes,
        methods=rules.methods,
        networks=rules.networks,
        expires_at=rules.expires_at,
        now=rt.clock.wall(),
    )
