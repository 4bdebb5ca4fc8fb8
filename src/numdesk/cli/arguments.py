"""Type of command-line arguments, each with its accepted form.

An argument in another form is refused before a desk is opened: "7x is not a delivery id; expected
one such as whd_7."
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar

from cyclopts import Parameter, Token

from numdesk.config import parse_address

Value = TypeVar("Value")

#: Ids are 32-bit serials, except those with `_SERIAL_MAX`.
ID_MAX = 2**31 - 1
#: The largest 64-bit serial.
_SERIAL_MAX = 2**63 - 1
#: The start of a delivery's id in the webhook's header.
DELIVERY_PREFIX = "whd_"


@dataclass(frozen=True, slots=True)
class Form(Generic[Value]):
    """The accepted form of an argument; as a converter it refuses others with one sentence."""

    what: str
    expected: str
    parse: Callable[[str], Value]

    def read(self, text: str) -> Value:
        """Return the parsed argument. Raises ValueError with the sentence."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise ValueError(
                f"{text or repr(text)} is not {self.what}; expected {self.expected}."
            ) from error

    def __call__(self, _type: Any, tokens: Sequence[Token]) -> Value:
        """Convert a token, as cyclopts asks for it. Raises ValueError."""
        return self.read(tokens[0].value)


def count(things: str, most: int) -> Form[int]:
    """Return the form of a number of things, such as of jobs in a list, from 1 to `most`."""
    return Form(
        f"a number of {things}", f"a whole number from 1 to {most}", _whole(least=1, most=most)
    )


def _whole(*, least: int, most: int, prefix: str = "") -> Callable[[str], int]:
    """Return a parser of plain digits; the library's own rounds 1.9 to 2 and reads 0x1 as 1."""

    def parse(text: str) -> int:
        digits = text.removeprefix(prefix)
        if re.fullmatch(r"-?[0-9]{1,19}", digits, re.ASCII) is None:
            raise ValueError
        if not least <= int(digits) <= most:
            raise ValueError
        return int(digits)

    return parse


def _serial(thing: str, command: str, *, most: int = ID_MAX) -> Form[int]:
    return Form(
        f"a {thing} number", f"one such as 7, from `numdesk {command}`", _whole(least=1, most=most)
    )


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise ValueError
        return text

    return parse


def _amount(text: str) -> str:
    """Return a decimal in digits; its currency decides later how many decimals it can have."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text.strip(), re.ASCII) is None:
        raise ValueError
    try:
        Decimal(text)
    except InvalidOperation as error:
        raise ValueError from error
    return text.strip()


def _moment(text: str) -> datetime:
    """Return a time in ISO 8601, in UTC if it has no zone."""
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _address(text: str) -> str:
    parse_address(text)
    return text


def _input_file(text: str) -> Path:
    path = Path(text)
    try:
        is_file = text == "-" or (path.exists() and not path.is_dir())
    except OSError as error:
        raise ValueError from error
    if not is_file:
        raise ValueError
    return path


def _output_file(text: str) -> Path:
    path = Path(text)
    try:
        is_writable = bool(text) and not path.is_dir() and path.absolute().parent.is_dir()
    except OSError as error:
        raise ValueError from error
    if not is_writable:
        raise ValueError
    return path


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not text or (path.exists() and not path.is_dir()):
        raise ValueError
    return path


_CUSTOMER: Final = _serial("customer", "customer list")
_KEY: Final = _serial("key", "customer key list")
_JOB: Final = _serial("job", "jobs list", most=_SERIAL_MAX)
_MESSAGE: Final = _serial("message", "message list", most=_SERIAL_MAX)
_RULE: Final = _serial("rule", "otp rules list")
_DELIVERY: Final = Form(
    "a delivery id",
    f"one such as {DELIVERY_PREFIX}7",
    _whole(least=1, most=_SERIAL_MAX, prefix=DELIVERY_PREFIX),
)
_INVOICE: Final = Form(
    "an invoice id", "one such as inv_0f3a9c2d7b41e8563a90", _matching(r"inv_[0-9A-Za-z]{1,40}")
)
_AMOUNT: Final = Form("an amount", "a decimal such as 150000 or -12.50", _amount)
_UNITS: Final = Form(
    "an amount in minor units", "a whole number from 0", _whole(least=0, most=_SERIAL_MAX)
)
_RATE: Final = Form("a rate", "a whole number such as 16250", _whole(least=0, most=_SERIAL_MAX))
_PAIR: Final = Form(
    "a pair of currencies", "one such as USD/IDR", _matching(r"\s*[A-Za-z]{3,5}/[A-Za-z]{3,5}\s*")
)
_MOMENT: Final = Form(
    "a date or time", "one such as 2030-01-31T12:00, in UTC unless it names a zone", _moment
)
_COUNTRY: Final = Form(
    "a country code", "two ISO 3166 letters such as ES", _matching(r"\s*[A-Za-z]{2}\s*")
)
_ADDRESS: Final = Form("an address to listen on", "HOST:PORT, for example 127.0.0.1:8080", _address)
_INPUT: Final = Form("a readable file", "the path of an existing file", _input_file)
_OUTPUT: Final = Form("a path to write to", "a file in an existing folder", _output_file)
_FOLDER: Final = Form("a folder", "the path of a folder", _folder)
_DESCRIPTOR: Final = Form("a process detail", "a whole number", _whole(least=0, most=ID_MAX))

CustomerNumber = Annotated[int, Parameter(converter=_CUSTOMER)]
KeyNumber = Annotated[int, Parameter(converter=_KEY)]
JobNumber = Annotated[int, Parameter(converter=_JOB)]
MessageNumber = Annotated[int, Parameter(converter=_MESSAGE)]
RuleNumber = Annotated[int, Parameter(converter=_RULE)]
DeliveryNumber = Annotated[int, Parameter(converter=_DELIVERY)]
InvoiceId = Annotated[str, Parameter(converter=_INVOICE)]
#: A decimal as text; `given.units_of` converts it to minor units of a currency.
Amount = Annotated[str, Parameter(converter=_AMOUNT, allow_leading_hyphen=True)]
Units = Annotated[int, Parameter(converter=_UNITS)]
RateValue = Annotated[int, Parameter(converter=_RATE)]
Pair = Annotated[str, Parameter(converter=_PAIR)]
Moment = Annotated[datetime, Parameter(converter=_MOMENT)]
CountryCode = Annotated[str, Parameter(converter=_COUNTRY)]
#: As text; `config.parse_address` reads it.
ListenAddress = Annotated[str, Parameter(converter=_ADDRESS)]
InputFile = Annotated[Path, Parameter(converter=_INPUT)]
OutputFile = Annotated[Path, Parameter(converter=_OUTPUT)]
Folder = Annotated[Path, Parameter(converter=_FOLDER)]
#: A parent's process id, or a descriptor, given by a parent process to its children.
Inner = Annotated[int, Parameter(converter=_DESCRIPTOR, show=False)]
