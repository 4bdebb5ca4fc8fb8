"""The bars on the size of files and functions (STYLE.md, rule 2), over the whole package."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

SOURCE = Path(__file__).parents[2] / "src" / "numdesk"
FILE_LINES_MAX, FILE_LINES_P95 = 500, 300
FUNCTION_LINES_MAX, FUNCTION_LINES_P95 = 70, 40
#: Modules that hold data and no code.
DATA = {"tables.py", "atlas_tables.py", "words.py"}


def source_files() -> list[Path]:
    """List the modules of the package; tables of codes are data, and plugins carry tests inside."""
    return [
        path for path in SOURCE.rglob("*.py") if path.name not in DATA and "tests" not in path.parts
    ]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name every function of a module with its number of lines, decorators not counted."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield (
                f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}",
                node.end_lineno - node.lineno + 1,
            )


def percentile_95(sizes: list[int]) -> float:
    """Find the size that 95 in 100 do not exceed."""
    return quantiles(sizes, n=20, method="inclusive")[-1] if len(sizes) > 1 else sizes[0]


class TestFiles:
    """Lines of a module."""

    def test_none_is_longer_than_the_limit(self) -> None:
        """A file of more than 500 lines has more than one subject."""
        lines = {
            str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines())
            for path in source_files()
        }
        assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}

    def test_most_are_short(self) -> None:
        """95 files in 100 have at most 300 lines."""
        assert (
            percentile_95([len(path.read_text("utf-8").splitlines()) for path in source_files()])
            <= FILE_LINES_P95
        )


class TestFunctions:
    """Lines of a function."""

    def test_none_is_longer_than_the_limit(self) -> None:
        """A function of more than 70 lines does not fit on a screen."""
        found = [pair for path in source_files() for pair in functions(path)]
        assert [pair for pair in found if pair[1] > FUNCTION_LINES_MAX] == []

    def test_most_are_short(self) -> None:
        """95 functions in 100 have at most 40 lines."""
        assert (
            percentile_95([lines for path in source_files() for _, lines in functions(path)])
            <= FUNCTION_LINES_P95
        )
