"""Keys and other settings of upstream companies that staff types in instead of giving them by the
environment."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from numdesk.domain.errors import InvalidInput, NotFound
from numdesk.storage.desk import provider_settings as rows

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

VALUE_CHARS_MAX = 4_096


async def store(rt: Runtime, *, provider: str, name: str, value: str) -> None:
    """Keep a setting of a provider, sealed; processes use it from their next start.

    Raises NotFound or InvalidInput.
    """
    if provider not in rt.provider_titles:
        raise NotFound(what=f"provider {provider[:40]}")
    if re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) is None:
        raise InvalidInput(
            field="name", reason="must be a setting's name in small letters, such as payment_key"
        )
    if not 0 < len(value) <= VALUE_CHARS_MAX or not value.isprintable():
        raise InvalidInput(
            field="value", reason=f"must be 1 to {VALUE_CHARS_MAX} printable characters"
        )
    sealed = rt.keys.seal(value.encode(), context=rows.context_of(provider, name))
    now = rt.clock.now()
    await rt.run(
        "providers.store",
        lambda tx: rows.store_word(tx, provider=provider, name=name, sealed=sealed, now=now),
    )


async def drop(rt: Runtime, *, provider: str, name: str) -> None:
    """Forget a setting. Raises NotFound."""
    if not await rt.run(
        "providers.drop", lambda tx: rows.drop_word(tx, provider=provider, name=name)
    ):
        raise NotFound(what=f"stored setting {name} of {provider}")


async def stored(rt: Runtime) -> list[tuple[str, str, datetime]]:
    """Return which settings are stored and since when, never their values."""
    return await rt.repeat("providers.stored", rows.list_words)
