"""Statuses in the answers of SQL commands: a closed list of words."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import asyncpg
import pytest

from numdesk.storage.database.pool import Tx
from numdesk.storage.inbound import messages as inbound
from numdesk.storage.inbound.messages import TakenStatus
from numdesk.storage.orders import sales
from numdesk.storage.orders.sales import SaleStatus
from numdesk.storage.rentals import messages as rental_messages
from numdesk.storage.rentals import renting
from numdesk.storage.rentals.renting import RentStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answering:
    """A transaction whose every command answers one row with a status."""

    def __init__(self, status: str) -> None:
        self.status = status

    async def fetch(self, _query: str, *_args: object) -> list[dict[str, object]]:
        columns = ("amount", "outcome", "message_id", "order_id", "customer_id")
        return [{"status": self.status, **dict.fromkeys(columns)}]


COMMANDS: dict[str, Callable[[Tx], Awaitable[list[Any]]]] = {
    "sell": lambda tx: sales.sell_from_stock(tx, [], now=NOW),
    "rent": lambda tx: renting.rent(tx, [], now=NOW),
    "receive": lambda tx: inbound.receive(tx, [], now=NOW, withhold=True),
    "receive_unrented": lambda tx: inbound.receive_unrented(tx, [], now=NOW, withhold=True),
    "receive_rented": lambda tx: rental_messages.receive(tx, [], now=NOW, withhold=True),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_an_unknown_status_is_a_fault_of_ours(
    command: Callable[[Tx], Awaitable[list[Any]]],
) -> None:
    """A word that Python does not know is an error, never a refusal that a customer sees."""
    with pytest.raises(ValueError, match="perhaps"):
        await command(cast("Tx", Answering("perhaps")))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_a_known_status_is_a_member(
    command: Callable[[Tx], Awaitable[list[Any]]],
) -> None:
    """Each command's answer holds the member and not the word."""
    word = "busy" if command in (COMMANDS["sell"], COMMANDS["rent"]) else "seen"
    (answer,) = await command(cast("Tx", Answering(word)))
    assert type(answer.status) in (SaleStatus, RentStatus, TakenStatus)
    assert answer.status == word


@pytest.mark.parametrize(
    ("function", "statuses"),
    [("rent_numbers_v1", RentStatus), ("receive_order_messages_v1", TakenStatus)],
)
async def test_every_status_of_a_command_is_known(
    database_url: str, function: str, statuses: type[StrEnum]
) -> None:
    """The words that the SQL function assigns are members."""
    connection = await asyncpg.connect(database_url)
    try:
        text = await connection.fetchval("select prosrc from pg_proc where proname = $1", function)
    finally:
        await connection.close()
    assigned = re.findall(r"\bstatus := ([^;]*);", text)
    words = {word for part in assigned for word in re.findall(r"(?:^|then |else )'(\w+)'", part)}
    assert len(words) >= 5
    assert words <= {status.value for status in statuses}
