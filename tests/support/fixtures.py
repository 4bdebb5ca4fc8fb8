"""The shared fixtures and options of every test; tests/conftest.py lists them."""

from collections.abc import AsyncIterator

import asyncpg
import hypothesis
import pytest
from tests.support.server import ServerProcess, TestServer

from numdesk.storage.database.pool import Database

PROCESS = pytest.StashKey[ServerProcess]()
SERVER = pytest.StashKey[TestServer]()

# How long an example or its making takes says more about the machine than about the code.
UNTIMED = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("default", UNTIMED, max_examples=100)
hypothesis.settings.register_profile("soak", UNTIMED, max_examples=5_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --soak."""
    parser.addoption("--soak", action="store_true", help="run the tests that live for minutes, too")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the Hypothesis profile, and start the server early where xdist's workers will need
    it."""
    hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "default")
    if worker_input := getattr(config, "workerinput", None):
        config.stash[SERVER] = TestServer(*worker_input["numdesk_server"])
    elif config.getoption("numprocesses", default=None) and not config.option.collectonly:
        _start_server(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server where it was started."""
    if process := config.stash.get(PROCESS, None):
        process.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a new worker of xdist where the server is."""
    server = node.config.stash[SERVER]  # type: ignore[attr-defined] - xdist has no types
    node.workerinput["numdesk_server"] = (server.admin_url, server.fault)  # type: ignore[attr-defined] - the same


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soak tests out unless they were asked for."""
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> TestServer:
    """The PostgreSQL of this run."""
    if SERVER not in pytestconfig.stash:
        _start_server(pytestconfig)
    return pytestconfig.stash[SERVER]


@pytest.fixture
async def database_url(server: TestServer) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    async with server.create_database() as url:
        yield url


@pytest.fixture
async def empty_database_url(server: TestServer) -> AsyncIterator[str]:
    """A database without any migration."""
    async with server.create_database("empty") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The storage layer's database, as use cases get it."""
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A plain pool on the same database, for arranging and for looking at what was written."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as opened:
        yield opened


def _start_server(config: pytest.Config) -> None:
    process = ServerProcess()
    config.stash[PROCESS] = process
    config.stash[SERVER] = process.start()
