"""The pages keep up with the code: links lead somewhere, commands and settings are those that
exist, the glossary has its words."""

import ast
import re
from pathlib import Path

import pytest
from tests.contracts.test_docs import ROOT, tracked_files
from tests.support import reference

from numdesk.cli import _COMMANDS

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
        """A file quoted with its folder exists, and so does the function or class that is named in
        it."""
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


class TestReference:
    """The pages that are made from the code."""

    @pytest.mark.parametrize("name", reference.PAGES)
    def test_is_what_the_code_says(self, name: str) -> None:
        """A new setting or command is in the docs: `make docs` writes the page again."""
        made = reference.PAGES[name]().rstrip() + "\n"
        assert (ROOT / "docs" / name).read_text("utf-8") == made

    def test_lists_every_call_of_the_sandbox(self) -> None:
        """Whoever tries the desk out sees all that the sandbox can do."""
        text = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
        calls = re.findall(
            r'\("([A-Z]+)", "(/[^"]+)", door',
            (ROOT / "src/numdesk/sandbox/routes.py").read_text("utf-8"),
        )
        assert calls
        assert [path for method, path in calls if f"`{method} {path}`" not in text] == []


class TestReadme:
    """README.md"""

    def test_is_read_in_five_minutes(self) -> None:
        """What does not fit has a page of its own."""
        assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


class TestDecisions:
    """The table "Where is it decided?" of ARCHITECTURE.md."""

    def test_answers_twelve_questions(self) -> None:
        """Each row names a function that exists; the newcomer opens it and reads the answer."""
        page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
        table = page.partition("## Where is it decided?")[2].partition("\n## ")[0]
        rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("| ")][1:]
        assert len(rows) == 12
        for question, answer in ((row[0], row[1]) for row in rows):
            assert question.strip().endswith("?")
            places = PLACE.findall(answer)
            assert places, question
            for file, name in places:
                tree = ast.parse((ROOT / "src" / "numdesk" / file).read_text("utf-8"))
                defined = {
                    getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", "")
                    for node in ast.walk(tree)
                } | {
                    target.id
                    for node in ast.walk(tree)
                    if isinstance(node, ast.Assign)
                    for target in node.targets
                    if isinstance(target, ast.Name)
                }
                assert name.rpartition(".")[2] in defined, f"{file}:{name}"


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
