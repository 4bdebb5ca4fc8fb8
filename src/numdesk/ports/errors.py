"""The failures of an upstream, answering three questions: try again? ours to fix?

what may the customer read?
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a supplier gave no number; the words that a customer may read."""

    OK = "ok"
    NO_NUMBERS = "no_numbers"
    PRICE_REJECTED = "price_rejected"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_ACCOUNT_BALANCE = "provider_account_balance"
    PROVIDER_ERROR = "provider_error"


class ProviderError(Exception):
    """A call to an upstream that did not succeed.

    `unknown` says that the upstream may have done the work all the same: nothing may be bought
    again before the upstream is asked. `ours` says that staff must fix something (our credit
    there, our key).
    """

    def __init__(
        self, cause: Cause, text: str = "", *, unknown: bool = False, ours: bool = False
    ) -> None:
        super().__init__(text or cause.value)
        self.cause = cause
        self.unknown = unknown
        self.ours = ours
