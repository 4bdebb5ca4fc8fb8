"""The partner API through a client as its integrators write it in JavaScript: axios, short paths
signed, `null` where there is no body."""

from __future__ import annotations

import hashlib
import hmac
import re
from itertools import pairwise
from typing import Any

import pytest
from tests.support.node import Node
from tests.support.partner import Keys, everything, new_partner, send
from tests.support.serving import Server

pytestmark = pytest.mark.xdist_group("e2e")

START = 100.0
SERVICES = [{"id": "google", "name": "Google"}, {"id": "whatsapp", "name": "WhatsApp"}]
is_time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").fullmatch


def wanted(**changes: object) -> dict[str, object]:
    """Returns what rents a number for Google for a day, with some changes."""
    return {
        "country": "Spain",
        "rentType": "LONG",
        "serviceIds": ["google"],
        "period": "1",
        **changes,
    }


@pytest.fixture(scope="module")
def partner(sandbox: Server) -> Keys:
    """A partner with 100 euros."""
    return new_partner(sandbox)


@pytest.fixture(scope="module")
def cycle(node: Node, partner: Keys) -> dict[str, Any]:
    """Every answer of a whole cycle: balance, top-up, payment, rent, SMS, cancel, and once more
    with a refund."""
    return node.run("cycle.js", partner)[0]


class TestCycle:
    """From the first balance to the last."""

    def test_begins_with_what_was_paid_in(self, cycle: dict[str, Any]) -> None:
        """A balance has all its parts, and they add up."""
        data = {
            "balance": START,
            "balanceBonus": 0,
            "currency": "EUR",
            "total": START,
            "reserved": 0,
            "available": START,
        }
        assert cycle["before"] == {"success": True, "data": data}

    def test_tops_up_by_what_was_wanted_for_what_it_costs(self, cycle: dict[str, Any]) -> None:
        """The invoice's amount is credited when its finalAmount is paid."""
        invoice = cycle["topUp"]["data"]
        assert (
            invoice["amount"],
            invoice["finalAmount"],
            invoice["discount"],
            invoice["discountPercent"],
        ) == (500, 450, 50, 10)
        assert invoice["status"] == "pending"
        assert invoice["invoiceId"].startswith("inv_")
        assert invoice["paymentUrl"].startswith("http")
        assert is_time(invoice["expiresAt"])
        assert cycle["paid"]["data"]["total"] == START + 500

    def test_rents_in_the_words_of_the_sample(self, cycle: dict[str, Any]) -> None:
        """`services`, `type` and a duration of 24 rent a day for its price, and the rental has both
        names for its id."""
        rental = cycle["rental"]["data"]
        assert rental["numberId"] == rental["rentId"]
        assert rental["rentId"].startswith("num_")
        assert re.fullmatch(r"\+34\d+", rental["number"])
        assert rental["services"] == SERVICES
        assert (rental["price"], rental["currency"], rental["period"], rental["status"]) == (
            5.5,
            "€",
            "1",
            "active",
        )
        assert rental["duration"] == {"value": 1440, "unit": "minutes"}

    def test_polls_until_a_message_is_there(self, cycle: dict[str, Any]) -> None:
        """`data.messages` is a list for who signs the short path: empty at first, then with every
        letter of the SMS."""
        assert cycle["silent"]["data"] == {"messages": []}
        [message] = cycle["sms"]["data"]["messages"]
        assert message.keys() == {"id", "from", "message", "receivedAt"}
        assert (message["from"], message["message"]) == (
            "Google",
            "Your code is 482913, naïve café ☕ 👋",
        )
        assert cycle["sms"]["pagination"] == {"page": 1, "limit": 50, "total": 1, "totalPages": 1}

    def test_lists_the_rental_with_the_service_that_was_used(self, cycle: dict[str, Any]) -> None:
        """The active rental says which of its services has sent something."""
        [rental] = cycle["active"]["data"]
        assert rental["rentId"] == cycle["rental"]["data"]["rentId"]
        assert {service["id"]: service["used"] for service in rental["services"]} == {
            "google": True,
            "whatsapp": False,
        }

    def test_cancels_without_a_refund_after_an_sms(self, cycle: dict[str, Any]) -> None:
        """A number that was of use is paid for."""
        assert cycle["canceled"]["success"]
        data = cycle["canceled"]["data"]
        assert (data["status"], data["refunded"], data["refundAmount"], data["currency"]) == (
            "INACTIVE",
            False,
            0,
            "€",
        )

    def test_refunds_a_silent_rental_with_its_extension(self, cycle: dict[str, Any]) -> None:
        """Rent and extension come back together."""
        assert (cycle["second"]["data"]["price"], cycle["extended"]["data"]["extensionPrice"]) == (
            27,
            5.5,
        )
        assert cycle["refunded"]["message"] == "Rental cancelled and refunded"
        data = cycle["refunded"]["data"]
        assert (data["status"], data["refunded"], data["refundAmount"]) == ("INACTIVE", True, 32.5)

    def test_ends_with_a_history_that_explains_the_balance(self, cycle: dict[str, Any]) -> None:
        """Newest first, each line begins where the older one ended, and the last balance is what is
        left."""
        lines = cycle["transactions"]["data"]
        assert [(line["type"], line["amount"]) for line in lines[:5]] == [
            ("refund", 32.5),
            ("charge", -5.5),
            ("charge", -27),
            ("charge", -5.5),
            ("topup", 500),
        ]
        for newer, older in pairwise(lines):
            assert newer["balanceBefore"] == older["balanceAfter"]
        assert lines[0]["balanceAfter"] == cycle["after"]["data"]["total"] == START + 500 - 5.5
        metadata = {
            "number": cycle["rental"]["data"]["number"],
            "country": "Spain",
            "services": ["Google", "WhatsApp"],
        }
        assert lines[3]["metadata"] == {**metadata, "period": "1", "rentType": "LONG"}
        assert lines[4]["metadata"] == {
            "provider": "cryptomus",
            "invoiceId": cycle["topUp"]["data"]["invoiceId"],
        }


class TestClient:
    """The program itself: a client that is not like those of integrators would prove nothing."""

    def test_sends_null_and_signs_an_empty_object_over_the_short_path(
        self, sandbox: Server, node: Node, partner: Keys
    ) -> None:
        """A call without data has the body `null`, GET or not, and its signature says `{}`.

        Data go out as they were signed.
        """
        calls = [
            ("GET", "/sent"),
            ("POST", "/sent"),
            ("POST", "/sent", {"name": "Café 👋", "amount": 27.0}),
        ]
        node.run(
            "send.js", {"customer": partner, "root": sandbox.inbox_url("")[:-1], "calls": calls}
        )
        sent = sandbox.inbox("sent")
        bodies = ["null", "null", '{"name":"Café 👋","amount":27}']
        assert [(one["method"], one["body"]) for one in sent] == list(
            zip(("GET", "POST", "POST"), bodies, strict=True)
        )
        for one in sent:
            headers = {name.lower(): value for name, value in one["headers"].items()}
            text = (
                headers["x-timestamp"] + one["method"] + "/sent" + one["body"].replace("null", "{}")
            )
            assert (
                headers["x-signature"]
                == hmac.new(
                    partner["secret_key"].encode(), text.encode(), hashlib.sha256
                ).hexdigest()
            )
            assert headers["content-type"] == "application/json"


class TestRefusals:
    """What a client is told that is refused."""

    CALLS: tuple[tuple[tuple[Any, ...], int, str], ...] = (
        (("GET", "/numbers/num_nobody/sms"), 404, "NOT_FOUND"),
        (("GET", "/nowhere"), 404, "NOT_FOUND"),
        (("POST", "/numbers/rent", wanted(period=None)), 400, "VALIDATION_ERROR"),
        (("POST", "/numbers/rent", wanted(period="2")), 400, "PERIOD_NOT_AVAILABLE"),
        (("POST", "/numbers/rent", wanted(country="Germany")), 400, "COUNTRY_NOT_AVAILABLE"),
        (("POST", "/numbers/rent", wanted(period="30")), 400, "INSUFFICIENT_BALANCE"),
        (("POST", "/wallet/topup", {"amount": 4, "provider": "cryptomus"}), 400, "TOPUP_TOO_SMALL"),
        (("POST", "/wallet/topup", {"amount": 500, "provider": "paypal"}), 400, "VALIDATION_ERROR"),
    )

    def test_name_what_is_wrong(self, sandbox: Server, node: Node) -> None:
        """Each refusal has the vendor's envelope and a code.

        Money that is short is told in euros, and nothing is charged.
        """
        poor = new_partner(sandbox, balance=25_50)
        answers = node.run(
            "send.js", {"customer": poor, "calls": [call for call, *_ in self.CALLS]}
        )
        assert [(one["status"], one["body"]["error"]["code"]) for one in answers] == [
            (status, code) for _, status, code in self.CALLS
        ]
        for answer in answers:
            assert answer["body"]["success"] is False
            assert re.fullmatch(r"req_[\w-]+", answer["body"]["requestId"])
        assert answers[5]["body"]["error"]["details"] == {"required": 35, "available": 25.5}
        assert send(node, poor, ("GET", "/wallet/balance"))[0]["data"]["total"] == 25.5
        assert everything(node, poor, "/numbers/active") == []

    @pytest.mark.parametrize(
        ("keys", "code"),
        [
            ({"secret_key": "sk_test_another"}, "INVALID_SIGNATURE"),
            ({"api_key": "pk_test_another"}, "INVALID_API_KEY"),
        ],
    )
    def test_strangers_hear_only_a_code(
        self, node: Node, partner: Keys, keys: dict[str, str], code: str
    ) -> None:
        """A wrong key and a wrong signature are 401."""
        [answer] = node.run(
            "send.js", {"customer": {**partner, **keys}, "calls": [("GET", "/wallet/balance")]}
        )
        assert (answer["status"], answer["body"]["error"]["code"]) == (401, code)
