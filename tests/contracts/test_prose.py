"""The prose of the package: docstrings begin with a verb or a noun, never with a clause."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "numdesk"
#: A clause in the place of a noun: "what is due" instead of "due items".
CLAUSE = re.compile(r"\bwhat (?:is|was|are|were|came|they)\b", re.IGNORECASE)
#: Words that begin a clause or a question.
OPENING = re.compile(
    r"(?:what|who|whose|which|how|whether|where|when|is|was|are|does|did|has|can|may|must)\b",
    re.IGNORECASE,
)
#: Functions say what they do in the imperative.
THIRD_PERSON = re.compile(r"(?:Returns|Gives|Takes|Tells|Says|Writes|Reads|Makes|Checks|Does) ")


def docstrings() -> Iterator[tuple[str, ast.AST, str]]:
    """Yield place, node and text of each docstring of the package."""
    for path in SOURCE.rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ) and (text := ast.get_docstring(node)):
                place = f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 1)}"
                yield place, node, text


@pytest.mark.parametrize("pattern", [CLAUSE, OPENING], ids=["clauses", "openings"])
def test_a_docstring_needs_no_second_reading(pattern: re.Pattern[str]) -> None:
    """A noun or a verb comes first, and nouns stand where they exist."""
    found = pattern.search if pattern is CLAUSE else pattern.match
    assert [f"{place} {text[:60]}" for place, _, text in docstrings() if found(text)] == []


def test_a_function_says_what_it_does_in_the_imperative() -> None:
    """ "Return the order", not "Returns the order": one mood throughout."""
    assert [
        f"{place} {text[:60]}"
        for place, node, text in docstrings()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and THIRD_PERSON.match(text)
    ] == []
