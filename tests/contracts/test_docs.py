"""Every module and every test says what it is for, and the tree names no package host and no path
of one machine."""

import ast
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Spelled in pieces, so that this file does not find itself.
FORBIDDEN = [
    "".join(pieces)
    for pieces in (
        ("pypi", ".org"),
        ("python", "hosted"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("deb.", "debian"),
        ("proxy.", "golang"),
        ("/root/", ".pyenv"),
        ("/opt/", "wheels"),
        ("/work/", "main"),
        ("/work/", "shared"),
        ("shared/", "contracts"),
        ("../", "shared"),
    )
]
BYTES_MAX = 1_000_000  # larger files are data


@cache
def tracked_files() -> list[Path]:
    """List what git tracks, or would if it were added.

    In a tree without git, everything outside .venv, var and node_modules.
    """
    listing = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    done = subprocess.run(listing, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        paths = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not {".venv", "var", "node_modules"} & set(path.relative_to(ROOT).parts)
        ]
    return [path for path in paths if path.is_file()]


def python_files() -> list[Path]:
    """List the Python files, the tests' own included."""
    return [path for path in tracked_files() if path.suffix == ".py"]


def is_test(node: ast.AST) -> bool:
    """Is this a test function?"""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
        "test_"
    )


def test_every_module_says_what_it_is_for() -> None:
    """The first line of a module is a sentence."""
    silent = [
        path for path in python_files() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_every_test_says_which_rule_it_guards() -> None:
    """A test has a docstring, so that its failure can be understood without reading it."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in python_files()
        if path.name.startswith("test_")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and is_test(node)
        and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_file_names_a_package_host_or_a_path_of_one_machine(word: str) -> None:
    """A clone works anywhere and speaks of itself alone."""
    wanted = word.encode()
    small = [path for path in tracked_files() if path.stat().st_size <= BYTES_MAX]
    assert [str(path.relative_to(ROOT)) for path in small if wanted in path.read_bytes()] == []
