"""The result of one check of an installation."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `text` says what to do when it is not ok."""

    name: str
    state: str
    text: str
