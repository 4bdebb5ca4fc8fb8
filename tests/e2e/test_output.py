"""What a served sandbox leaves on the disk, and how it lives without anybody who reads what it writes."""

from __future__ import annotations

import stat
import subprocess

import pytest
from tests.e2e.conftest import StartServer
from tests.support.serving import command, environment


def test_whatever_is_made_is_for_its_user_alone(start_server: StartServer) -> None:
    """No file below the data folder of a served sandbox can be read, and no folder entered, by others."""
    data = start_server().data
    made = [path for path in data.rglob("*") if not path.is_symlink()]
    assert [str(path) for path in made if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


@pytest.mark.parametrize("redirection", [">&- 2>&-", ">/dev/full 2>/dev/full", "</dev/null >&- 2>/dev/full"])
def test_a_server_needs_nobody_who_reads_what_it_writes(redirection: str) -> None:
    """A command of the server ends by its own reason, with its own code, whatever becomes of its output."""
    line = ["sh", "-c", f'exec "$@" {redirection}', "sh", *command("serve", "--sandbox", "--listen", "0.0.0.0:0")]
    assert subprocess.run(line, env=environment(), check=False, timeout=60).returncode == 2
