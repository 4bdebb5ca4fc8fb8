"""A desk is built from settings alone, and refuses what cannot be right."""

from pathlib import Path

import asyncpg
import pytest

from numdesk.bootstrap import open_desk
from numdesk.config import Settings
from numdesk.kit.keyfile import KeyFileMissing


class TestOpenDesk:
    """Building a desk."""

    async def test_leaves_the_make_believe_to_the_sandbox(
        self, database_url: str, tmp_path: Path
    ) -> None:
        """In production there is no simulator, whatever the settings say."""
        async with open_desk(Settings(data=tmp_path), dsn=database_url) as desk:
            assert set(desk.rt.suppliers) == {"local"}
            assert (desk.sandbox, desk.rt.rate_sources, desk.rt.environment) == (False, {}, "live")
        async with open_desk(Settings(data=tmp_path), dsn=database_url, sandbox=True) as desk:
            assert set(desk.rt.suppliers) == {"local", "simulator"}
            assert (desk.sandbox, desk.rt.environment) == (True, "test")

    @pytest.mark.parametrize(("sandbox", "limits"), [(False, True), (True, False)])
    async def test_switches_rate_limits_off_in_the_sandbox_only(
        self, database_url: str, tmp_path: Path, sandbox: bool, limits: bool
    ) -> None:
        """A load test's setting that is left behind must not open a production desk."""
        settings = Settings(data=tmp_path, rate_limits=False)
        async with open_desk(settings, dsn=database_url, sandbox=sandbox) as desk:
            assert desk.rt.settings.rate_limits is limits

    async def test_makes_no_new_key_for_old_secrets(
        self, database_url: str, tmp_path: Path, pool: asyncpg.Pool
    ) -> None:
        """A lost key file is told, because a new one would lock every customer out."""
        async with open_desk(Settings(data=tmp_path / "a"), dsn=database_url):
            assert (tmp_path / "a" / "secret.key").exists()
        await pool.execute("insert into customers (name, state, created_at) values ('a', 1, now())")
        with pytest.raises(KeyFileMissing):
            async with open_desk(Settings(data=tmp_path / "b"), dsn=database_url):
                pass
