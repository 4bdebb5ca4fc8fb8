"""Arguments of every command: ids, amounts, dates, numbers and files are refused in one form."""

import asyncio
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import cyclopts
import pytest

from numdesk.cli import _COMMANDS, arguments, main
from numdesk.cli.arguments import Form

#: Types that a command takes only through a form.
CHECKED = (int, float, datetime, timedelta, Path)
#: Texts that are ids or amounts, which are forms as well.
CHECKED_NAMES = {"invoice", "delivery", "amount", "credit", "pair"}
#: Options whose value no desk-independent form can check, with the reason.
FREE = {
    "customer approve customer_id": "a number, or an id in an API, which only a desk's keys recognise",
    "customer restrict customer_id": "the same",
    "customer block customer_id": "the same",
}
#: A text in no accepted form.
WRONG = "7x/no/such"


def commands() -> Iterator[tuple[tuple[str, ...], Callable[..., Any]]]:
    """Yield the words and the function of every command."""
    for name, (place, _) in _COMMANDS.items():
        module, _, what = place.partition(":")
        yield from _below((name,), getattr(import_module(module), what))


def _below(words: tuple[str, ...], found: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(found, cyclopts.App):
        yield words, found
        return
    for name in found:
        if not name.startswith("-"):
            below = found[name]
            function = below.default_command
            yield from _below((*words, name), below if function is None else function)


def parameters(function: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any]]:
    """Yield the parameters of a command with their types, those of its dataclasses included."""
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        found = _bare(hints[parameter.name])
        if dataclasses.is_dataclass(found):
            inner = get_type_hints(found, include_extras=True)
            for field in dataclasses.fields(found):
                yield (
                    inspect.Parameter(
                        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default
                    ),
                    inner[field.name],
                )
        else:
            yield parameter, hints[parameter.name]


def _members(found: Any) -> tuple[Any, ...]:
    """Return the types of a union without None."""
    if get_origin(found) in (Union, UnionType):
        return tuple(one for one in get_args(found) if one is not type(None))
    return (found,)


def _bare(found: Any) -> Any:
    one = _members(found)[0]
    return get_args(one)[0] if get_origin(one) is Annotated else one


def form_of(found: Any) -> Form[Any] | None:
    """Return the form of a type, None when it has none."""
    converters = (getattr(extra, "converter", None) for extra in _extras(found))
    return next((one for one in converters if isinstance(one, Form)), None)


def _extras(found: Any) -> list[Any]:
    """Return the annotations of a type, or of the members of a union."""
    return [
        extra
        for one in (found, *_members(found))
        if get_origin(one) is Annotated
        for extra in get_args(one)[1:]
    ]


def read(kind: Any, text: str) -> Any:
    """Parse a text as an argument of this type. Raises ValueError."""
    form = form_of(kind)
    assert form is not None
    return form.read(text)


def _good(form: Form[Any]) -> str:
    """Return a text that a form accepts."""
    for text in (
        "7",
        "inv_1",
        "USD/IDR",
        "ES",
        "127.0.0.1:1",
        "2030-01-31",
        "/dev/null",
        "/nowhere",
    ):
        try:
            form.read(text)
        except ValueError:
            continue
        return text
    raise AssertionError(form)


def _option(parameter: inspect.Parameter, kind: Any) -> str:
    names = [name for extra in _extras(kind) for name in getattr(extra, "name", None) or ()]
    return "--" + (names[0] if names else parameter.name.replace("_", "-"))


def refusals() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield a command line with one wrong argument for each form of each command, and its name."""
    for words, function in commands():
        found = list(parameters(function))
        for wrong, kind in found:
            form = form_of(kind)
            if form is None:
                continue
            line = list(words)
            for parameter, other in found:
                is_required = parameter.default is inspect.Parameter.empty
                if (
                    parameter is not wrong
                    and is_required
                    and parameter.kind is not parameter.VAR_POSITIONAL
                ):
                    their = form_of(other)
                    line += [_option(parameter, other), _good(their) if their else "x"]
            yield (*line, _option(wrong, kind), _wrong(form)), form.what


def _wrong(form: Form[Any]) -> str:
    """Return a text that a form refuses: a folder is refused where a file stands."""
    return __file__ if form.what == "a folder" else WRONG


class TestEveryCommand:
    """The arguments of all commands."""

    def test_are_read_through_a_form(self) -> None:
        """An id, number, amount, date or file never reaches a command unchecked."""
        unchecked = [
            " ".join((*words, parameter.name))
            for words, function in commands()
            for parameter, kind in parameters(function)
            if (
                (_bare(kind) in CHECKED and _bare(kind) is not bool)
                or parameter.name in CHECKED_NAMES
                or parameter.name.endswith("_id")
            )
            and form_of(kind) is None
        ]
        assert set(unchecked) == set(FREE)

    def test_are_many(self) -> None:
        """The walk over the commands finds them all, groups in groups included."""
        found = {" ".join(words) for words, _ in commands()}
        assert {"serve", "customer key add", "otp rules remove", "webhooks replay"} <= found
        assert len(list(refusals())) > 60

    @pytest.mark.parametrize(
        ("line", "what"), [pytest.param(line, what, id=" ".join(line)) for line, what in refusals()]
    )
    async def test_refuse_another_form_in_one_sentence(
        self, line: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The sentence has the value, what it is not, and what is accepted; no desk is opened."""
        assert await asyncio.to_thread(main, list(line)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f"{line[-1]} is not {what}; expected " in err
        assert err.startswith("numdesk: ")
        assert err.count("\n") == 1


class TestForm:
    """The accepted texts."""

    @pytest.mark.parametrize("text", ["1.9", "0x1", "1_0", "1e3", "١", "", "0", "-1", "2147483648"])
    def test_of_an_id_is_plain_digits_in_its_range(self, text: str) -> None:
        """An id is never rounded, read in another notation, or beyond the database's range."""
        with pytest.raises(ValueError, match="is not a customer number; expected one such as 7"):
            read(arguments.CustomerNumber, text)

    @pytest.mark.parametrize("text", ["1,5", "1e3", ".5", "5.", "+1", "١", "NaN", "1 0", ""])
    def test_of_an_amount_is_a_decimal(self, text: str) -> None:
        """An amount that can be read in two ways is refused."""
        with pytest.raises(ValueError, match="is not an amount; expected a decimal such as"):
            read(arguments.Amount, text)

    @pytest.mark.parametrize("text", ["7", "whd_7"])
    def test_of_a_delivery_may_leave_out_the_prefix(self, text: str) -> None:
        """Both forms name one delivery."""
        assert read(arguments.DeliveryNumber, text) == 7

    def test_of_a_time_is_in_utc_without_a_zone(self) -> None:
        """A date is its midnight in UTC."""
        assert read(arguments.Moment, "2030-01-31") == datetime(2030, 1, 31, tzinfo=UTC)

    def test_of_a_count_has_both_ends(self) -> None:
        """The sentence names the limits, which are accepted themselves."""
        form = arguments.count("jobs", 50)
        assert [form.read("1"), form.read("50")] == [1, 50]
        for text in ("0", "51"):
            with pytest.raises(ValueError, match=f"{text} is not a number of jobs.*1 to 50"):
                form.read(text)
