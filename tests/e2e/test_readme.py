"""The pages that newcomers follow: their commands run as they are written, and print what they
say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.serving import Server

pytestmark = pytest.mark.xdist_group("e2e")

ROOT = Path(__file__).parents[2]
#: The address in the pages.
ADDRESS = "http://127.0.0.1:8080"
TOUR = ("README.md", "docs/sandbox.md")


def blocks(page: str, language: str) -> list[str]:
    """Return the examples of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def shape(text: str) -> str:
    """Return a printed line without what differs from run to run: numbers and random ids."""
    return re.sub(r"(?<![0-9a-z])[0-9a-f]{16}\b|[0-9]+", "N", text).strip()


def promised(code: str) -> list[str]:
    """Return the lines that an example says it prints: comments that stand alone or behind it."""
    lines = re.findall(r"^(?:.*\)  )?# (.+)$", code, re.MULTILINE)
    return [shape(line) for line in lines if not line.startswith("a new customer")]


def follow(pages: tuple[str, ...], sandbox: Server) -> None:
    """Paste all Python examples of the pages into one interpreter, and compare what they print."""
    code = "\n".join(block for page in pages for block in blocks(page, "python"))
    done = subprocess.run(
        [sys.executable, "-"],
        input=code.replace(ADDRESS, sandbox.base_url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [shape(line) for line in done.stdout.splitlines()] == promised(code)


def test_the_tour_prints_what_it_says(sandbox: Server) -> None:
    """README and the page that goes on from it."""
    follow(TOUR, sandbox)


def test_the_partner_tour_prints_what_it_says(sandbox: Server) -> None:
    """The second dialect."""
    follow(("docs/partner-tour.md",), sandbox)


def test_the_commands_are_targets_of_make() -> None:
    """The two commands of README exist, and `make run` serves the sandbox that the tests start."""
    commands = re.findall(r"^make (\w+)", blocks("README.md", "sh")[0], re.MULTILINE)
    assert commands == ["run", "test"]
    for command in commands:
        done = subprocess.run(
            ["make", "--dry-run", "--always-make", command],  # noqa: S607 - the one on the path
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert {"run": "numdesk serve --sandbox", "test": "pytest"}[command] in done.stdout


def test_the_examples_with_curl_work(sandbox: Server) -> None:
    """The commands of the shell, with the ids that they print put in by hand."""
    code = blocks("docs/sandbox.md", "sh")[0].replace(ADDRESS, sandbox.base_url)
    lines = [line for line in code.splitlines() if line and not line.startswith("#")]
    buying, waiting = lines[:4], lines[4:]
    bought = subprocess.run(
        ["bash", "-ec", "\n".join(buying)],  # noqa: S607 - any
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    found = re.search(r'"orders":\[{"id":(\d+).*?"phone_number":"(\+\d+)"', bought)
    assert found is not None, bought
    assert len(waiting) == 2
    rest = [re.sub(r"/orders/\d+", f"/orders/{found[1]}", waiting[0])]
    rest.append(re.sub(r"\+\d+", found[2], waiting[1]))
    told = subprocess.run(
        ["bash", "-ec", "\n".join([*lines[:2], *rest, "wait"])],  # noqa: S607 - any
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert '"otp_code":"120577"' in told
