"""Refusals of the guard against abuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from numdesk.domain.errors import Refusal


@dataclass(eq=False)
class GuardBanned(Refusal):
    """The abuse guard has closed ordering for a while: too many orders ended without a message."""

    code = "guard_banned"
    until: datetime | None = None
    tier: str = ""
    retry_after_s: int = 1
