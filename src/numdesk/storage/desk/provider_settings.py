"""Settings of providers that lie in the database, sealed; the environment comes before them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numdesk.kit.seal import Sealer
    from numdesk.storage.database.pool import Tx

#: Settings by name, by provider.
Words = Mapping[str, Mapping[str, str]]


async def stored_words(tx: Tx, sealer: Sealer) -> Words:
    """Return every stored setting, opened. Raises SealBroken."""
    rows = await tx.fetch(
        "select provider, name, sealed from provider_settings order by provider, name"
    )
    words: dict[str, dict[str, str]] = {}
    for row in rows:
        opened = sealer.open(row["sealed"], context=context_of(row["provider"], row["name"]))
        words.setdefault(row["provider"], {})[row["name"]] = opened.decode("utf-8")
    return words


async def store_word(tx: Tx, *, provider: str, name: str, sealed: bytes, now: datetime) -> None:
    """Keep a setting, sealed for its place."""
    await tx.execute(
        """insert into provider_settings (provider, name, sealed, set_at) values ($1, $2, $3, $4)
           on conflict (provider, name) do update
             set sealed = excluded.sealed, set_at = excluded.set_at""",
        provider,
        name,
        sealed,
        now,
    )


async def drop_word(tx: Tx, *, provider: str, name: str) -> bool:
    """Forget a setting; False when there is none."""
    return (
        await tx.fetchval(
            "delete from provider_settings where provider = $1 and name = $2 returning true",
            provider,
            name,
        )
        is True
    )


async def list_words(tx: Tx) -> list[tuple[str, str, datetime]]:
    """Return which settings are stored, and since when; never their values."""
    rows = await tx.fetch(
        "select provider, name, set_at from provider_settings order by provider, name"
    )
    return [(row["provider"], row["name"], row["set_at"]) for row in rows]


def context_of(provider: str, name: str) -> str:
    """Name the place that a setting is sealed for."""
    return f"provider_settings.sealed:{provider}.{name}"
