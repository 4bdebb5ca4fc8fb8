"""The command line: one module per command group; `main` dispatches to them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import cyclopts
from rich.console import Console

from numdesk import __version__
from numdesk.cli.outcome import sentence_of
from numdesk.config import forget_postgres_environment
from numdesk.kit.output import open_standard_streams
from numdesk.kit.redact import scrub

#: The command was refused; the sentence says why.
EXIT_REFUSED = 2
#: A program fault.
EXIT_BROKEN = 1
#: Ctrl-C, the exit code that shells expect.
EXIT_INTERRUPTED = 130

#: The place of each command, and its line of `numdesk --help`. A module is imported only when its
#: command is called.
_COMMANDS = {
    "serve": (
        "numdesk.cli.serve:serve",
        "Run the server: doors and background work in one process tree.",
    ),
    "work": (
        "numdesk.cli.serve:work",
        "Do the background work only, beside `numdesk serve --no-work` on the same database.",
    ),
    "migrate": (
        "numdesk.cli.database:migrate",
        "Create the desk if there is none, and bring its database up to date; safe to repeat.",
    ),
    "customer": (
        "numdesk.cli.customer:app",
        "Add, credit, approve, restrict, block and list customers, and their keys.",
    ),
    "stock": ("numdesk.cli.stock:app", "Load, price, list and withdraw numbers of our own."),
    "rental": (
        "numdesk.cli.rental:app",
        "Price, open and list rentals by the hour and by the day.",
    ),
    "rate": ("numdesk.cli.rate:app", "Show and set exchange rates."),
    "topup": (
        "numdesk.cli.topup:app",
        "Show top-ups, decide on held ones, and compare them with the payment gateways.",
    ),
    "provider": (
        "numdesk.cli.provider:app",
        "Store settings of payment gateways and other upstreams, sealed in the database.",
    ),
    "message": (
        "numdesk.cli.message:app",
        "Show messages that were withheld because they are another service's, and release them.",
    ),
    "service": (
        "numdesk.cli.service:app",
        "Show services, and set the words that recognise their messages.",
    ),
    "otp": (
        "numdesk.cli.otp:app",
        "Find the code in a text and show why, and keep rules for the codes of a service.",
    ),
    "webhooks": (
        "numdesk.cli.webhooks:app",
        "Set the endpoint of a customer's webhooks, show deliveries, and send them again.",
    ),
    "jobs": (
        "numdesk.cli.jobs:app",
        "Show background jobs, and try dead ones again.",
    ),
    "ledger": (
        "numdesk.cli.ledger:app",
        "Prove the ledger: sums, balances, holds, orders and the hash chain.",
    ),
    "doctor": (
        "numdesk.cli.doctor:doctor",
        "Check the installation; the exit code is 1 when something must be fixed.",
    ),
    "backup": (
        "numdesk.cli.database:backup",
        "Write the whole database to a file while the server runs, without the key file.",
    ),
    "restore": (
        "numdesk.cli.database:restore",
        "Fill an empty database from a backup; the server must not be running.",
    ),
}

#: An internal command, started by `numdesk serve --workers`.
_DOOR = "door"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return the exit code.

    A failure is printed as one sentence on standard error.
    """
    os.umask(0o077)  # files made by a command are for its user alone
    open_standard_streams()
    forget_postgres_environment()
    _show_every_character()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    given = sys.argv[1:] if arguments is None else arguments
    if given and not given[0].startswith("-") and given[0] not in (*_COMMANDS, _DOOR):
        errors.print(
            f"numdesk: {given[0]} is not a command; expected one of {', '.join(_COMMANDS)}."
        )
        return EXIT_REFUSED
    try:
        answer = make_app(errors)(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except cyclopts.CycloptsError as error:
        errors.print(f"numdesk: {error}")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_BROKEN
    except Exception as error:  # noqa: BLE001 - the last place before a traceback would be shown
        sentence = sentence_of(error)
        errors.print(f"numdesk: {sentence or _internal_error(error)}")
        return EXIT_REFUSED if sentence else EXIT_BROKEN
    return answer if isinstance(answer, int) else 0


def _show_every_character() -> None:
    """Let the terminal show as \\u0439 what its encoding cannot express."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _internal_error(error: Exception) -> str:
    return (
        f"Internal error of numdesk ({type(error).__name__}: "
        f"{scrub(' '.join(str(error).split()))[:400]}); please report it."
    )


def make_app(errors: Console) -> cyclopts.App:
    """Return the program with all commands; usage errors go to `errors`."""
    app = cyclopts.App(
        name="numdesk",
        help="A self-hosted desk for phone numbers and the money around them.",
        version=__version__,
        error_console=errors,
    )
    for name, (place, line) in _COMMANDS.items():
        app.command(place, name=name, help=line)
    app.command("numdesk.cli.serve:door", name=_DOOR, show=False)
    return app
