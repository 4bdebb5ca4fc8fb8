"""The command line: one module per command group; here lives only `main`, which dispatches to them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cyclopts
from rich.console import Console

from numdesk import __version__
from numdesk.cli.outcome import sentence_of

#: What was asked for cannot be done, and the sentence says why.
EXIT_REFUSED = 2
#: The program is at fault.
EXIT_BROKEN = 1
#: Ctrl-C, as shells count it.
EXIT_INTERRUPTED = 130

_COMMANDS = {
    "serve": "numdesk.cli.serve:serve",
    "work": "numdesk.cli.serve:work",
    "migrate": "numdesk.cli.database:migrate",
    "customer": "numdesk.cli.customer:app",
    "stock": "numdesk.cli.stock:app",
    "rate": "numdesk.cli.rate:app",
    "webhooks": "numdesk.cli.webhooks:app",
    "ledger": "numdesk.cli.ledger:app",
    "doctor": "numdesk.cli.doctor:doctor",
    "backup": "numdesk.cli.database:backup",
    "restore": "numdesk.cli.database:restore",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that the arguments name and returns the exit code; a failure is one sentence on standard error."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        answer = _make_app(errors)(arguments, exit_on_error=False, print_error=True, result_action="return_value")
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


def _confess(error: Exception) -> str:
    return f"This is a fault of numdesk itself ({type(error).__name__}: {' '.join(str(error).split())[:400]}); please report it."


def _make_app(errors: Console) -> cyclopts.App:
    app = cyclopts.App(
        name="numdesk",
        help="A self-hosted desk for phone numbers and the money around them.",
        version=__version__,
        error_console=errors,
    )
    for name, place in _COMMANDS.items():
        app.command(place, name=name)
    app.command("numdesk.cli.serve:door", name="door", show=False)
    return app
