"""A sandbox lives on a database of its own."""

from pathlib import Path

import pytest
from tests.support.sandbox import open_sandbox, shelve

from numdesk.bootstrap import enter
from numdesk.usecases.desk import installation
from numdesk.usecases.desk.installation import Mode, MoneyIsMakeBelieve, SandboxRefused


class TestEnter:
    """Taking note of how a database is served."""

    async def test_refuses_a_sandbox_where_it_was_served_in_earnest(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """Once without the sandbox is for ever without it."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await installation.enter(desk.rt, sandbox=False)
            with pytest.raises(SandboxRefused, match="--data"):
                await installation.enter(desk.rt, sandbox=True)

    async def test_refuses_a_sandbox_on_data_that_it_did_not_make(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """A database that was filled before it was ever served may hold what is dear to
        somebody."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await shelve(desk, numbers=1)
            with pytest.raises(SandboxRefused):
                await installation.enter(desk.rt, sandbox=True)

    async def test_wants_seeds_until_it_has_them(self, database_url: str, tmp_path: Path) -> None:
        """A start that was killed in the middle of seeding is finished by the next one.

        A finished one is not repeated.
        """
        async with open_sandbox(database_url, tmp_path) as desk:
            assert await installation.enter(desk.rt, sandbox=True)
            assert await installation.enter(desk.rt, sandbox=True)
            first = await enter(desk)
            assert await enter(desk) == first
            assert not await installation.enter(desk.rt, sandbox=True)
            assert await installation.mode(desk.rt) is Mode.SANDBOX

    async def test_never_takes_make_believe_money_for_real(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """Once a sandbox is for ever a sandbox: forgetting the switch serves nothing and changes
        nothing."""
        async with open_sandbox(database_url, tmp_path) as desk:
            await installation.enter(desk.rt, sandbox=True)
            with pytest.raises(MoneyIsMakeBelieve, match="--sandbox"):
                await installation.enter(desk.rt, sandbox=False)
            with pytest.raises(MoneyIsMakeBelieve):
                await installation.require_mode(desk.rt, sandbox=False)
            assert await installation.mode(desk.rt) is Mode.SANDBOX
            await installation.require_mode(desk.rt, sandbox=True)
