"""`numdesk service`: the services of the catalogue, and the words that recognise their messages."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import CommandRefused, print_result, table
from numdesk.domain.recognition.recogniser import WordUse
from numdesk.usecases import recognition

app = cyclopts.App(
    name="service", help="Show services, and set the words that recognise their messages."
)

Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """List the services with the family that shares messages, and the words added here."""
    common = common or Common()
    found = at_desk(common, lambda desk: recognition.every(desk.rt), read_only=True)
    rows = [
        (
            one.code,
            one.name,
            one.family or "",
            ", ".join(f"{word.word} ({word.use})" for word in one.words),
        )
        for one in found
    ]
    facts = [
        {
            "service": one.code,
            "name": one.name,
            "family": one.family,
            "words": [{"word": word.word, "use": word.use} for word in one.words],
        }
        for one in found
    ]
    empty = "There are no services yet: `numdesk stock price FILE.csv` adds those in the file."
    print_result(
        facts,
        as_json=common.json,
        text=table(["service", "name", "family", "words"], rows) if rows else empty,
    )


@app.command
def word(
    service: str,
    text: Annotated[str, Parameter(name="word")],
    *,
    use: WordUse = "text",
    forget: Flag = False,
    common: Common | None = None,
) -> None:
    """Add a word by which a service's messages are recognised; its name and code count by default.

    Parameters
    ----------
    service
        The service's code, such as whatsapp.
    text
        The word or words, such as "Whats App"; case does not matter.
    use
        text: as a sender, and where a text says which service a code is for. sender: as a sender
        only, for short and everyday words. never: a built-in word, the service's name included, no
        longer counts.
    forget
        Undo an earlier setting of the word.
    """
    common = common or Common()
    if forget:
        at_desk(common, lambda desk: recognition.remove_word(desk.rt, service=service, word=text))
        said = f"The setting of {text!r} for {service} was removed."
    else:
        at_desk(
            common, lambda desk: recognition.set_word(desk.rt, service=service, word=text, use=use)
        )
        said = (
            f"{text!r} counts for {service} from the next message on."
            if use != "never"
            else f"{text!r} no longer counts for {service}."
        )
    print_result(
        {"service": service, "word": text, "use": None if forget else use},
        as_json=common.json,
        text=said,
    )


@app.command
def family(
    *services: str, name: str | None = None, alone: Flag = False, common: Common | None = None
) -> None:
    """Let services share messages: the code of one is delivered to an order for another.

    Parameters
    ----------
    services
        The codes of the services.
    name
        The family that they join, a word of your choice; `numdesk service list` shows the existing
        ones.
    alone
        Let them share messages with no other service.
    """
    common = common or Common()
    if not services or (name is None) != alone:
        raise CommandRefused(
            "The arguments are incomplete; expected service codes, and either --name FAMILY or "
            "--alone."
        )
    at_desk(common, lambda desk: recognition.set_family(desk.rt, services=services, family=name))
    text = f"{', '.join(services)}: " + ("alone." if alone else f"of the family {name}.")
    print_result({"services": list(services), "family": name}, as_json=common.json, text=text)


@app.command(name="try")
def try_text(text: str, *, sender: str = "", common: Common | None = None) -> None:
    """Show the service that a message would be recognised as.

    Parameters
    ----------
    text
        The text of a message.
    sender
        The message's sender.
    """
    common = common or Common()
    found = at_desk(
        common, lambda desk: recognition.try_text(desk.rt, text, sender=sender), read_only=True
    )
    facts = {"service": found[1] if found else None, "told_by": found[0].told_by if found else None}
    said = (
        f"It belongs to {found[1]}, by its {found[0].told_by}."
        if found
        else "No service is recognised, so the message is delivered."
    )
    print_result(facts, as_json=common.json, text=said)
