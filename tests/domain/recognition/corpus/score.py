"""Score the recogniser on the corpus: `python -m tests.domain.recognition.corpus.score [--misses]
[SET...]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numdesk.domain.recognition.recogniser import make_recogniser
from numdesk.domain.stock.atlas import SERVICES
from numdesk.domain.stock.numbers import Service

FOLDER = Path(__file__).parent
#: In the order in which they were written.
SETS = ("first", "second")
RECOGNISER = make_recogniser(Service(one.id, one.code, one.name, active=True) for one in SERVICES)
CODES = {one.id: one.code for one in SERVICES}


@dataclass(frozen=True)
class Case:
    """A message and the code of the service that it is of, None where nothing tells."""

    service: str | None
    sender: str
    text: str


def cases(name: str) -> Iterator[Case]:
    """Reads a set."""
    for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            service, sender, text = (part.strip() for part in line.split("|", 2))
            yield Case(None if service == "-" else service, sender, text.replace("\\n", "\n"))


def recognised(case: Case) -> str | None:
    """Returns the code of the service that the recogniser says."""
    found = RECOGNISER.recognise(case.text, sender=case.sender)
    return None if found is None else CODES[found.service_id]


def main(arguments: list[str]) -> None:
    """Prints the scores: right answers, services missed, and services seen where none, or another,
    is."""
    for name in [one for one in arguments if not one.startswith("-")] or SETS:
        made = [(case, recognised(case)) for case in cases(name)]
        right = sum(case.service == found for case, found in made)
        missed = sum(found is None and case.service is not None for case, found in made)
        wrong = len(made) - right - missed
        _say(
            f"{name}: {right} of {len(made)} right ({right / len(made):.1%}), {missed} missed, "
            f"{wrong} wrong"
        )
        if "--misses" in arguments:
            for case, found in made:
                if case.service != found:
                    _say(f"    expected {case.service}, got {found}: {case.sender} | {case.text!r}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
