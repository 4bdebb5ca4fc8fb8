"""Who applies gets a key that opens nothing until staff approves."""

from __future__ import annotations

import pytest
from tests.support.desk import DeskOfTest

from numdesk.domain.customers.callers import CustomerState
from numdesk.domain.errors import InvalidInput
from numdesk.usecases.customers import accounts, callers, keys
from numdesk.usecases.customers.applications import ApplicationForm, apply_for

FORM = ApplicationForm("Acme", "ops@acme.example", "+34600000000")


async def test_waits_for_approval(desk: DeskOfTest) -> None:
    """The applicant is pending, with key and secret, a wallet and an account for bonus."""
    made = await apply_for(desk.rt, FORM, dialect="partner", currency="EUR")
    caller = await callers.authenticate(desk.rt, made.api_key.encode(), dialect="partner")
    assert (caller.state, caller.secret, caller.currency) == (
        CustomerState.PENDING,
        made.secret.encode(),
        "EUR",
    )
    assert caller.bonus_id is not None
    assert made.api_key.startswith(f"pk_{desk.rt.environment}_")
    assert made.secret.startswith(f"sk_{desk.rt.environment}_")


async def test_never_shows_the_secret_again(desk: DeskOfTest) -> None:
    """Neither key nor secret stands in the database, nor in what a caller prints."""
    made = await apply_for(desk.rt, FORM, dialect="partner", currency="EUR")
    row = await desk.pool.fetchval(
        "select row_to_json(k)::text from api_keys k where secret is not null"
    )
    assert made.secret[9:40] not in row
    assert made.api_key[20:40] not in row
    caller = await callers.authenticate(desk.rt, made.api_key.encode(), dialect="partner")
    assert made.secret not in repr(caller)
    assert made.secret not in repr(made)
    assert made.api_key not in repr(made)
    new = await accounts.register(desk.rt, name="A", dialect="partner", currency="EUR", signed=True)
    rules = keys.KeyRules()
    key = await keys.add_key(
        desk.rt,
        customer_id=new.customer_id,
        dialect="partner",
        currency="EUR",
        rules=rules,
        signed=True,
    )
    assert not any(
        hidden in repr((new, key))
        for hidden in (new.token, new.secret or "", key.token, key.secret or "")
    )


@pytest.mark.parametrize(("form", "field"), [
    (ApplicationForm("", "a@b.example"), "name"), (ApplicationForm("A\0", "a@b.example"), "name"),
    (ApplicationForm("A" * 201, "a@b.example"), "name"), (ApplicationForm("A", "nobody"), "email"),
    (ApplicationForm("A", "a@b"), "email"), (ApplicationForm("A", "a b@c.example"), "email"),
    (ApplicationForm("A", "a@b.example", "1" * 33), "phone"), (ApplicationForm("A", "\ud800@b.example"), "email"),
])  # fmt: skip
async def test_refuses_by_name_what_cannot_be_meant(
    desk: DeskOfTest, form: ApplicationForm, field: str
) -> None:
    """The part that is wrong is named, and nobody is registered."""
    with pytest.raises(InvalidInput) as refused:
        await apply_for(desk.rt, form, dialect="partner", currency="EUR")
    assert refused.value.field == field
    assert await desk.pool.fetchval("select count(*) from customers") == 0
