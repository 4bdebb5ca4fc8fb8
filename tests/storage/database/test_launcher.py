"""The launcher: becomes another program, never as root and never without numdesk."""

import os
import subprocess
import sys

import pytest

from numdesk.storage.database import launcher as database_launcher


def launch(parent: int, user: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher as numdesk does."""
    launcher = [sys.executable, "-I", "-S", database_launcher.__file__]
    return subprocess.run(
        [*launcher, str(parent), user, "/", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_becomes_the_command() -> None:
    """The command's output and exit code are the launcher's."""
    done = launch(os.getpid(), "", "/bin/sh", "-c", "echo here; exit 3")
    assert (done.stdout, done.returncode) == ("here\n", 3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_does_not_start_what_nobody_would_stop() -> None:
    """When numdesk died before the kernel was asked to watch it, nothing is started."""
    done = launch(1, "", "/bin/sh", "-c", "echo here")
    assert done.stdout == ""
    assert "numdesk ended" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_drops_root_for_good() -> None:
    """The server runs with no group of root's and cannot come back."""
    done = launch(os.getpid(), "nobody", "/bin/sh", "-c", "id -u; id -G")
    user, groups = done.stdout.split("\n")[:2]
    assert user != "0"
    assert "0" not in groups.split()
