"""API keys: make, list, revoke, and open their signing secrets."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from numdesk.domain.customers import tokens
from numdesk.domain.customers.callers import Scope
from numdesk.domain.errors import NotFound
from numdesk.runtime import Runtime
from numdesk.storage.customers import keys as rows
from numdesk.storage.customers.keys import KeyLine
from numdesk.storage.database.pool import Tx
from numdesk.storage.ledger import accounts

ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; shown once and never again."""

    token: str = field(repr=False)
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The rules of a key: scopes, the dialect's call names (none = all), networks in CIDR form
    (none = all), until when; and its name."""

    scopes: frozenset[Scope] = ALL_SCOPES
    methods: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    expires_at: datetime | None = None
    name: str = "API key"


async def add_key(  # noqa: PLR0913
    rt: Runtime,
    *,
    customer_id: int,
    dialect: str,
    currency: str,
    rules: KeyRules,
    signed: bool = False,
) -> NewKey:
    """Add a key to a customer and return it, to be shown once.

    Open the wallet when there is none yet.
    """
    key = new_key(rt, signed=signed)

    async def work(tx: Tx) -> None:
        await accounts.open_wallet(tx, customer_id=customer_id, currency=currency)
        await insert_key(
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
    """Return a customer's keys by id, revoked ones too; never their tokens."""
    return await rt.repeat("customers.keys", lambda tx: rows.keys(tx, customer_id))


async def signing_secret(rt: Runtime, customer_id: int, *, dialect: str) -> str | None:
    """Return the secret of a customer's newest key of a dialect, None when no key that may be used
    has one. Never to be shown."""
    now = rt.clock.wall()
    found = await rt.repeat(
        "customers.signing_secret",
        lambda tx: rows.newest_secret(tx, customer_id, dialect=dialect, now=now),
    )
    return (
        None if found is None else rt.keys.open(found[1], context=secret_context(found[0])).decode()
    )


async def revoke_key(rt: Runtime, key_id: int) -> None:
    """Revoke a key on every process within a second. Raises NotFound."""
    if not await rt.run(
        "customers.revoke_key", lambda tx: rows.revoke_key(tx, key_id, now=rt.clock.now())
    ):
        raise NotFound(what=f"key {key_id}")


def secret_context(hashed: bytes) -> str:
    """Return the place that a key's secret is sealed for, so that it opens nowhere else."""
    return f"api_keys.secret:{hashed.hex()}"


def new_key(rt: Runtime, *, signed: bool) -> NewKey:
    token = tokens.make_token(rt.environment, random=_random(), prefix="pk" if signed else "nd")
    return NewKey(
        token, tokens.make_token(rt.environment, random=_random(), prefix="sk") if signed else None
    )


def _random() -> str:
    return "".join(secrets.choice(tokens.ALPHABET) for _ in range(tokens.RANDOM_CHARACTERS))


async def insert_key(  # noqa: PLR0913 - one column each
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
        secret = rt.keys.seal(key.secret.encode(), context=secret_context(hashed))
        await accounts.open_bonus(tx, customer_id=customer_id, currency=currency)
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
