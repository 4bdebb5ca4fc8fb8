"""Settings of an operator's NOWPayments account."""

from __future__ import annotations

import msgspec

from numdesk.kit.outgoing.base_url import check_base_url


class NowPaymentsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api_key` makes invoices, `ipn_secret` signs callbacks, `email` and `password` (optional)
    open the list of payments.

    The last three and the first are secrets, which no text of ours holds. `invoice_page` is where
    an invoice is paid, its id at the end. `look_back_days` says how old a payment may be to be
    found when it changes; the nightly comparison lists so many days.
    """

    base_url: str = "https://api.nowpayments.io/v1"
    api_key: str = ""
    ipn_secret: str = ""
    email: str = ""
    password: str = ""
    invoice_page: str = "https://nowpayments.io/payment/?iid="
    timeout_s: float = 10.0
    look_back_days: int = 31

    def __post_init__(self) -> None:
        """Refuses what cannot work, without repeating a secret."""
        check_base_url(self.base_url)
        if not self.api_key.isascii() or bool(self.api_key) != bool(self.signing_key):
            raise ValueError("api_key and ipn_secret belong together, the first in plain letters")
        if bool(self.email) != bool(self.password):
            raise ValueError("email and password belong together")
        if not (0 < self.timeout_s <= 60 and 0 <= self.look_back_days <= 366):
            raise ValueError("timeout_s must be up to 60, look_back_days up to 366")

    def __repr__(self) -> str:
        """Name the place, never a secret."""
        return (
            f"NowPaymentsSettings(base_url={self.base_url!r}, has_key={self.is_complete}, "
            f"may_list={self.may_list})"
        )

    __str__ = __repr__

    @property
    def is_complete(self) -> bool:
        """Return whether there is an account to work with."""
        return bool(self.api_key)

    @property
    def may_list(self) -> bool:
        """Return whether payments may be listed."""
        return bool(self.email)

    @property
    def signing_key(self) -> str:
        """The secret of callbacks; a line break that was copied with it is none of it."""
        return self.ipn_secret.strip()
