"""A server that is killed again and again under a client that repeats with its keys: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.node import Node
from tests.support.partner import everything, new_partner, send
from tests.support.serving import Server

pytestmark = pytest.mark.xdist_group("e2e")

BALANCE = 100_000_00
ANSWERS_BETWEEN = 30

_log = logging.getLogger(__name__)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(5, id="5 kills", marks=pytest.mark.timeout(600)),
        pytest.param(50, id="50 kills", marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
    ],
)
def test_a_client_that_retries_pays_once(start_server: Callable[..., Server], node: Node, kills: int) -> None:
    """Every key has one rental, one charge and one refund, the balance is what they leave, and the answers come again for the same keys."""
    server = start_server(env={"NUMDESK_RATE_LIMITS": "off", "NUMDESK_TOPUP_OPEN_MAX": "10000"})
    partner = new_partner(server, balance=BALANCE)
    told = _storm(server, node, partner, kills=kills)
    did = Counter(one["did"] for one in told)
    assert not did["contradict"], [one for one in told if one["did"] == "contradict"][:3]
    retries = next(one["data"]["retries"] for one in told if one["did"] == "end")
    _log.info("%s, repeated for %s", dict(did), retries)
    assert retries["AWAY"], "the server was to be away for a while"
    _compare(node, partner, told, did)
    server.check_ledger()


def _storm(server: Server, node: Node, partner: dict[str, Any], *, kills: int) -> list[dict[str, Any]]:
    """Lets the client write without a pause while the server is killed; returns what it was told, all answered."""
    with node.started("storm.js", env={"CUSTOMER": json.dumps(partner)}) as client:
        assert client.stdout is not None
        assert client.stdin is not None
        told = []
        for _ in range(kills):
            told += [json.loads(client.stdout.readline()) for _ in range(ANSWERS_BETWEEN)]
            server.kill9()
            server.start()
        client.stdin.close()
        return told + [json.loads(line) for line in client.stdout]


def _compare(node: Node, partner: dict[str, Any], told: list[dict[str, Any]], did: Counter[str]) -> None:
    """Fails where the lists of the server and what the client was told differ."""
    rented = Counter(one["data"]["rentId"] for one in told if one["did"] == "rent")
    canceled = {one["data"]["rentId"] for one in told if one["did"] == "cancel"}
    invoices = [one["data"]["invoiceId"] for one in told if one["did"] == "topup"]
    assert set(rented.values()) == {1}, "one rental answers two keys"
    assert len(set(invoices)) == len(invoices)
    listed = Counter(one["rentId"] for one in everything(node, partner, "/numbers/active"))
    ended = Counter(one["rentId"] for one in everything(node, partner, "/numbers/history"))
    assert listed + ended == rented
    assert ended.keys() == canceled
    lines = everything(node, partner, "/wallet/transactions")
    types = Counter(line["type"] for line in lines)
    assert (types["charge"], types["refund"], types["topup"]) == (did["rent"] + did["extend"], did["cancel"], 0)
    [balance] = send(node, partner, ("GET", "/wallet/balance"))
    paid = sum(one["data"].get("price", 0) + one["data"].get("extensionPrice", 0) for one in told)
    refunded = sum(one["data"].get("refundAmount", 0) for one in told)
    assert balance["data"]["total"] == pytest.approx(BALANCE / 100 - paid + refunded, abs=1e-6)
    assert balance["data"]["total"] == pytest.approx(sum(line["amount"] for line in lines), abs=1e-6)
