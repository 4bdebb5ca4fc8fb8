"""The check of rentals finds what it is for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.support import rentals as shop
from tests.support.desk import DeskOfTest

from numdesk.domain.ledger.journals import Check
from numdesk.storage.rentals import check as rental_check

#: What somebody might do to the tables by hand, and the rule that it breaks.
HARM = {
    "update rental_terms set ends_at = ends_at + interval '1 s'": "running_rentals_have_their_term",
    "update numbers set state = 0, rental_id = null where state = 4": "rented_numbers_belong_to_running_rentals",
    "update rental_charges set price = price + 1, from_wallet = from_wallet + 1": "rental_charges_are_booked",
    "delete from rental_charges where id = 1": "rental_charges_are_booked",
    "update rental_charges set from_bonus = price, from_wallet = 0": "rental_refunds_match_charges",
}


class Undone(Exception):
    """Takes a transaction back."""


@pytest.mark.parametrize("statement", HARM)
async def test_names_the_rule_that_is_broken(rental_desk: DeskOfTest, statement: str) -> None:
    """Each kind of harm done by hand is found under its rule, and an untouched desk is clean."""
    caller = await shop.renter(rental_desk, bonus=100)
    await shop.rent(rental_desk, caller)
    await shop.cancel(rental_desk, caller, (await shop.rent(rental_desk, caller)).rental.id)
    clean: dict[str, Check] = {}
    found: dict[str, Check] = {}
    with suppress(Undone):
        async with rental_desk.rt.transaction("test") as tx:
            clean = await rental_check.check_rentals(tx)
            await tx.execute(statement)  # type: ignore[arg-type] - a literal of this file
            found = await rental_check.check_rentals(tx)
            raise Undone
    assert {name: (check.checked, check.violations) for name, check in clean.items()} == {
        "rented_numbers_belong_to_running_rentals": (1, 0),
        "running_rentals_have_their_term": (1, 0),
        "rental_charges_are_booked": (2, 0),
        "rental_refunds_match_charges": (1, 0),
    }
    assert found[HARM[statement]].violations > 0
