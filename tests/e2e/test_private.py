"""A sandbox keeps its folder and itself private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.support.serving import Server, copy_data, make_folder, run_command

pytestmark = pytest.mark.xdist_group("e2e")


def test_wide_modes_of_an_older_data_folder_are_tightened(seeded_data: Path) -> None:
    """Serving an old data folder takes the rights of others from it, and it still serves."""
    folder = make_folder()
    copy_data(seeded_data, folder)
    own = [path for path in (folder, *folder.iterdir()) if path.name not in ("postgres", "secret.key")]
    for path in own:
        path.chmod(0o755)
    server = Server(folder)
    try:
        server.start()
        assert [str(path) for path in own if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    finally:
        server.close()


def test_a_public_sandbox_must_be_asked_for() -> None:
    """A public URL in front of a loopback sandbox is refused without --public-sandbox."""
    refused = run_command("serve", "--sandbox", "--listen", "127.0.0.1:0", env={"NUMDESK_PUBLIC_URL": "https://desk.example"})
    assert refused.returncode == 2
    assert "--public-sandbox" in refused.stderr


def test_a_public_sandbox_serves_when_it_was_asked_for(seeded_data: Path) -> None:
    """With --public-sandbox a sandbox listens on every address, and its log warns of it."""
    folder = make_folder()
    copy_data(seeded_data, folder)
    server = Server(folder, public=True)
    try:
        server.start()
        assert "other machines can use this sandbox without a password" in server.output()
    finally:
        server.close()
