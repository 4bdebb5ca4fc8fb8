"""`numdesk stock price`: what its report tells."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from numdesk.cli import main


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the command at the database of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))


class TestPrices:
    async def test_in_an_odd_currency_or_at_a_loss_are_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The report of a price list says which lines are in money that nobody here sells in, and
        how many prices lose."""
        (tmp_path / "p.csv").write_text(
            "country,service,operator,currency,price,cost\nID,whatsapp,,IDR,9,10\n"
        )
        (tmp_path / "q.csv").write_text(
            "country,service,operator,currency,price\nID,whatsapp,,KZT,9\n"
        )
        assert await asyncio.to_thread(main, ["stock", "price", str(tmp_path / "p.csv")]) == 1
        assert (
            '"9" is below the cost of 10 IDR: raise the price, or load the list with --allow-loss'
            in capsys.readouterr().out
        )
        assert (
            await asyncio.to_thread(
                main, ["stock", "price", str(tmp_path / "p.csv"), "--allow-loss", "--json"]
            )
            == 0
        )
        told = msgspec.json.decode(capsys.readouterr().out)
        assert (told["changed"], told["losses"]) == (1, 1)
        assert (
            await asyncio.to_thread(
                main, ["stock", "price", str(tmp_path / "p.csv"), "--allow-loss"]
            )
            == 0
        )
        assert "Sold at a loss, below their cost: 1 price." in capsys.readouterr().out
        assert await asyncio.to_thread(main, ["stock", "price", str(tmp_path / "q.csv")]) == 1
        assert "is not a currency that orders are priced in here: IDR" in capsys.readouterr().out

    async def test_never_overwrite_the_list_with_its_errors(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`--errors` with the name of the list is refused, and the list is still there."""
        (tmp_path / "p.csv").write_text(
            "country,service,operator,currency,price\nID,nobody,,IDR,9\n"
        )
        before = (tmp_path / "p.csv").read_text()
        assert (
            await asyncio.to_thread(
                main,
                ["stock", "price", str(tmp_path / "p.csv"), "--errors", str(tmp_path / "p.csv")],
            )
            == 2
        )
        assert "is the same file as" in capsys.readouterr().err
        assert (tmp_path / "p.csv").read_text() == before
