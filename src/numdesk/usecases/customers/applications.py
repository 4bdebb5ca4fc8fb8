"""Applications of new customers: take the form, give the key, and leave the rest to staff."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from numdesk.domain.customers.callers import CustomerState
from numdesk.domain.errors import InvalidInput
from numdesk.runtime import Runtime
from numdesk.usecases.customers import accounts, callers
from numdesk.usecases.webhooks import endpoints

NAME_CHARS_MAX, EMAIL_CHARS_MAX, PHONE_CHARS_MAX = 200, 254, 32
#: All applicants share the name look-ups of one account, which is none of a customer's.
APPLICANTS = 0
#: What stands before and after the last @ of something that mail may be sent to; whether it arrives
#: is seen by sending.
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """The form of an applicant. Name and email are needed.

    `webhook_url` is where webhooks will go, signed with the key's secret.
    """

    name: str
    email: str
    phone: str | None = None
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """An applicant as registered, waiting for approval.

    Key and secret are shown once and never again.
    """

    customer_id: int
    api_key: str = field(repr=False)
    secret: str = field(repr=False)


async def apply_for(
    rt: Runtime, form: ApplicationForm, *, dialect: str, currency: str
) -> Application:
    """Register an applicant who may do nothing until staff approves (`numdesk customer approve`).

    Raises InvalidInput.
    """
    for name, value, most in (
        ("name", form.name, NAME_CHARS_MAX),
        ("email", form.email, EMAIL_CHARS_MAX),
    ):
        if not 0 < len(value.strip()) <= most or not value.isprintable():
            raise InvalidInput(field=name, reason=f"must be 1 to {most} printable characters")
    if _EMAIL.fullmatch(form.email.strip()) is None:
        raise InvalidInput(field="email", reason="must be an email address")
    if form.phone is not None and not (
        len(form.phone) <= PHONE_CHARS_MAX and form.phone.isprintable()
    ):
        raise InvalidInput(
            field="phone", reason=f"must be at most {PHONE_CHARS_MAX} printable characters"
        )
    if form.webhook_url:
        await endpoints.check_url(rt, form.webhook_url, dialect=dialect, account=APPLICANTS)
    contact = {"email": form.email.strip(), **({"phone": form.phone} if form.phone else {})}
    made = await accounts.register(
        rt,
        name=form.name.strip(),
        dialect=dialect,
        currency=currency,
        signed=True,
        state=CustomerState.PENDING,
        contact=contact,
    )
    assert made.secret is not None, "it was asked for"
    if form.webhook_url:
        caller = await callers.authenticate(rt, made.token.encode(), dialect=dialect)
        await endpoints.change_endpoint(rt, caller, url=form.webhook_url, secret=made.secret)
    return Application(made.customer_id, made.token, made.secret)
