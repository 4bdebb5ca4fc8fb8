"""A server, or its database, is killed again and again under a client that repeats with its keys:
nothing is lost, and nothing is twice."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from tests.support import database_kills
from tests.support.node import Node
from tests.support.partner import everything, new_partner, send
from tests.support.serving import Server

from numdesk.domain.payments.topups import TopUpState
from numdesk.storage.database.cluster import Cluster
from numdesk.storage.database.pool import OUTAGE_PATIENCE_S

pytestmark = pytest.mark.xdist_group("e2e")

BALANCE = 100_000_00
ANSWERS_BETWEEN = 30
ENV = {"NUMDESK_RATE_LIMITS": "off", "NUMDESK_TOPUP_OPEN_MAX": "10000"}

_log = logging.getLogger(__name__)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(5, id="5 kills", marks=pytest.mark.timeout(600)),
        pytest.param(50, id="50 kills", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
    ],
)
def test_a_client_that_retries_pays_once(
    start_server: Callable[..., Server], node: Node, kills: int
) -> None:
    """Every key has one rental, one charge and one refund, the balance is what they leave, and the
    answers come again for the same keys."""
    server = start_server(env=ENV)
    partner = new_partner(server, balance=BALANCE)
    told = _storm(server, node, partner, [restart] * kills)
    did = Counter(one["did"] for one in told)
    assert told[-1]["data"]["retries"]["AWAY"], "the server was to be away for a while"
    _compare(node, partner, told, did)
    _compare_topups(server, told)
    server.check_ledger()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(4, id="4 database kills", marks=pytest.mark.timeout(600)),
        pytest.param(
            30, id="30 database kills", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]
        ),
    ],
)
def test_a_database_that_is_killed_shows_as_latency(
    start_server: Callable[..., Server], node: Node, kills: int
) -> None:
    """While PostgreSQL is away, also from the middle of a COMMIT, writes wait: none is refused that
    was done, and none is done twice."""
    server = start_server(env=ENV)
    partner = new_partner(server, balance=BALANCE)
    away: list[float] = []

    def kill(server: Server) -> None:
        act = database_kills.kill_postmaster if len(away) % 2 else database_kills.kill_in_commit
        away.append(asyncio.run(database_kills.outlast(server, act)))

    told = _storm(server, node, partner, [kill] * kills)
    did = Counter(one["did"] for one in told)
    _log.info("away for %s s", [round(seconds, 2) for seconds in away])
    refused = [one for one in told if one["did"] == "refused"]
    assert [one for one in refused if one["data"]["ms"] < OUTAGE_PATIENCE_S * 1000] == [], (
        "refused before the time to wait was over"
    )
    if (
        max(away) < OUTAGE_PATIENCE_S / 2
    ):  # a write that met two outages, one after the other, had time enough
        assert told[-1]["data"]["retries"] == {}
    _compare(node, partner, told, did)
    _compare_topups(server, told)
    server.check_ledger()


def restart(server: Server) -> None:
    """Kills the server and starts it again."""
    server.kill9()
    server.start()


def _storm(
    server: Server, node: Node, partner: dict[str, Any], kills: list[Callable[[Server], None]]
) -> list[dict[str, Any]]:
    """Lets the client write without a pause between the kills.

    Returns what it was told, all answered, without a contradiction.
    """
    with node.started("storm.js", env={"CUSTOMER": json.dumps(partner)}) as client:
        assert client.stdout is not None
        assert client.stdin is not None
        told = []
        for kill in kills:
            told += [json.loads(client.stdout.readline()) for _ in range(ANSWERS_BETWEEN)]
            kill(server)
        client.stdin.close()
        told += [json.loads(line) for line in client.stdout]
    _log.info(
        "%s, repeated for %s",
        dict(Counter(one["did"] for one in told)),
        told[-1]["data"]["retries"],
    )
    assert [one for one in told if one["did"] in ("contradict", "denied")] == []
    return told


def _compare(
    node: Node, partner: dict[str, Any], told: list[dict[str, Any]], did: Counter[str]
) -> None:
    """Fails where the lists of the server and what the client was told differ."""
    ids = {
        act: [one["data"]["rentId"] for one in told if one["did"] == act]
        for act in ("rent", "cancel", "rerent")
    }
    rented = Counter(ids["rent"])
    assert set(rented.values()) == {1}, "one rental answers two keys"
    listed = Counter(one["rentId"] for one in everything(node, partner, "/numbers/active"))
    ended = Counter(one["rentId"] for one in everything(node, partner, "/numbers/history"))
    assert listed + ended == rented
    assert ended == Counter(ids["cancel"]) - Counter(ids["rerent"])
    lines = everything(node, partner, "/wallet/transactions")
    types = Counter(line["type"] for line in lines)
    assert (types["charge"], types["refund"], types["topup"]) == (
        did["rent"] + did["extend"] + did["rerent"],
        did["cancel"],
        0,
    )
    [balance] = send(node, partner, ("GET", "/wallet/balance"))
    paid = sum(one["data"].get("price", 0) + one["data"].get("extensionPrice", 0) for one in told)
    refunded = sum(one["data"].get("refundAmount", 0) for one in told)
    assert balance["data"]["total"] == pytest.approx(BALANCE / 100 - paid + refunded, abs=1e-6)
    assert balance["data"]["total"] == pytest.approx(
        sum(line["amount"] for line in lines), abs=1e-6
    )


def _compare_topups(server: Server, told: list[dict[str, Any]]) -> None:
    """Fails unless the top-ups that have an invoice, or may get one, are those that the client was
    told of."""

    async def opened() -> list[str]:
        connection = await asyncpg.connect(Cluster.of(server.data).dsn())
        try:
            rows = await connection.fetch(
                "select public_id from topups where state <> $1", TopUpState.FAILED
            )
        finally:
            await connection.close()
        return [row["public_id"] for row in rows]

    assert Counter(asyncio.run(opened())) == Counter(
        one["data"]["invoiceId"] for one in told if one["did"] == "topup"
    )
