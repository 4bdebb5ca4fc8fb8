"""`numdesk service` and `numdesk message`: words and families said, texts tried, and withheld
messages shown."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.desk import DeskOfTest

from numdesk.cli import main


@pytest.fixture
def on_this_database(
    desk: DeskOfTest, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DeskOfTest:
    """Points the commands at the desk of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
    monkeypatch.setenv("NUMDESK_KEY_FILE", str(tmp_path / "keys"))
    return desk


async def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Runs a command and returns what it wrote."""
    assert await asyncio.to_thread(main, list(words)) == code
    wrote = capsys.readouterr()
    return wrote.err if code else wrote.out


async def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Runs a command for machines and returns what it told."""
    return msgspec.json.decode(await run(capsys, *words, "--json"))


class TestService:
    async def test_is_given_words_and_families(
        self, on_this_database: DeskOfTest, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is said is listed and counts at once, and can be taken back."""
        assert "counts for telegram" in await run(
            capsys, "service", "word", "telegram", "TgCode", "--use", "sender"
        )
        assert await run_json(capsys, "service", "try", "4829", "--sender", "TGCODE") == {
            "service": "telegram",
            "told_by": "sender",
        }
        await run(capsys, "service", "family", "telegram", "whatsapp", "--name", "chats")
        listed = {one["service"]: one for one in await run_json(capsys, "service", "list")}
        assert listed["telegram"]["words"] == [{"word": "TgCode", "use": "sender"}]
        assert listed["telegram"]["family"] == listed["whatsapp"]["family"] == "chats"
        assert "was removed" in await run(
            capsys, "service", "word", "telegram", "TgCode", "--forget"
        )
        assert "No service is recognised" in await run(
            capsys, "service", "try", "4829", "--sender", "TGCODE"
        )
        await run(capsys, "service", "family", "telegram", "--alone")
        assert "chats" in await run(capsys, "service", "list")

    @pytest.mark.usefixtures("on_this_database")
    async def test_says_what_is_wrong(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Unknown services and half a command are refused in a sentence."""
        assert "numdesk service list" in await run(capsys, "service", "word", "nobody", "x", code=2)
        assert "--alone" in await run(capsys, "service", "family", "telegram", code=2)


class TestMessage:
    async def test_is_shown_with_the_reason(
        self, on_this_database: DeskOfTest, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The list tells why without the text, `show` adds the text, and the doctor counts."""
        desk = on_this_database
        assert "There are no messages" in await run(capsys, "message", "list")
        order = await desk.order(await desk.customer())
        taken = await desk.message(order.msisdn, "Telegram code: 48291")
        [line] = await run_json(capsys, "message", "list")
        assert (line["message"], line["order"], line["bought"], line["recognised"]) == (
            taken.message_id,
            order.id,
            ["whatsapp"],
            "telegram",
        )
        assert (
            line["reason"]
            == "Withheld: by its text it belongs to telegram, but whatsapp was bought"
        )
        assert "48291" not in await run(capsys, "message", "list")
        assert "Telegram code: 48291" in await run(capsys, "message", "show", str(taken.message_id))
        assert await run(capsys, "message", "show", "999", code=2)
        await desk.pool.execute(
            "update messages set received_at = now()"
        )  # the command's clock is the real one
        await asyncio.to_thread(main, ["doctor", "--json"])
        checks = {
            one["name"]: one for one in msgspec.json.decode(capsys.readouterr().out)["checks"]
        }
        assert checks["foreign messages"]["state"] != "ok"
        assert checks["foreign messages"]["text"].startswith("1 withheld")

    async def test_is_released_while_its_order_is_open(
        self, on_this_database: DeskOfTest, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A message is delivered by its number, also when that is said twice.

        After the end the sentence says why not.
        """
        desk = on_this_database
        order = await desk.order(await desk.customer())
        released, kept = [
            str((await desk.message(order.msisdn, "Telegram code: 48291")).message_id)
            for _ in range(2)
        ]
        await desk.pool.execute(
            "update orders set expires_at = now() + interval '1 hour'"
        )  # the command's clock is the real one
        for _ in range(2):
            assert "Delivered" in await run(capsys, "message", "release", released)
        await desk.pool.execute("update orders set expires_at = now()")
        assert "has ended" in await run(capsys, "message", "release", kept, code=2)
