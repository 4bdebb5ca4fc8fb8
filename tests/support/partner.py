"""Customers of the partner API in the sandbox, spoken for by the JavaScript client."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.support.node import Node
from tests.support.serving import Server

Keys = dict[str, Any]

DIALECT = "partner"
#: What happens in the background is there after so long, however busy the machine is.
WITHIN_S = 60.0


def new_partner(server: Server, *, balance: int = 100_00, webhook_url: str | None = None) -> Keys:
    """Makes a partner with so many cents; returns what the sandbox tells of it: base_url, api_key,
    secret_key..."""
    return server.ask(
        "POST", "/customers", {"dialect": DIALECT, "balance": balance, "webhook_url": webhook_url}
    )


def send(node: Node, partner: Keys, *calls: tuple[Any, ...]) -> list[Any]:
    """Makes calls (method, path, data) as the partner.

    Returns the JSON of the answers, which must be successes.
    """
    answers = node.run("send.js", {"customer": partner, "calls": calls})
    assert [answer["status"] for answer in answers] == [200] * len(calls), answers
    return [answer["body"] for answer in answers]


def everything(node: Node, partner: Keys, path: str) -> list[dict[str, Any]]:
    """Returns the items of all pages of a list."""
    items: list[dict[str, Any]] = []
    page = 1
    while True:
        [answer] = send(node, partner, ("GET", f"{path}?page={page}&limit=100"))
        items += answer["data"]
        if page >= answer["pagination"]["totalPages"]:
            assert len(items) == answer["pagination"]["total"]
            return items
        page += 1


def webhooks(server: Server, box: str, *events: str) -> dict[str, dict[str, Any]]:
    """Moves the clock a little until webhooks of these events lie in a box.

    Returns the first of each as the inbox tells it.
    """
    ends = time.monotonic() + WITHIN_S
    found: dict[str, dict[str, Any]] = {}
    while time.monotonic() < ends:
        found = {
            item["event"]: item
            for item in reversed([with_event(item) for item in server.inbox(box)])
        }
        if found.keys() >= set(events):
            return found
        server.advance(1)
    raise AssertionError(f"of {events} only {sorted(found)} arrived")


def with_event(item: dict[str, Any]) -> dict[str, Any]:
    """Returns an item of the inbox with the name of its event."""
    return {**item, "event": json.loads(item["body"])["event"]}
