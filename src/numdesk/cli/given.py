"""Reads what was given on the command line: customers, dialects, moments, lists of words; whatever cannot be meant is refused."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from numdesk.bootstrap import Desk
from numdesk.cli.outcome import CommandRefused
from numdesk.usecases.desk import installation
from numdesk.usecases.ledger import wallets

#: Ids are 32-bit serials; the database would not even look for a larger one.
ID_MAX = 2**31 - 1


def _read_whole(_type: Any, tokens: Sequence[Token]) -> int:
    """Reads plain digits; the command line library would round 1.9 to 2 and take 0x1 for 1."""
    text = tokens[0].value
    if re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) is None:
        raise ValueError(f"{text} is not a whole number in the digits 0-9.")
    return int(text)


#: A secret is one line of at most so many characters.
SECRET_LINE_MAX = 10_000

#: A whole number, written in plain digits.
Whole = Annotated[int, Parameter(converter=_read_whole)]


async def require_customer(desk: Desk, customer_id: int) -> None:
    """Sees that there is such a customer. Raises CommandRefused."""
    if not 1 <= customer_id <= ID_MAX or not await wallets.wallets(desk.rt, customer_id):
        raise CommandRefused(
            f"There is no customer {customer_id}: `numdesk customer list` shows all."
        )


async def customer_of(desk: Desk, text: str) -> int:
    """Returns the customer that is meant by a number, or by the id that an API shows of one. Raises CommandRefused."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX)):
        return int(text)
    for one in await installation.customers(desk.rt):
        if text in public_ids(desk, one.id, one.dialects):
            return one.id
    raise CommandRefused(f"There is no customer {text}: `numdesk customer list` shows all.")


def public_ids(desk: Desk, customer_id: int, dialects: Collection[str]) -> list[str]:
    """Returns what the APIs of these dialects call a customer."""
    prefixes = [
        one.customer_prefix for one in desk.dialects if one.slug in dialects and one.customer_prefix
    ]
    return [desk.rt.keys.opaque_id(prefix, customer_id) for prefix in prefixes]


def currency_of(desk: Desk, dialect: str) -> str:
    """Returns the currency that a dialect's prices are in. Raises CommandRefused."""
    currencies = {one.slug: one.currency for one in desk.dialects}
    if dialect not in currencies:
        raise CommandRefused(
            f"The dialect {dialect} is not known: it must be one of {', '.join(currencies)}."
        )
    return currencies[dialect]


def is_signed(desk: Desk, dialect: str) -> bool:
    """Says whether keys of this dialect come with a secret that signs requests."""
    return any(one.signed for one in desk.dialects if one.slug == dialect)


def shown_key(token: str, secret: str | None) -> dict[str, str]:
    """Returns what is shown of a new key, once: a token, or the two halves of a signing key."""
    return {"token": token} if secret is None else {"api_key": token, "secret_key": secret}


def labelled(key: Mapping[str, str]) -> str:
    """Returns a new key as lines that say which half is which."""
    return "\n".join(f"{label:<10}  {value}" for label, value in key.items())


def read_secret(file: Path | None, *, prompt: str) -> str:
    """Returns a secret: the first line of a file, or (None, or -) of standard input, asked for where that is a terminal.

    Secrets are not arguments, because everybody on a machine can list those of its processes. Raises CommandRefused.
    """
    if file is None or str(file) == "-":
        return (
            getpass.getpass(f"{prompt}: ")
            if sys.stdin.isatty()
            else sys.stdin.readline(SECRET_LINE_MAX)
        ).strip()
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline(SECRET_LINE_MAX).strip()
    except OSError as error:
        raise CommandRefused(
            f"The file {file} cannot be read: {error.strerror or error}."
        ) from error
    except UnicodeDecodeError as error:
        raise CommandRefused(
            f"The file {file} is not UTF-8 text: it must hold the secret in its first line."
        ) from error


def moment(text: str, *, option: str) -> datetime:
    """Returns a moment in ISO 8601, in UTC when it names no zone. Raises CommandRefused."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise CommandRefused(
            f"{option} {text} cannot be used: it must be a date or time such as 2030-01-31T12:00."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def words(text: str, *, option: str, allowed: Collection[str]) -> frozenset[str]:
    """Returns the words of a list with commas between, in any case. Raises CommandRefused."""
    found = frozenset(filter(None, (word.strip().lower() for word in text.split(","))))
    if unknown := sorted(found - set(allowed)):
        raise CommandRefused(
            f"{option} {unknown[0]} is not known: it must be some of {','.join(sorted(allowed))}."
        )
    return found


def networks(text: str, *, option: str) -> tuple[str, ...]:
    """Returns networks such as 192.0.2.0/24 with commas between. Raises CommandRefused."""
    found = list(filter(None, (part.strip() for part in text.split(","))))
    for part in found:
        try:
            ip_network(part)
        except ValueError as error:
            raise CommandRefused(
                f"{option} {part} cannot be used: it must be a network such as 192.0.2.0/24."
            ) from error
    return tuple(found)
