"""The operators' listener of a served sandbox."""

from __future__ import annotations

import re

import httpx
from tests.e2e.conftest import StartServer
from tests.support.serving import Server

ASKED = 24


def counted(server: Server) -> int:
    """Returns how many orders lists were answered, by the metrics."""
    text = httpx.get(f"{server.ops_url}/metrics", trust_env=False).text
    return sum(
        int(float(number))
        for number in re.findall(
            r'numdesk_http_requests_total\{dialect="smscode",.*status="401"\} (\S+)', text
        )
    )


class TestSeveralProcesses:
    """`--workers 2`."""

    def test_are_counted_as_one(self, start_server: StartServer) -> None:
        """Requests that any process answered are in the metrics, and customers see none of it."""
        server = start_server(workers=2)
        for _ in range(ASKED):  # a connection each, so that both processes get some
            assert (
                httpx.get(
                    f"{server.base_url}/v1/balance",
                    headers={"authorization": "Bearer no"},
                    trust_env=False,
                ).status_code
                == 401
            )
        assert counted(server) == ASKED
        details = httpx.get(f"{server.ops_url}/readyz", trust_env=False).json()
        assert details["checks"]["processes"] == {"door 1": True, "door 2": True, "work": True}
        assert httpx.get(f"{server.base_url}/metrics", trust_env=False).status_code == 404
        assert httpx.get(f"{server.base_url}/readyz", trust_env=False).text == "ready\n"
