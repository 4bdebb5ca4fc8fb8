"""The supplier's port for our own stock: what can be answered without a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from numdesk.ports.errors import Cause, ProviderError
from numdesk.ports.suppliers import Outcome, Reserved, Tier, Wanted


class OwnStock:
    """Our own numbers, which are with us already.

    Answered here: `tiers` (none are told, they are counted), `look_up` (nothing was ever bought
    through the port), `release` (nobody has to be told), `resend` (a number of ours keeps
    receiving, so one more message may always come). Refused here, because only the command that
    moves the money may do it: `reserve`, `reactivate`, `reactivation_cost`.
    """

    async def tiers(self) -> Sequence[Tier]:
        """Return none: our own numbers are counted, not told."""
        return ()

    async def reserve(self, wanted: Wanted) -> Reserved:
        """Refuses: our own numbers are sold by the desk itself."""
        _refuse(wanted.reference)

    async def look_up(self, reference: str) -> Reserved | None:  # noqa: ARG002 - the port's
        """Return None: nothing was ever reserved through this port."""
        return None

    async def release(self, provider_ref: str, outcome: Outcome) -> None:
        """Do nothing: the number goes back on the shelf in the transaction that ends its order."""

    async def resend(self, provider_ref: str) -> bool:  # noqa: ARG002 - the port's
        """Return True: a number of ours keeps receiving."""
        return True

    async def reactivate(self, wanted: Wanted, *, msisdn: int) -> Reserved:  # noqa: ARG002 - the port's
        """Refuses: our own numbers are sold by the desk itself."""
        _refuse(wanted.reference)

    async def reactivation_cost(self, *, msisdn: int, service: str) -> int | None:  # noqa: ARG002 - the port's
        """Refuses: what a number of ours costs stands in its offer."""
        _refuse(str(msisdn))


def _refuse(reference: str) -> NoReturn:
    raise ProviderError(
        Cause.PROVIDER_ERROR,
        f"own stock is not sold through a supplier's port ({reference})",
        ours=True,
    )
