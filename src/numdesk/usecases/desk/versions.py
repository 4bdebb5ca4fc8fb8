"""Notices that another process changed what this one remembers, and forgets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numdesk.runtime import ProcessState
from numdesk.storage.desk import versions as rows

if TYPE_CHECKING:
    from numdesk.runtime import Runtime

_SEEN = ProcessState[dict[str, int]](lambda _: {})


async def look(rt: Runtime) -> None:
    """Forget the values remembered under each name (the catalogue, for one) whose version has
    changed since the last look."""
    seen = _SEEN.of(rt)
    current = await rt.repeat("versions.look", rows.versions)
    for name, version in current.items():
        # At the first look it is not known which version the memory was made from.
        if seen.get(name) != version:
            seen[name] = version
            rt.memory.forget(name)
