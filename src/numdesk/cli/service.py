"""`numdesk service`: the services of the catalogue, and what operators say so that their messages are recognised."""

from __future__ import annotations

from typing import Annotated

import cyclopts
from cyclopts import Parameter

from numdesk.cli.attach import Common, at_desk
from numdesk.cli.outcome import CommandRefused, table, tell
from numdesk.domain.recognition.recogniser import WordUse
from numdesk.usecases import recognition

app = cyclopts.App(
    name="service", help="Look at services, and say by which words their messages are recognised."
)

Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="list")
def show(*, common: Common | None = None) -> None:
    """List the services of the catalogue with the family whose messages each shares, and the words that were added here."""
    common = common or Common()
    found = at_desk(common, lambda desk: recognition.every(desk.rt), looks_only=True)
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
    empty = "There are no services yet: `numdesk stock price FILE.csv` brings those that it names."
    tell(
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
    """Add a word by which the messages of a service are recognised; its name and code count without.

    Parameters
    ----------
    service
        The service's code, such as whatsapp.
    text
        The word or words, such as "Whats App"; case does not matter.
    use
        text: as a sender and where a text names whose code it is. sender: as a sender only, for short and everyday words. never: a word
        that numdesk brings along, the service's name included, no longer counts.
    forget
        Take back what was said about the word.
    """
    common = common or Common()
    if forget:
        at_desk(common, lambda desk: recognition.remove_word(desk.rt, service=service, word=text))
        said = f"Nothing is said about {text!r} for {service} any more."
    else:
        at_desk(
            common, lambda desk: recognition.set_word(desk.rt, service=service, word=text, use=use)
        )
        said = (
            f"{text!r} counts for {service} from the next message on."
            if use != "never"
            else f"{text!r} no longer counts for {service}."
        )
    tell(
        {"service": service, "word": text, "use": None if forget else use},
        as_json=common.json,
        text=said,
    )


@app.command
def family(
    *services: str, name: str | None = None, alone: Flag = False, common: Common | None = None
) -> None:
    """Say that services share messages: one's code is delivered to an order for another.

    Parameters
    ----------
    services
        The codes of the services.
    name
        The family that they join, a word of your choice; `numdesk service list` shows those that there are.
    alone
        They share messages with no other service.
    """
    common = common or Common()
    if not services or (name is None) != alone:
        raise CommandRefused("Say which services, and either --name FAMILY or --alone.")
    at_desk(common, lambda desk: recognition.set_family(desk.rt, services=services, family=name))
    text = f"{', '.join(services)}: " + ("alone." if alone else f"of the family {name}.")
    tell({"services": list(services), "family": name}, as_json=common.json, text=text)


@app.command(name="try")
def try_text(text: str, *, sender: str = "", common: Common | None = None) -> None:
    """Show which service a message would be recognised as of.

    Parameters
    ----------
    text
        The message, as it came.
    sender
        Whom it came from.
    """
    common = common or Common()
    found = at_desk(
        common, lambda desk: recognition.try_text(desk.rt, text, sender=sender), looks_only=True
    )
    facts = {"service": found[1] if found else None, "told_by": found[0].told_by if found else None}
    said = (
        f"It is {found[1]}'s, by the {found[0].told_by}."
        if found
        else "It is not recognised, and so delivered."
    )
    tell(facts, as_json=common.json, text=said)
