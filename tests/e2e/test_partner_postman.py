"""The partner API from Postman: a pre-request script signs the full path as typed, and bodies go
out as typed, 27.00 and all."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.node import Node
from tests.support.partner import Keys, new_partner, send
from tests.support.serving import Server

pytestmark = pytest.mark.xdist_group("e2e")

URL = "{{domain}}/api/v1"
PRETTY_RENT = """{
    "country": "\\u0053pain",
    "rentType": "LONG",
    "serviceIds": [ "google",\t"whatsapp" ],
    "note": "Caf\\u00e9 \\uD83D\\uDC4B caf\u00e9 \u2028 \\/ 1.0",
    "amount": 27.00, "limit": 1E2, "10": true, "9": -0.0,
    "period": "7"
}
"""


@pytest.fixture
def partner(sandbox: Server) -> Keys:
    """A partner with 100 euros."""
    return new_partner(sandbox)


def raw(method: str, url: str, text: str = "") -> dict[str, Any]:
    """Returns a request with a body in raw mode."""
    return {"method": method, "url": url, "body": {"mode": "raw", "raw": text}}


def form(method: str, url: str, **fields: str) -> dict[str, Any]:
    """Returns a request with a body in form-data mode."""
    return {
        "method": method,
        "url": url,
        "body": {
            "mode": "formdata",
            "formdata": [{"key": key, "value": fields[key]} for key in fields],
        },
    }


def ask(node: Node, partner: Keys, *requests: dict[str, Any]) -> list[Any]:
    """Sends requests; returns their answers' JSON, which must be successes."""
    answers = node.run("postman.js", {"customer": partner, "requests": requests})
    assert [answer["status"] for answer in answers] == [200] * len(requests), answers
    return [answer["body"] for answer in answers]


def test_reads_with_queries_as_typed(node: Node, partner: Keys) -> None:
    """Queries are signed as typed, with the domain as a variable or written out.

    Letters are percent-encoded by whoever does it.
    """
    balance, listed, prices, again, *odd = ask(
        node,
        partner,
        {"method": "GET", "url": f"{URL}/wallet/balance", "body": None},
        raw("GET", f"{URL}/numbers/active?page=1&limit=5"),
        raw("GET", f"{URL}/numbers/services?country=Spain&rentType=LONG"),
        raw("GET", f"{partner['base_url']}/api/v1/wallet/balance"),
        raw("GET", f"{URL}/wallet/transactions?limit=5&note=caf\u00e9 👋 ~"),
        raw("GET", f"{URL}/wallet/transactions?limit=5&note=caf%C3%A9%20%7E"),
    )
    assert balance["data"]["total"] == again["data"]["total"] == 100
    assert listed["pagination"] == {"page": 1, "limit": 5, "total": 0, "totalPages": 0}
    google = next(service for service in prices["data"]["services"] if service["id"] == "google")
    assert google["prices"] == {"1": 2.5, "3": 6, "7": 12, "30": 35}
    assert [len(one["data"]) for one in odd] == [1, 1]


def test_goes_through_a_rental_with_bodies_as_typed(
    sandbox: Server, node: Node, partner: Keys
) -> None:
    """Pretty JSON is verified as JavaScript writes it, an empty body as {}, and messages are a
    plain list."""
    quote, made = ask(
        node,
        partner,
        raw(
            "POST",
            f"{URL}/numbers/calculate-price",
            '{ "country": "Spain", "rentType": "LONG",\r\n"serviceIds": ["google", "whatsapp"] }',
        ),
        raw("POST", f"{URL}/numbers/rent", PRETTY_RENT),
    )
    assert {period["period"]: period["price"] for period in quote["data"]["periods"]} == {
        "1": 5.5,
        "7": 27,
        "30": 80,
    }
    rental = made["data"]
    assert (rental["period"], rental["price"]) == ("7", 27)
    sandbox.message(rental["number"], "WhatsApp code: 789012", sender="WhatsApp")
    path = f"{URL}/numbers/{rental['rentId']}"
    messages, invoice, canceled = ask(
        node,
        partner,
        raw("GET", f"{path}/sms?page=1&limit=50"),
        raw("POST", f"{URL}/wallet/topup", '{"amount": 500.00, "provider": "nowpayments"}'),
        raw("POST", f"{path}/cancel"),
    )
    assert [(one["from"], one["message"]) for one in messages["data"]] == [
        ("WhatsApp", "WhatsApp code: 789012")
    ]
    assert (invoice["data"]["amount"], invoice["data"]["finalAmount"]) == (500, 450)
    assert canceled["data"]["refunded"] is False


def test_forms_are_good_only_when_they_are_empty(node: Node, partner: Keys) -> None:
    """The script signs {} whatever a form says, so a form that says something was not signed.

    Text that is no JSON neither.
    """
    [made] = send(
        node,
        partner,
        (
            "POST",
            "/numbers/rent",
            {"country": "Spain", "rentType": "SHORT", "serviceIds": ["google"]},
        ),
    )
    path = f"{URL}/numbers/{made['data']['rentId']}/cancel"
    answers = node.run(
        "postman.js",
        {
            "customer": partner,
            "requests": [
                form("POST", path, reason="a mistake"),
                raw("POST", path, "reason: a mistake"),
                form("POST", path),
                form("POST", path),
            ],
        },
    )
    assert [answer["status"] for answer in answers] == [401, 401, 200, 400]
    assert (
        answers[0]["body"]["error"]["code"]
        == answers[1]["body"]["error"]["code"]
        == "INVALID_SIGNATURE"
    )
    assert answers[2]["body"]["data"]["refundAmount"] == 0.8
    assert answers[3]["body"]["error"]["code"] == "RENT_NOT_ACTIVE"
