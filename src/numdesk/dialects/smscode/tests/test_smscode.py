"""Tests of the smscode API as its clients meet it: every case file run against a fresh desk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.dialects.cases import Case, read_cases, run_case
from tests.support.desk import DeskOfTest
from tests.support.turns import turns_during

from numdesk.dialects import Answer, Request
from numdesk.dialects.smscode.render import order_status, success
from numdesk.dialects.smscode.routes import list_active
from numdesk.dialects.smscode.wire import V1
from numdesk.domain.customers.callers import Caller
from numdesk.domain.orders.lifecycle import Order
from numdesk.kit.slices import SLICE
from numdesk.runtime import Runtime
from numdesk.usecases.orders import lifecycle

CASES = read_cases(Path(__file__).parent / "cases")


class TestCases:
    """The case files."""

    @pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
    async def test_is_told_as_written(
        self, case: Case, desk: DeskOfTest, client: httpx.AsyncClient, pytestconfig: pytest.Config
    ) -> None:
        """Every exchange of a case gives exactly the answer that its file holds."""
        await run_case(
            case,
            desk,
            client,
            dialect="smscode",
            update=bool(pytestconfig.getoption("--update-cases")),
        )


class TestActive:
    """GET /orders/active of a customer with thousands of orders."""

    async def test_lets_others_take_turns(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The answer holds every order, and is made in slices between which other requests are
        served.
        """
        caller = await desk.customer()
        one = await lifecycle.read(desk.rt, caller, (await desk.buy(caller)).document.orders[0].id)

        async def thousands(_rt: Runtime, _caller: Caller) -> Iterator[Order]:
            return (replace(one, id=number) for number in range(3_000))

        monkeypatch.setattr(lifecycle, "active", thousands)
        request = Request(
            {"client": None, "method": "GET", "path": "/v1/orders/active", "query_string": b""},
            {},
            (),
            "one",
        )
        request.caller = caller
        answers: list[Answer] = []

        async def ask() -> None:
            answers.append(await list_active(V1, desk.rt, request))

        assert await turns_during(ask()) >= 3_000 // SLICE
        wanted = [
            order_status(replace(one, id=number), now=desk.clock.now()) for number in range(3_000)
        ]
        assert answers[0].body == success(wanted).body
