"""`numdesk otp`: a text explained, and rules added, tried, listed and removed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from numdesk.cli import main

TEXT = "Order 77123 is on its way. Your code is 482-913"
RULE = r"Order (\d{5})"


@pytest.fixture
def on_this_database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points the command at the database of the test."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))


async def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    """Runs a command and returns what it wrote, and what it complained of."""
    assert await asyncio.to_thread(main, ["otp", *words]) == code
    wrote = capsys.readouterr()
    return wrote.out, wrote.err


async def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Runs a command for machines and returns what it told."""
    return msgspec.json.decode((await run(capsys, *words, "--json"))[0])


class TestTry:
    async def test_explains_without_a_database(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The code, its place, its rule, and everything else that was weighed.

        No desk is needed.
        """
        told = await run_json(capsys, "try", TEXT, "--data", str(tmp_path / "none"))
        assert (told["code"], told["raw"], told["span"], told["rule"]) == (
            "482913",
            "482-913",
            [40, 47],
            "before",
        )
        assert [(one["code"], one["verdict"]) for one in told["candidates"]] == [
            ("482913", "the code"),
            ("77123", "below 3"),
        ]
        out, _ = await run(capsys, "try", TEXT)
        assert out.startswith(
            '482913 is the code, written "482-913": characters 40 to 47, by before, confidence '
        )
        assert "77123" in out

    async def test_says_when_there_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """No code is an answer."""
        assert (await run(capsys, "try", "Hello!"))[0] == "There is no code in the text.\n"
        assert (await run_json(capsys, "try", "Hello!"))["code"] is None

    async def test_rules_the_sender_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A number that is the sender is told as ruled out."""
        told = await run_json(capsys, "try", "code 482913", "--sender", "+482913")
        assert told["code"] is None
        assert [(one["rule"], one["weight"], one["verdict"]) for one in told["candidates"]] == [
            ("sender", None, "ruled out")
        ]

    @pytest.mark.usefixtures("on_this_database")
    async def test_tries_the_rules_of_a_service_first(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What came of each rule is told, and whose answer counts."""
        await run(capsys, "rules", "add", "PIN (x+)", "--service", "whatsapp")
        await run(capsys, "rules", "add", RULE, "--service", "whatsapp", "--sender", "Bank*")
        told = await run_json(capsys, "try", TEXT, "--sender", "BANK", "--service", "whatsapp")
        assert (told["code"], told["rule"], told["confidence"]) == ("77123", "operator:2", 1.0)
        assert told["rules"] == [{"rule": 2, "sender": "Bank*", "result": "found"}]
        assert [(one["code"], one["verdict"]) for one in told["candidates"]] == [
            ("482913", "passed over"),
            ("77123", "the code"),
        ]
        out, _ = await run(capsys, "try", TEXT, "--service", "whatsapp")
        assert out.startswith("482913 is the code")
        assert "rule 2: other sender\nrule 1: no match\n" in out

    @pytest.mark.usefixtures("on_this_database")
    async def test_refuses_a_service_that_there_is_not(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A mistyped service is said, not taken for one without rules."""
        _, err = await run(capsys, "try", TEXT, "--service", "whatsap", code=2)
        assert (
            err
            == "numdesk: The service cannot be used: it must be the code of one, such as whatsapp.\n"
        )


@pytest.mark.usefixtures("on_this_database")
class TestRules:
    async def test_are_added_listed_and_removed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A rule is shown as it was given, and once removed only when asked for."""
        assert "There are no rules" in (await run(capsys, "rules", "list"))[0]
        pattern = r"[a-z] [0-9]{2}: (\d{5})"
        told = await run_json(
            capsys, "rules", "add", pattern, "--service", "WhatsApp", "--sender", "Goo*"
        )
        assert told == {"rule": 1, "service": "whatsapp", "sender": "Goo*", "pattern": pattern}
        out, _ = await run(capsys, "rules", "add", RULE, "--service", "whatsapp")
        assert out == "Rule 2 applies from the next message on.\n"
        assert pattern in (await run(capsys, "rules", "list"))[0]
        assert [
            (one["rule"], one["service"], one["sender"], one["pattern"])
            for one in await run_json(capsys, "rules", "list")
        ] == [
            (1, "whatsapp", "Goo*", pattern),
            (2, "whatsapp", None, RULE),
        ]
        assert (await run(capsys, "rules", "remove", "1"))[0] == "Rule 1 was removed.\n"
        assert [one["rule"] for one in await run_json(capsys, "rules", "list")] == [2]
        assert [
            (one["rule"], one["removed"] is None)
            for one in await run_json(capsys, "rules", "list", "--removed")
        ] == [
            (1, False),
            (2, True),
        ]

    @pytest.mark.parametrize(
        ("pattern", "sentence"),
        [
            ("code (", "does not compile: missing ): code ( (patterns are those of RE2)"),
            (
                r"(?=x)(\d)",
                "does not compile: invalid perl operator: (?= (patterns are those of RE2)",
            ),
            (
                r"\d{6}",
                r"must have exactly one group, such as (\d{6}), or one that is called code: (?P<code>\d{6})",
            ),
            ("(x)" * 200, "must have 1 to 500 characters"),
            (r"(\d*)", "must not match an empty text"),
            (
                r"((?:[a-z]{1,50} ?){1,20})\d",
                (
                    "takes too long for a text of 2,000 characters: say more closely what stands "
                    "around it"
                ),
            ),
        ],
    )
    async def test_refuse_a_pattern_in_one_sentence(
        self, pattern: str, sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What cannot be a pattern is refused by its reason."""
        _, err = await run(capsys, "rules", "add", pattern, "--service", "whatsapp", code=2)
        assert err == f"numdesk: The pattern cannot be used: it {sentence}.\n"

    async def test_refuse_everything_else_in_one_sentence(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The service, the sender, the same rule again, and a rule that there is not."""
        await run(capsys, "rules", "add", RULE, "--service", "whatsapp")
        refused = {
            (
                "add",
                RULE,
                "--service",
                "nonsense",
            ): "The service cannot be used: it must be the code of one, such as whatsapp.",
            (
                "add",
                RULE,
                "--service",
                "google",
                "--sender",
                "",
            ): "The sender cannot be used: it must have 1 to 64 characters that can be seen.",
            ("add", RULE, "--service", "whatsapp"): "The rule cannot be used: it is there already.",
            ("remove", "7"): "There is no rule 7.",
        }
        for words, sentence in refused.items():
            assert (await run(capsys, "rules", *words, code=2))[1] == f"numdesk: {sentence}\n"
        _, err = await run(capsys, "rules", "remove", "1.5", code=2)
        assert "1.5 is not a rule number; expected one such as 7" in err
        assert [one["rule"] for one in await run_json(capsys, "rules", "list")] == [1]
