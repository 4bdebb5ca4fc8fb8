"""Settings of an operator's Cryptomus account (or Heleket's, which speaks the same)."""

from __future__ import annotations

import msgspec

from numdesk.kit.outgoing.base_url import check_base_url


class CryptomusSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`merchant` is the merchant's UUID, `payment_key` the key of payments (not of payouts): a
    secret, which no text of ours holds.

    `look_back_days` says how old a payment may be to be found when it changes; the nightly
    comparison lists so many days.
    """

    base_url: str = "https://api.cryptomus.com"
    merchant: str = ""
    payment_key: str = ""
    timeout_s: float = 10.0
    look_back_days: int = 31

    def __post_init__(self) -> None:
        """Refuses what cannot work, without repeating a secret."""
        check_base_url(self.base_url)
        if not (self.merchant + self.payment_key).isascii() or bool(self.merchant) != bool(
            self.payment_key
        ):
            raise ValueError("merchant and payment_key belong together, in plain letters")
        if not (0 < self.timeout_s <= 60 and 0 <= self.look_back_days <= 366):
            raise ValueError("timeout_s must be up to 60, look_back_days up to 366")

    def __repr__(self) -> str:
        """Name the place, never the key."""
        return f"CryptomusSettings(base_url={self.base_url!r}, has_key={self.is_complete})"

    __str__ = __repr__

    @property
    def is_complete(self) -> bool:
        """Return whether there is an account to work with."""
        return bool(self.payment_key)
