"""Wire behaviour as data: reads, runs and rewrites `cases/*.http`.

A case is a story told to a fresh desk. Its first line says the rule it guards; then come blocks:

    ### act advance 121          something that happens meanwhile (see ACTS)
    ### request                  method and path, headers, an empty line, the body
    ### answer                   status, the headers that matter, an empty line, the body

A request is made with the customer's own token, or signed as the dialect's tests sign (see
Speaker), unless it says `authorization: none` or brings one. {name} in a path or body is what an
answer before had last under "name". JSON bodies are compared with the order of their keys; a text
such as <number> stands for what differs from run to run (see PLACEHOLDERS). `pytest --update-cases`
writes the answers that came instead of comparing them; look at the difference before you keep it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import CustomerState
from numdesk.usecases import rates
from numdesk.usecases.customers import accounts
from numdesk.usecases.customers.accounts import NewCustomer

PLACEHOLDERS = {
    "<number>": re.compile(r"\+62[0-9]{9,11}"),
    "<secret>": re.compile(r"[0-9a-f]{64}"),
    "<id>": re.compile(r"[0-9a-f]{12}-[0-9a-f]{8}"),
}
#: Digits that would be somebody's telephone, unless they are of the stock that tests invent.
REAL_NUMBER = re.compile(r"(?<![0-9.])(?!62000)[1-9][0-9]{9,14}(?![0-9.])")
Placeholders = dict[str, re.Pattern[str]]
REAL_TOKEN = re.compile(r"nd_(?:live|test)_[0-9A-Za-z]{43}")


@dataclass(frozen=True)
class Step:
    """One exchange, after the acts that come before it."""

    acts: tuple[str, ...]
    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int = 0
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""


@dataclass(frozen=True)
class Case:
    """A file of cases/."""

    path: Path
    rule: str
    steps: tuple[Step, ...]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-cases."""
    parser.addoption(
        "--update-cases",
        action="store_true",
        help="write the answers that came into the case files",
    )


def read_cases(folder: Path) -> list[Case]:
    """Read every case of a folder."""
    return [read_case(path) for path in sorted(folder.glob("*.http"))]


def read_case(path: Path) -> Case:
    """Read one case."""
    rule, *blocks = re.split(r"^### ", path.read_text("utf-8"), flags=re.MULTILINE)
    steps: list[Step] = []
    acts: list[str] = []
    for block in blocks:
        title, _, text = block.partition("\n")
        kind, _, rest = title.partition(" ")
        head, _, body = text.strip("\n").partition("\n\n")
        first, *lines = head.split("\n") if head else [""]
        headers = dict(line.lower().split(": ", 1)[:1] + line.split(": ", 1)[1:] for line in lines)
        if kind == "act":
            acts.append(rest.strip())
        elif kind == "request":
            method, _, target = first.partition(" ")
            steps.append(Step(tuple(acts), method, target, headers, body.strip("\n")))
            acts = []
        else:
            assert kind == "answer", f"{path.name}: what is {title!r}?"
            steps[-1] = replace(
                steps[-1], status=int(first), answer_headers=headers, answer=body.strip("\n")
            )
    return Case(path, rule.strip().removeprefix("# "), tuple(steps))


def bearer(_step: Step, new: NewCustomer, _wall: datetime) -> dict[str, str]:
    """Return the headers of a request that shows its token."""
    return {"authorization": f"Bearer {new.token}"}


@dataclass(frozen=True)
class Speaker:
    """How the customer of a case speaks: `headers` are those that say who asks, `placeholders` what
    else differs from run to run."""

    dialect: str
    currency: str = "IDR"
    credit: int = 500_000
    signed: bool = False
    headers: Callable[[Step, NewCustomer, datetime], dict[str, str]] = bearer
    placeholders: dict[str, re.Pattern[str]] = field(default_factory=dict)
    acts: dict[str, Callable[[Story, str], Awaitable[None]]] = field(default_factory=dict)


async def run_case(
    case: Case,
    desk: DeskOfTest,
    client: httpx.AsyncClient,
    *,
    update: bool,
    speaker: Speaker | None = None,
    dialect: str = "",
) -> None:
    """Tell the story to the desk and compare every answer, or write them down.

    `dialect` alone names one whose customers show a token.
    """
    speaker = speaker or Speaker(dialect)
    new = await accounts.register(
        desk.rt,
        name="Case",
        dialect=speaker.dialect,
        currency=speaker.currency,
        signed=speaker.signed,
        credit=speaker.credit,
    )
    story = Story(desk, new.customer_id)
    acts, placeholders = {**ACTS, **speaker.acts}, {**PLACEHOLDERS, **speaker.placeholders}
    written: list[Step] = []
    for written_step in case.steps:
        for act in written_step.acts:
            verb, _, rest = act.partition(" ")
            await acts[verb](story, rest)
        step = story.fill(written_step)
        headers = _headers(step, speaker.headers(step, new, desk.clock.wall()))
        response = await client.request(
            step.method,
            step.path,
            headers=headers,
            content=step.body.encode() if step.body else None,
        )
        story.see(response)
        assert response.headers.get("x-request-id"), "every answer carries a request id"
        if update:
            written.append(_as_answered(written_step, response, placeholders))
        else:
            _compare(step, response, placeholders)
    if update:
        case.path.write_text(_print(replace(case, steps=tuple(written))), "utf-8")


class Story:
    """What the acts of a case can reach."""

    def __init__(self, desk: DeskOfTest, customer_id: int) -> None:
        self.desk = desk
        self.customer_id = customer_id
        self.number: int | None = None
        self.seen: dict[str, str] = {}

    def see(self, response: httpx.Response) -> None:
        """Remember the number that was sold last, and every text and number by its name."""
        found = re.findall(r'"(?:phone_)?number":"\+([0-9]+)"', response.text)
        if found:
            self.number = int(found[0])
        self.seen.update(re.findall(r'"(\w+)":"?([\w.+-]+)', response.text))

    def fill(self, step: Step) -> Step:
        """Return the step with what was seen put in where {name} stands."""
        return replace(step, path=self._fill(step.path), body=self._fill(step.body))

    def _fill(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: self.seen.get(found[1], found[0]), text)


async def _advance(story: Story, rest: str) -> None:
    story.desk.clock.advance(float(rest))


async def _message(story: Story, rest: str) -> None:
    await story.desk.message(story.number, rest)


async def _rate(story: Story, rest: str) -> None:
    await rates.set_rate(story.desk.rt, "USD/IDR", int(rest) if rest != "none" else None)


async def _state(story: Story, rest: str) -> None:
    await accounts.set_state(story.desk.rt, story.customer_id, CustomerState[rest])
    story.desk.rt.memory.forget("customers")


async def _sql(story: Story, rest: str) -> None:
    await story.desk.pool.execute(rest)
    story.desk.rt.memory.forget("")


#: advance SECONDS; message TEXT (to the number sold last); rate VALUE or none; state NAME (of the
#: customer); sql STATEMENT.
ACTS: dict[str, Callable[[Story, str], Awaitable[None]]] = {
    "advance": _advance,
    "message": _message,
    "rate": _rate,
    "state": _state,
    "sql": _sql,
}


def _headers(step: Step, own: dict[str, str]) -> dict[str, str]:
    given = {"content-type": "application/json", **step.headers}
    if given.get("authorization") == "none":
        del given["authorization"]
        return given
    return {**own, **given}


def _compare(step: Step, response: httpx.Response, placeholders: Placeholders) -> None:
    assert response.status_code == step.status, response.text
    for name, wanted in step.answer_headers.items():
        assert _is_like(response.headers.get(name, ""), wanted, placeholders), (
            f"{name}: {response.headers.get(name)}, not {wanted}"
        )
    if step.answer.startswith(("{", "[")):
        assert _is_like(
            json.loads(response.text, object_pairs_hook=list),
            json.loads(step.answer, object_pairs_hook=list),
            placeholders,
        ), response.text
    else:
        assert _is_like(response.text.strip("\n"), step.answer, placeholders)


def _is_like(found: Any, wanted: Any, placeholders: Placeholders) -> bool:
    """Is this what was wanted, placeholders taken for what they stand for?

    Objects come as lists of pairs.
    """
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        return len(found) == len(wanted) and all(
            _is_like(one, other, placeholders) for one, other in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, str) and wanted in placeholders:
        return isinstance(found, str) and placeholders[wanted].fullmatch(found) is not None
    return type(found) is type(wanted) and found == wanted


def _as_answered(step: Step, response: httpx.Response, placeholders: Placeholders) -> Step:
    headers = {name: response.headers.get(name, "") for name in step.answer_headers}
    text = response.text.strip("\n")
    if response.headers.get("content-type") == "application/json" and text:
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    for placeholder, pattern in placeholders.items():
        text = pattern.sub(placeholder, text)
        headers = {name: pattern.sub(placeholder, value) for name, value in headers.items()}
    return replace(step, status=response.status_code, answer_headers=headers, answer=text)


def _print(case: Case) -> str:
    parts = [f"# {case.rule}\n"]
    for step in case.steps:
        parts += [f"### act {act}\n" for act in step.acts]
        parts.append(_block("request", f"{step.method} {step.path}", step.headers, step.body))
        parts.append(_block("answer", str(step.status), step.answer_headers, step.answer))
    return "\n".join(parts)


def _block(kind: str, first: str, headers: dict[str, str], body: str) -> str:
    lines = [f"### {kind}", first, *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join([*lines, "", body]) + "\n" if body else "\n".join(lines) + "\n"
