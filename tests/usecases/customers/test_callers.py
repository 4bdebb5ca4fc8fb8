"""Customers: who a token belongs to, what changes take effect at once, and what is written down of
keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.desk import CURRENCY, DIALECT, START, DeskOfTest

from numdesk.domain.customers import tokens
from numdesk.domain.customers.callers import Caller, CustomerState, Scope, check_call
from numdesk.domain.errors import NotAuthenticated, NotFound, NotPermitted
from numdesk.storage.customers import callers as rows
from numdesk.storage.database.pool import Tx
from numdesk.usecases.customers import accounts, callers, keys
from numdesk.usecases.desk import versions


class TestAuthenticate:
    """A token leads to its customer."""

    async def test_knows_a_token_and_no_other(self, desk: DeskOfTest) -> None:
        """The right token of the right dialect is a caller with the wallet of its currency.

        Anything else is nobody.
        """
        new = await accounts.register(
            desk.rt, name="A", dialect=DIALECT, currency=CURRENCY, credit=5
        )
        caller = await callers.authenticate(desk.rt, new.token.encode(), dialect=DIALECT)
        assert (caller.customer_id, caller.wallet_id, caller.currency) == (
            new.customer_id,
            new.wallet_id,
            CURRENCY,
        )
        assert callers.remembered(desk.rt, new.token.encode(), dialect=DIALECT) == caller
        stranger = tokens.make_token("test", random="a" * tokens.RANDOM_CHARACTERS)
        for token, dialect in (
            (new.token, "other"),
            (new.token[:-1], DIALECT),
            (stranger, DIALECT),
            ("", DIALECT),
            ("\u00e9", DIALECT),
        ):
            with pytest.raises(NotAuthenticated):
                await callers.authenticate(desk.rt, token.encode(), dialect=dialect)

    async def test_asks_once_for_a_token_that_is_nobodys(
        self, desk: DeskOfTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A token that is nobody's is looked up once.

        A flood of others makes it forgotten, and no caller with it.
        """
        monkeypatch.setattr(callers, "UNKNOWN_MAX", 3)
        new = await accounts.register(desk.rt, name="A", dialect=DIALECT, currency=CURRENCY)
        await callers.authenticate(desk.rt, new.token.encode(), dialect=DIALECT)
        asked: list[bytes] = []
        look_up = rows.callers

        async def watched(tx: Tx, hashes: list[bytes]) -> dict[bytes, Caller]:
            asked.extend(hashes)
            return await look_up(tx, hashes)

        monkeypatch.setattr(rows, "callers", watched)
        nobodys = [
            tokens.make_token("test", random=letter * tokens.RANDOM_CHARACTERS).encode()
            for letter in "abcd"
        ]
        for token, times in ((nobodys[0], 2), *((one, 1) for one in nobodys[1:])):
            for _ in range(times):
                with pytest.raises(NotAuthenticated):
                    await callers.authenticate(desk.rt, token, dialect=DIALECT)
        assert len(asked) == 4
        assert callers.remembered(desk.rt, new.token.encode(), dialect=DIALECT)

    async def test_knows_a_key_that_was_made_after_it_was_asked_for(self, desk: DeskOfTest) -> None:
        """A token that was nobody's is looked up again as soon as the process has looked at the
        versions."""
        token = tokens.make_token("test", random="a" * tokens.RANDOM_CHARACTERS)
        with pytest.raises(NotAuthenticated):
            await callers.authenticate(desk.rt, token.encode(), dialect=DIALECT)
        await versions.look(desk.rt)
        new = await accounts.register(desk.rt, name="A", dialect=DIALECT, currency=CURRENCY)
        await desk.pool.execute(
            "update api_keys set hash = $1", desk.rt.keys.fingerprint(token.encode())
        )
        await versions.look(desk.rt)
        assert (
            await callers.authenticate(desk.rt, token.encode(), dialect=DIALECT)
        ).customer_id == new.customer_id

    async def test_forgets_when_something_changed(self, desk: DeskOfTest) -> None:
        """A revoked key and a blocked customer are out as soon as the process has looked at the
        versions."""
        new = await accounts.register(desk.rt, name="A", dialect=DIALECT, currency=CURRENCY)
        token = new.token.encode()
        await versions.look(desk.rt)
        caller = await callers.authenticate(desk.rt, token, dialect=DIALECT)
        await accounts.set_state(desk.rt, new.customer_id, CustomerState.BLOCKED)
        await versions.look(desk.rt)
        assert (
            await callers.authenticate(desk.rt, token, dialect=DIALECT)
        ).state is CustomerState.BLOCKED
        await keys.revoke_key(desk.rt, caller.key_id)
        await versions.look(desk.rt)
        with pytest.raises(NotAuthenticated):
            await callers.authenticate(desk.rt, token, dialect=DIALECT)
        with pytest.raises(NotFound):
            await keys.revoke_key(desk.rt, caller.key_id)

    async def test_keeps_the_rules_of_a_key(self, desk: DeskOfTest) -> None:
        """Scopes, call names, networks and the end of a key are what it was made with."""
        new = await accounts.register(desk.rt, name="A", dialect=DIALECT, currency=CURRENCY)
        rules = keys.KeyRules(
            frozenset({Scope.READ}),
            frozenset({"orders.get"}),
            ("10.0.0.0/8",),
            START + timedelta(days=1),
        )
        token = (
            await keys.add_key(
                desk.rt,
                customer_id=new.customer_id,
                dialect=DIALECT,
                currency=CURRENCY,
                rules=rules,
            )
        ).token
        caller = await callers.authenticate(desk.rt, token.encode(), dialect=DIALECT)
        check_call(
            caller, operation="orders.get", scope=Scope.READ, address="10.1.2.3", wall=lambda: START
        )
        for operation, scope, address, wall, refusal in (
            ("orders.list", Scope.READ, "10.1.2.3", START, NotPermitted),
            ("orders.get", Scope.SPEND, "10.1.2.3", START, NotPermitted),
            ("orders.get", Scope.READ, "11.1.2.3", START, NotPermitted),
            ("orders.get", Scope.READ, "10.1.2.3", START + timedelta(days=1), NotAuthenticated),
        ):
            with pytest.raises(refusal):
                check_call(
                    caller,
                    operation=operation,
                    scope=scope,
                    address=address,
                    wall=lambda wall=wall: wall,
                )

    async def test_never_stores_the_token(self, desk: DeskOfTest) -> None:
        """The database holds a keyed hash and a few characters to tell keys apart."""
        new = await accounts.register(desk.rt, name="A", dialect=DIALECT, currency=CURRENCY)
        row = await desk.pool.fetchval("select row_to_json(k)::text from api_keys k")
        assert new.token not in row
        assert new.token[20:40] not in row


async def test_writes_down_the_hour_of_use(desk: DeskOfTest) -> None:
    """A key that was used carries the hour, written off the hot path."""
    await desk.customer()
    assert await desk.pool.fetchval("select last_used_at from api_keys") is None
    await callers.note_used_keys(desk.rt)
    assert await desk.pool.fetchval("select last_used_at from api_keys") == START
    await callers.note_used_keys(desk.rt)
