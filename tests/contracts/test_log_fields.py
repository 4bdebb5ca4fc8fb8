"""Every module declares beside its logger the fields that it writes.

What is not declared would be withheld from the log.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from numdesk.kit.redact import COMMON_FIELDS, NUMBER_FIELDS, REDACTED, WITHHELD, clean_fields

SOURCE = Path(__file__).parents[2] / "src" / "numdesk"
#: What structlog takes for itself.
OWN_ARGUMENTS = {"exc_info", "stack_info"}
#: Where loggers are made.
MAKER = SOURCE / "kit" / "log.py"


def calls(tree: ast.Module, of: str) -> Iterator[ast.Call]:
    """Yields the calls of a name, or of any method of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            if isinstance(function, ast.Name) and function.id == of:
                yield node


def modules() -> list[Path]:
    """Returns every module that has a logger."""
    return [
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if path != MAKER and "get_logger" in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
class TestModule:
    """A module with a logger."""

    def test_declares_the_fields_that_it_writes(self, path: Path) -> None:
        """What is declared and what is written are the same names, and none of them is one that the
        log hides."""
        tree = ast.parse(path.read_text(encoding="utf-8"))
        (made,) = calls(tree, "get_logger")
        declared = [
            argument.value
            for argument in made.args[1:]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        assert len(declared) == len(made.args) - 1, "the fields of a logger are written out"
        given = {
            keyword.arg for call in calls(tree, "_log") for keyword in call.keywords
        } - OWN_ARGUMENTS
        assert None not in given, "the fields of a record are written out"
        assert set(declared) == given - COMMON_FIELDS - NUMBER_FIELDS
        assert declared == sorted(declared)
        cleaned = clean_fields(dict.fromkeys(declared, "x"), known=frozenset(declared))
        assert not {REDACTED, WITHHELD} & set(cleaned.values())

    def test_packs_no_fields_into_a_text(self, path: Path) -> None:
        """Events are fixed words, and a value is a field of its own instead of a part of another
        one's text."""
        for call in calls(ast.parse(path.read_text(encoding="utf-8")), "_log"):
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            packed = [
                node
                for value in values
                for node in ast.walk(value)
                if isinstance(node, ast.JoinedStr)
            ]
            assert not packed, f"line {call.lineno}"


def test_every_logger_is_made_in_one_place() -> None:
    """A logger that structlog makes directly declares nothing."""
    direct = [
        path
        for path in SOURCE.rglob("*.py")
        if path != MAKER and "structlog.get_logger" in path.read_text(encoding="utf-8")
    ]
    assert direct == []
