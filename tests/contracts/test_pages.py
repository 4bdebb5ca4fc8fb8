"""The pages keep up with the code: links lead somewhere, commands and settings are those that exist, the glossary has its words."""

import importlib
import re
from pathlib import Path

import pytest
from tests.contracts.test_docs import ROOT, tracked_files

from numdesk.cli import _COMMANDS
from numdesk.config import describe_settings

PAGES = sorted(path for path in tracked_files() if path.suffix == ".md")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]+)[^)\s]*\)")
#: A line of a shell example, or a command quoted in a sentence.
COMMAND = re.compile(r"(?:^|`|/)numdesk ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
#: A place in the code: a file below src/numdesk or the root, perhaps with a name in it.
PLACE = re.compile(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|sql))(?::([A-Za-z_.]+))?`")
WORDS = (
    "Customer", "Account", "Wallet", "Transfer", "Journal", "Entry", "Hold: post, void, expire", "Transaction",
    "Top-up, Refund, Adjustment", "Quote, Exchange", "Order", "Offer", "MSISDN", "MO / MT", "DLR", "Segment",
    "Carrier, Supplier", "Dialect, Provider", "Callback", "Webhook", "Link, Bind", "Refusal", "Staff",
)  # fmt: skip


def name_of(page: Path) -> str:
    """Name a page in a test's id."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
class TestPages:
    """Every page of the tree."""

    def test_link_to_what_is_there(self, page: Path) -> None:
        """A relative link leads to a file of the tree."""
        broken = [
            target
            for target in LINK.findall(page.read_text("utf-8"))
            if not (page.parent / target).exists()
        ]
        assert broken == []

    def test_name_files_and_functions_that_exist(self, page: Path) -> None:
        """A file quoted with its folder exists, and so does the function or class that is named in it."""
        lost = []
        for file, name in PLACE.findall(page.read_text("utf-8")):
            places = [
                folder / file
                for folder in (ROOT / "src" / "numdesk", ROOT)
                if (folder / file).is_file()
            ]
            parts = name.split(".") if name else []
            if not places or any(part not in places[0].read_text("utf-8") for part in parts):
                lost.append(f"{file}:{name}" if name else file)
        assert lost == []

    def test_give_commands_that_exist(self, page: Path) -> None:
        """`numdesk verb` in an example is a command of the program."""
        assert [
            verb for verb, _ in COMMAND.findall(page.read_text("utf-8")) if verb not in _COMMANDS
        ] == []


class TestReadme:
    """The tables of README.md."""

    def test_lists_every_setting_with_its_text(self) -> None:
        """The table of settings is what `config.py` says of itself."""
        text = (ROOT / "README.md").read_text("utf-8")
        assert [env for env, what in describe_settings() if f"| `{env}` | {what}" not in text] == []

    def test_lists_every_command(self) -> None:
        """No command has to be guessed."""
        text = (ROOT / "README.md").read_text("utf-8")
        assert [
            name for name in _COMMANDS if f"numdesk {name}" not in text and f"`{name}`" not in text
        ] == []

    def test_lists_every_verb_of_the_groups(self) -> None:
        """What a group of commands can do stands in its line of the table."""
        text = (ROOT / "README.md").read_text("utf-8")
        missing = []
        for group in (
            "customer",
            "webhooks",
            "topup",
            "provider",
            "rental",
            "stock",
            "jobs",
            "rate",
        ):
            lines = "\n".join(
                line for line in text.splitlines() if line.startswith(f"| `numdesk {group} ")
            )
            app = importlib.import_module(f"numdesk.cli.{group}").app
            missing += [
                f"{group} {name}"
                for name in app
                if not name.startswith("-") and not re.search(rf"[ `]{name}[ `]", lines)
            ]
        assert missing == []

    def test_lists_every_call_of_the_sandbox(self) -> None:
        """Whoever tries the desk out sees all that the sandbox can do."""
        text = (ROOT / "README.md").read_text("utf-8")
        calls = re.findall(
            r'\("([A-Z]+)", "(/[^"]+)", door',
            (ROOT / "src/numdesk/sandbox/routes.py").read_text("utf-8"),
        )
        assert calls
        assert [path for method, path in calls if f"`{method} {path}`" not in text] == []


class TestGlossary:
    """docs/glossary.md"""

    def test_begins_with_the_fixed_words(self) -> None:
        """The words that code is named by stand first, in one table, in their order."""
        rows = re.findall(
            r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$",
            (ROOT / "docs" / "glossary.md").read_text("utf-8"),
            re.MULTILINE,
        )
        assert rows[1 : len(WORDS) + 1] == list(WORDS)
