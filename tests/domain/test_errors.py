"""Refusals: each can be read by staff."""

from importlib import import_module
from pathlib import Path

import numdesk.domain
from numdesk.domain.errors import Refusal


def every_refusal(kind: type[Refusal] = Refusal) -> list[type[Refusal]]:
    """List the refusals below one, wherever they are defined."""
    return [one for sub in kind.__subclasses__() for one in (sub, *every_refusal(sub))]


def test_every_refusal_has_a_sentence_and_a_code_of_its_own() -> None:
    """Staff read the docstring of a refusal, and programs its code."""
    for path in Path(numdesk.domain.__file__).parent.glob("*/refusals.py"):
        import_module(f"numdesk.domain.{path.parent.name}.refusals")
    known = [one for one in every_refusal() if one.__module__.startswith("numdesk.domain.")]
    assert len(known) > 25
    assert len({one.code for one in known}) == len(known)
    for one in known:
        assert one.__doc__
        assert one.__doc__.strip().endswith("."), one
