"""The command line: one module per command group; here lives only `main`, which dispatches to them."""

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

#: What was asked for cannot be done, and the sentence says why.
EXIT_REFUSED = 2
#: The program is at fault.
EXIT_BROKEN = 1
#: Ctrl-C, as shells count it.
EXIT_INTERRUPTED = 130

#: Where each command is found, and its line of `numdesk --help`: modules are imported when their command is called, not before.
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
        "Make the desk when there is none, and bring its database up to date; harmless when it is.",
    ),
    "customer": (
        "numdesk.cli.customer:app",
        "Add, credit, approve, restrict, block and list customers, and their keys.",
    ),
    "stock": ("numdesk.cli.stock:app", "Load, price, list and withdraw numbers of our own."),
    "rental": (
        "numdesk.cli.rental:app",
        "Price, open and look at rentals by the hour and by the day.",
    ),
    "rate": ("numdesk.cli.rate:app", "Look at and set exchange rates."),
    "topup": (
        "numdesk.cli.topup:app",
        "Look at top-ups, decide about those that are held, and compare them with the payment gateways.",
    ),
    "provider": (
        "numdesk.cli.provider:app",
        "Keep settings of payment gateways and other upstreams sealed in the database.",
    ),
    "message": (
        "numdesk.cli.message:app",
        "Look at messages that were withheld because they are another service's, and release them.",
    ),
    "service": (
        "numdesk.cli.service:app",
        "Look at services, and say by which words their messages are recognised.",
    ),
    "otp": (
        "numdesk.cli.otp:app",
        "See what code is found in a text and why, and keep rules for the codes of a service.",
    ),
    "webhooks": (
        "numdesk.cli.webhooks:app",
        "Say where a customer's webhooks go, look at them, and send them again.",
    ),
    "jobs": (
        "numdesk.cli.jobs:app",
        "Look at the background jobs, and try those again that were given up.",
    ),
    "ledger": (
        "numdesk.cli.ledger:app",
        "Prove the ledger: sums, balances, holds, orders and the hash chain.",
    ),
    "doctor": (
        "numdesk.cli.doctor:doctor",
        "Check the installation; the exit code is 1 when something has to be mended.",
    ),
    "backup": (
        "numdesk.cli.database:backup",
        "Write the whole database to a file, while the server runs; the key file is not in it unless you say so.",
    ),
    "restore": (
        "numdesk.cli.database:restore",
        "Fill an empty database from a backup; the server must not be running.",
    ),
}

#: What `numdesk serve --workers` starts; nobody else's business.
_DOOR = "door"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name and returns the exit code; a failure is one sentence on standard error."""
    os.umask(0o077)  # whatever a command makes is for its user alone
    open_standard_streams()
    forget_postgres_environment()
    _show_every_character()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    given = sys.argv[1:] if arguments is None else arguments
    if given and not given[0].startswith("-") and given[0] not in (*_COMMANDS, _DOOR):
        errors.print(
            f"numdesk: There is no command {given[0]}: it must be one of {', '.join(_COMMANDS)}."
        )
        return EXIT_REFUSED
    try:
        answer = _make_app(errors)(
            arguments, exit_on_error=False, print_error=True, result_action="return_value"
        )
    except cyclopts.CycloptsError:
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_BROKEN
    except Exception as error:  # noqa: BLE001 - the last place before a traceback would be shown
        sentence = sentence_of(error)
        errors.print(f"numdesk: {sentence or _confess(error)}")
        return EXIT_REFUSED if sentence else EXIT_BROKEN
    return answer if isinstance(answer, int) else 0


def _show_every_character() -> None:
    """Lets the terminal show as \\u0439 what its encoding has no character for."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _confess(error: Exception) -> str:
    return f"This is a fault of numdesk itself ({type(error).__name__}: {scrub(' '.join(str(error).split()))[:400]}); please report it."


def _make_app(errors: Console) -> cyclopts.App:
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
