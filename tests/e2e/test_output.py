"""How a served sandbox lives without anybody who reads what it writes."""

from __future__ import annotations

import fcntl
import os
import subprocess

import httpx
import pytest
from tests.e2e.conftest import StartServer
from tests.support.serving import command, environment

#: The least that a pipe can hold, and more requests than that has room for lines about them.
PIPE_BYTES, REQUESTS = 4096, 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_outlives_a_pipe_that_nobody_reads(
    start_server: StartServer, workers: int
) -> None:
    """Every request is answered although the pipe that takes the log has long been full, and a stop
    is a stop."""
    unread, pipe = os.pipe()
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        server = start_server(workers=workers, env={"NUMDESK_LOG_LEVEL": "debug"}, output=pipe)
        with httpx.Client(base_url=server.base_url, trust_env=False) as client:
            assert {client.get("/v1/balance").status_code for _ in range(REQUESTS)} == {401}
        assert server.stop() == 0
        assert os.read(unread, 2 * PIPE_BYTES).count(b"\n") < REQUESTS
    finally:
        os.close(pipe)
        os.close(unread)


@pytest.mark.parametrize(
    "redirection", [">&- 2>&-", ">/dev/full 2>/dev/full", "</dev/null >&- 2>/dev/full"]
)
def test_a_server_needs_nobody_who_reads_what_it_writes(redirection: str) -> None:
    """A command of the server ends by its own reason, with its own code, whatever becomes of its
    output."""
    line = [
        "sh",
        "-c",
        f'exec "$@" {redirection}',
        "sh",
        *command("serve", "--sandbox", "--listen", "0.0.0.0:0"),
    ]
    assert subprocess.run(line, env=environment(), check=False, timeout=60).returncode == 2
