"""Areas: the second word of a module's path is the same in all three large layers."""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "numdesk"
LAYERS = ("domain", "storage", "usecases")
#: Modules of the domain that belong to all areas.
SHARED = {"errors", "fx", "ids", "money", "pages"}


def areas_of(layer: str) -> set[str]:
    """Name the areas of a layer: its folders and its modules."""
    inside = (SOURCE / layer).iterdir()
    return {path.stem for path in inside if path.stem not in {"__init__", "__pycache__", "sql"}}


def told_areas() -> set[str]:
    """Name the areas of the table in ARCHITECTURE.md."""
    page = (SOURCE.parents[1] / "ARCHITECTURE.md").read_text("utf-8")
    table = page.partition("| areas | about |")[2].partition("\n\n")[0]
    return set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.split("\n")[2:])))


@pytest.mark.parametrize("layer", LAYERS)
def test_are_those_of_the_table(layer: str) -> None:
    """No module lands in a flat folder: its area stands in ARCHITECTURE.md."""
    assert areas_of(layer) - told_areas() - SHARED - {"migrations"} == set()


def test_of_the_table_exist() -> None:
    """The table names no area that is gone."""
    assert told_areas() - set().union(*map(areas_of, LAYERS)) == set()


@pytest.mark.parametrize("layer", [*LAYERS, "kit"])
def test_name_the_subject_of_each_module(layer: str) -> None:
    """A module named like its folder has not said what it is about; each folder says it."""
    for folder in (path for path in (SOURCE / layer).iterdir() if path.is_dir()):
        if folder.name in {"__pycache__", "migrations"}:
            continue
        assert not (folder / f"{folder.name}.py").exists(), folder
        assert (folder / "__init__.py").read_text("utf-8").startswith('"""'), folder
