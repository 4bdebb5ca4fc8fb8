"""Read arguments of the command line: customers, ids, amounts, dates, secrets, lists of words.

A refusal names the argument, its value and the accepted form.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Collection, Mapping
from ipaddress import ip_network
from pathlib import Path

from numdesk.bootstrap import Desk
from numdesk.cli.arguments import ID_MAX
from numdesk.cli.outcome import CommandRefused
from numdesk.usecases.desk import installation
from numdesk.usecases.ledger import wallets

#: Characters in the one line of a secret.
SECRET_LINE_MAX = 10_000


async def require_customer(desk: Desk, customer_id: int) -> None:
    """Check that the customer exists. Raises CommandRefused."""
    if not await wallets.wallets(desk.rt, customer_id):
        raise CommandRefused(
            f"There is no customer {customer_id}; `numdesk customer list` shows all."
        )


async def customer_of(desk: Desk, text: str) -> int:
    """Return the customer with this number, or with this id in an API. Raises CommandRefused."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX)):
        return int(text)
    for one in await installation.customers(desk.rt):
        if text in public_ids(desk, one.id, one.dialects):
            return one.id
    raise CommandRefused(
        f"{text} is not a customer; expected a number or an id from `numdesk customer list`."
    )


def public_ids(desk: Desk, customer_id: int, dialects: Collection[str]) -> list[str]:
    """Return the ids of a customer in the APIs of these dialects."""
    prefixes = [
        one.customer_prefix for one in desk.dialects if one.slug in dialects and one.customer_prefix
    ]
    return [desk.rt.keys.opaque_id(prefix, customer_id) for prefix in prefixes]


def currency_of(desk: Desk, dialect: str) -> str:
    """Return the currency of a dialect's prices. Raises CommandRefused."""
    currencies = {one.slug: one.currency for one in desk.dialects}
    if dialect not in currencies:
        raise CommandRefused(
            f"{dialect} is not a dialect; expected one of {', '.join(currencies)}."
        )
    return currencies[dialect]


def is_signed(desk: Desk, dialect: str) -> bool:
    """Return whether requests of this dialect are signed with a secret."""
    return any(one.signed for one in desk.dialects if one.slug == dialect)


def shown_key(token: str, secret: str | None) -> dict[str, str]:
    """Return the texts of a new key, shown once: a token, or the two halves of a signing key."""
    return {"token": token} if secret is None else {"api_key": token, "secret_key": secret}


def labelled(key: Mapping[str, str]) -> str:
    """Return a new key as labelled lines."""
    return "\n".join(f"{label:<10}  {value}" for label, value in key.items())


def read_secret(file: Path | None, *, prompt: str) -> str:
    """Return a secret: the first line of a file, or of standard input (None, or -).

    A terminal gets a prompt. A secret is never an argument, because every user of a machine can
    list the arguments of its processes. Raises CommandRefused.
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


def words(text: str, *, option: str, allowed: Collection[str]) -> frozenset[str]:
    """Return the words of a comma-separated list, in lower case. Raises CommandRefused."""
    found = frozenset(filter(None, (word.strip().lower() for word in text.split(","))))
    if unknown := sorted(found - set(allowed)):
        raise CommandRefused(
            f"{unknown[0]} is not a value of {option}; expected some of "
            f"{','.join(sorted(allowed))}."
        )
    return found


def networks(text: str, *, option: str) -> tuple[str, ...]:
    """Return the networks of a comma-separated list. Raises CommandRefused."""
    found = list(filter(None, (part.strip() for part in text.split(","))))
    for part in found:
        try:
            ip_network(part)
        except ValueError as error:
            raise CommandRefused(
                f"{part} is not a network; expected one such as 192.0.2.0/24 for {option}."
            ) from error
    return tuple(found)
