"""The pages of docs/ that are made from the code.

`python -m tests.support.reference` writes them.
"""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from numdesk.cli import make_app
from numdesk.config import describe_settings

#: The name of the running program stands in the usage of a group's commands.
_USAGE = re.compile(
    r"(#+ (numdesk[^\n]*)\n\n(?:[^`#][^\n]*\n+)*```console\n)\2 [^\[\n]*(\[OPTIONS\])"
)
DOCS = Path(__file__).parents[2] / "docs"

_SETTINGS = """# Settings

Numdesk is configured by environment variables. `numdesk doctor` names variables that begin with
NUMDESK_ and set nothing. This page is made from the code by `make docs`.

| variable | meaning (default) |
|---|---|
"""
_PROVIDERS = (
    "| `NUMDESK_PROVIDER_<SLUG>_*` | a setting of one provider, such as"
    " `NUMDESK_PROVIDER_CRYPTOMUS_PAYMENT_KEY`; an unknown one is refused |\n"
)
_COMMANDS = """# Commands

The exit code is 0 after success, 2 after a refusal with its sentence on standard error, and 1 after
a failed check. This page is made from the code by `make docs`.

"""


def settings_page() -> str:
    """Return docs/settings.md as the code has it."""
    lines = "".join(f"| `{name}` | {text} |\n" for name, text in describe_settings())
    return _SETTINGS + lines + _PROVIDERS


def commands_page() -> str:
    """Return docs/commands.md as the code has it."""
    app = make_app(Console())
    text = app.generate_docs(output_format="markdown", heading_level=1)
    text = _USAGE.sub(r"\1\2 \3", text)
    _, _, body = text.partition("## Table of Contents")
    listed, _, rest = body.partition("**Commands**:")
    return f"{_COMMANDS}{listed.strip()}\n\n{rest.partition('## ')[1]}{rest.partition('## ')[2]}"


PAGES = {"settings.md": settings_page, "commands.md": commands_page}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make().rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
