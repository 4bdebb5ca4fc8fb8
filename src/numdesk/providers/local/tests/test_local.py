"""Our own stock answers what has a true answer without a database, and refuses the rest."""

import pytest

from numdesk.ports.errors import ProviderError
from numdesk.ports.suppliers import Outcome, Wanted
from numdesk.providers.local.adapter import OwnStock

WANTED = Wanted("r", "ID", "whatsapp", None, 0, "IDR")


class TestOwnStock:
    """The supplier's port for our own numbers."""

    async def test_answers_without_asking_anybody(self) -> None:
        """It tells no tiers, knows no reservation, needs no release, and may always get one more
        message."""
        stock = OwnStock()
        assert list(await stock.tiers()) == []
        assert await stock.look_up("r") is None
        await stock.release("r", Outcome.EXPIRED)
        assert await stock.resend("r")

    async def test_refuses_to_sell_through_the_port(self) -> None:
        """Only the command that moves the money may sell a number of ours, so nothing can be sold
        without it."""
        stock = OwnStock()
        for sale in (
            stock.reserve(WANTED),
            stock.reactivate(WANTED, msisdn=1),
            stock.reactivation_cost(msisdn=1, service="whatsapp"),
        ):
            with pytest.raises(ProviderError) as caught:
                await sale
            assert caught.value.ours
            assert not caught.value.unknown
