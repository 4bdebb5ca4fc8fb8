"""A desk keeps its folder, its files and itself private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.support.serving import Server, copy_data, make_folder, run_command

pytestmark = pytest.mark.xdist_group("e2e")

#: What a user has set who lets everybody read everything.
OPEN = "umask 000"


def open_to_others(folder: Path) -> list[str]:
    """Returns what others may do something with, of a folder and all below it."""
    made = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    return [str(path) for path in made if stat.S_IMODE(path.lstat().st_mode) & 0o077]


def test_whatever_a_server_makes_is_for_its_user_alone(tmp_path: Path) -> None:
    """No file of a data folder that a server made can be read, and no folder entered, by others,
    whatever the umask."""
    server = Server(tmp_path / "data", after=OPEN)
    try:
        server.start()
        assert open_to_others(server.data) == []
    finally:
        server.close()


def test_whatever_a_command_makes_is_for_its_user_alone(seeded_data: Path, tmp_path: Path) -> None:
    """Nor can a backup, the desk that it is restored to, or the rejected lines of a list, which
    hold what the list holds."""
    backup, restored, bad, rejected = (
        tmp_path / name for name in ("desk.numdesk", "restored", "list.csv", "rejected.csv")
    )
    bad.write_text("country,service,operator,currency,price\nID,nobody,,IDR,9\n")
    for arguments in (
        ("backup", str(backup), "--data", str(seeded_data)),
        ("restore", str(backup), "--data", str(restored)),
        ("stock", "price", str(bad), "--errors", str(rejected), "--data", str(seeded_data)),
    ):
        done = run_command(*arguments, after=OPEN)
        assert done.returncode == (1 if "price" in arguments else 0), done.stderr
    for made in (backup, restored, rejected):
        assert made.exists()
        assert open_to_others(made) == []


def test_wide_modes_of_an_older_data_folder_are_tightened(seeded_data: Path) -> None:
    """Serving an old data folder takes the rights of others from it, and it still serves."""
    folder = make_folder()
    copy_data(seeded_data, folder)
    own = [
        path for path in (folder, *folder.iterdir()) if path.name not in ("postgres", "secret.key")
    ]
    for path in own:
        path.chmod(0o755)
    server = Server(folder)
    try:
        server.start()
        assert [
            str(path) for path in own if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
        ] == []
    finally:
        server.close()


def test_a_public_sandbox_must_be_asked_for() -> None:
    """A public URL in front of a loopback sandbox is refused without --public-sandbox."""
    refused = run_command(
        "serve",
        "--sandbox",
        "--listen",
        "127.0.0.1:0",
        env={"NUMDESK_PUBLIC_URL": "https://desk.example"},
    )
    assert refused.returncode == 2
    assert "--public-sandbox" in refused.stderr


def test_a_public_sandbox_serves_when_it_was_asked_for(seeded_data: Path) -> None:
    """With --public-sandbox a sandbox listens on every address, and its log warns of it."""
    folder = make_folder()
    copy_data(seeded_data, folder)
    server = Server(folder, public=True)
    try:
        server.start()
        assert "sandbox open to other machines without a password" in server.output()
    finally:
        server.close()
