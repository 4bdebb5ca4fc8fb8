"""The tables of the background: names and bounds."""

from __future__ import annotations

import re
from importlib import resources

from numdesk.workers.jobs import ASKING, KINDS, TIMETABLE, UPKEEP


def test_every_kind_that_is_added_is_known() -> None:
    """A job that anybody writes, in SQL or in Python, has somebody who does it."""
    root = resources.files("numdesk")
    sources = [
        path.read_text("utf-8")
        for folder in ("storage/migrations", "usecases")
        for path in root.joinpath(folder).iterdir()
        if path.is_file()
    ]
    written = {
        kind
        for source in sources
        for kind in re.findall(
            r"""(?:insert into jobs[^;]*?select|jobs\.add\([^)]*?kind=)\s*['"]([a-z.]+)['"]""",
            source,
        )
    }
    assert written
    assert written <= KINDS.keys()


def test_rate_limits_are_exchanged_as_often_as_the_papers_say() -> None:
    """Twice a second: that bounds how long a burst over several processes goes unnoticed."""
    (line,) = [item for item in UPKEEP if item.name == "limits.exchange"]
    assert line.every_s == 0.5


def test_everything_is_bounded() -> None:
    """Every kind has an end to its tries and its time, every recurring item an interval, and names
    are not used twice."""
    assert all(
        kind.delays_s and 0 < kind.time_limit_s <= 120 and kind.parallel >= 1
        for kind in KINDS.values()
    )
    items = [*UPKEEP, *TIMETABLE, *ASKING]
    assert all(item.every_s > 0 for item in items)
    assert len({item.name for item in items}) == len(items)
