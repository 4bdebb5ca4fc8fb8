"""Tests of the smscode API as its clients meet it: every case file told to a fresh desk."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.dialects.cases import Case, read_cases, run_case
from tests.support.desk import DeskOfTest

CASES = read_cases(Path(__file__).parent / "cases")


class TestCases:
    """The case files."""

    @pytest.mark.parametrize("case", CASES, ids=[case.path.stem for case in CASES])
    async def test_is_told_as_written(self, case: Case, desk: DeskOfTest, client: httpx.AsyncClient, pytestconfig: pytest.Config) -> None:
        """Every exchange of a case gives exactly the answer that its file holds."""
        await run_case(case, desk, client, dialect="smscode", update=bool(pytestconfig.getoption("--update-cases")))
