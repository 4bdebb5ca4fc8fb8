"""`numdesk doctor`: what its findings say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from numdesk.cli import main


@pytest.fixture(autouse=True)
def _on_this_desk(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Points the command at a desk of the test's own, with its key file."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
    tmp_path.chmod(0o700)
    assert main(["customer", "list"]) == 0
    capsys.readouterr()


async def finding(capsys: pytest.CaptureFixture[str], name: str) -> tuple[str, str]:
    """Returns state and text of what doctor finds by this name."""
    await asyncio.to_thread(main, ["doctor", "--json"])
    checks = msgspec.json.decode(capsys.readouterr().out)["checks"]
    return next((check["state"], check["text"]) for check in checks if check["name"] == name)


class TestSettings:
    async def test_that_set_nothing_are_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A variable that no setting or provider bears, or a gateway that does not exist, is a
        warning; all others are known."""
        monkeypatch.setenv("NUMDESK_PROVIDER_CRYPTOMUS_MERCHANT", "m")
        assert (await finding(capsys, "settings"))[0] == "ok"
        monkeypatch.setenv("NUMDESK_PROVIDER_CRYPTOMUSS_KEY", "k")
        monkeypatch.setenv("NUMDESK_TOPUP_MINIMUMS", "paypal:5")
        state, text = await finding(capsys, "settings")
        assert (state, text.partition(": no")[0]) == (
            "warn",
            "NUMDESK_PROVIDER_CRYPTOMUSS_KEY, NUMDESK_TOPUP_MINIMUMS=paypal:...",
        )


class TestRates:
    async def test_that_are_not_there_are_missed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without any rate prices in another currency are refused, and doctor says so."""
        assert (await finding(capsys, "rates"))[0] == "warn"


class TestPrivacy:
    async def test_names_what_others_can_read(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file of the data folder in which others have rights is a warning that says how they are
        taken; without one all is well."""
        assert (await finding(capsys, "privacy"))[0] == "ok"
        note = tmp_path / "a note.txt"
        note.touch()
        note.chmod(0o640)
        text = (
            f"other users have rights to 1 files or folders: `chmod go= '{note}'` removes them "
            f"from the first"
        )
        assert await finding(capsys, "privacy") == ("warn", text)
