"""Servers for the end-to-end tests: one that all share, and one of their own for tests that kill
it.

Every module says `pytestmark = pytest.mark.xdist_group("e2e")`: on one worker they share a server,
and the heavy ones never run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support import node as node_programs
from tests.support.node import Node
from tests.support.serving import Server, make_folder, serving

StartServer = Callable[..., Server]

#: The first test waits until a sandbox is seeded, and perhaps until the packages of the JavaScript
#: programs are there.
TIMEOUT_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than others have, unless they say how much."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker(
            "timeout"
        ):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def seeded_data() -> Iterator[Path]:
    """The data folder of a sandbox that was seeded and stopped.

    Servers start on copies of it, which is quicker than seeding.
    """
    first = Server(make_folder())
    try:
        first.start()
        first.stop()
        yield first.data
    finally:
        first.close()


@pytest.fixture(scope="session")
def shared_server(seeded_data: Path) -> Iterator[Server]:
    """The server of tests that only call it; take it through `sandbox`."""
    with serving(template=seeded_data) as server:
        yield server


@pytest.fixture(scope="module")
def sandbox(shared_server: Server) -> Iterator[Server]:
    """The shared server; its ledger must be in order after each module."""
    yield shared_server
    shared_server.check_ledger()


@pytest.fixture(scope="module")
def start_server(seeded_data: Path) -> Iterator[StartServer]:
    """Starts servers of a module's own: `start_server(workers=, env=, ...)`.

    Their ledgers must be in order at the end.
    """
    with ExitStack() as stack:
        started: list[Server] = []

        def start(**options: Any) -> Server:
            server = stack.enter_context(serving(template=seeded_data, **options))
            started.append(server)
            return server

        yield start
        for server in started:
            if server.is_running():
                server.check_ledger()


@pytest.fixture(scope="session")
def node() -> Node:
    """The JavaScript programs of tests/e2e/node, with the packages that they need."""
    node_programs.install()
    return Node()
