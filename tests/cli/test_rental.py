"""`numdesk rental`: prices, countries and who rents what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from numdesk.cli import main

CSV = "country,service,rent_type,period,price,priority\nES,google,LONG,7,12.00,1\nES,whatsapp,LONG,7,15,2\nES,google,SHORT,1,0.80,\n"


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the command at the database of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))


async def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Runs a command and returns what it wrote."""
    assert await asyncio.to_thread(main, ["rental", *words]) == code
    return capsys.readouterr().out


async def run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """Runs a command for machines and returns what it told."""
    return msgspec.json.decode(await run(capsys, *words, "--json", code=code))


class TestPrices:
    async def test_are_loaded_and_listed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A list is loaded once, its bad lines are told, and the list shows what there is."""
        (tmp_path / "p.csv").write_text(CSV)
        told = [await run_json(capsys, "prices", "load", str(tmp_path / "p.csv")) for _ in range(2)]
        assert [(one["changed"], one["unchanged"], one["bad"]) for one in told] == [
            (3, 0, 0),
            (0, 3, 0),
        ]
        (tmp_path / "q.csv").write_text(CSV + "ES,google,LONG,99,1,\n")
        assert "99" in await run(capsys, "prices", "load", str(tmp_path / "q.csv"), code=1)
        facts = await run_json(capsys, "prices", "list", "--country", "es")
        assert [(fact["service"], fact["rent_type"], fact["prices"]) for fact in facts] == [
            ("google", "SHORT", {"1": 80}),
            ("google", "LONG", {"7": 1200}),
            ("whatsapp", "LONG", {"7": 1500}),
        ]
        assert "7: 12.00" in await run(capsys, "prices", "list")
        await run(capsys, "prices", "list", "--country", "Atlantis", code=2)


class TestCountries:
    async def test_are_opened_and_closed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Opening says what became of the country, and the list shows it."""
        assert "There are no countries yet" in await run(capsys, "countries")
        assert (await run(capsys, "open", "es")).strip() == "Spain (ES) is open for rentals."
        assert (
            await run(capsys, "open", "ES")
        ).strip() == "Spain (ES) is open for rentals, as before."
        assert await run_json(capsys, "close", "GB", "--name", "UK") == {
            "country": "GB",
            "name": "UK",
            "open": False,
            "changed": True,
        }
        assert [(one["name"], one["open"]) for one in await run_json(capsys, "countries")] == [
            ("Spain", True),
            ("UK", False),
        ]
        assert "announced" in await run(capsys, "countries")
        await run(capsys, "open", "XX", code=2)


class TestList:
    async def test_of_rentals_is_empty_at_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nobody rents anything yet, and odd limits are refused."""
        assert "There are no such rentals." in await run(capsys, "list", "--ended")
        assert await run_json(capsys, "list") == {"total": 0, "rentals": []}
        await run(capsys, "list", "--limit", "0", code=2)
