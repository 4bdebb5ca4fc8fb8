"""The progress and the result of loading a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from numdesk.cli.attach import Common
from numdesk.cli.lists import Complaints, List
from numdesk.cli.outcome import print_result
from numdesk.usecases.stock.lists import Loaded


@contextmanager
def show_progress(found: List, file: Path, *, quiet: bool) -> Iterator[Callable[[Loaded], None]]:
    """Yield a progress display for a load, by bytes because the line count is unknown."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size or None, lines=0)
        yield lambda total: bar.update(task, completed=found.bytes_read, lines=total.read)


def report(
    total: Loaded, complaints: Complaints, common: Common, *, done: tuple[str, str], same: str
) -> int:
    """Report the result of a list, and return 0 if nothing was refused.

    `done` is the words for one loaded line, and for several.
    """
    unused = f", {total.bad:,} refused" if total.bad else ""
    changed = "" if total.added else " Nothing was changed."
    text = (
        f"{_counted(total.read, ('line', 'lines'))}: {_counted(total.added, done)}, "
        f"{total.present:,} {same}{unused}.{changed}"
    )
    loss = (
        f"Sold at a loss, below their cost: {_counted(total.losses, ('price', 'prices'))}."
        if total.losses
        else ""
    )
    facts = {
        "lines": total.read,
        "changed": total.added,
        "unchanged": total.present,
        "bad": total.bad,
        "losses": total.losses,
        "errors": [
            {"line": bad.line, "value": bad.value, "reason": bad.reason} for bad in complaints.shown
        ],
    }
    print_result(
        facts, as_json=common.json, text="\n".join(filter(None, [complaints.text(), text, loss]))
    )
    return 1 if total.bad else 0


def _counted(count: int, words: tuple[str, str]) -> str:
    """Return a number with its word, in the singular or plural."""
    return f"{count:,} {words[count != 1]}"
