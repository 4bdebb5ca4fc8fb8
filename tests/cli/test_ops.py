"""The operators' listener: its pages, its bounds, and what it knows of several processes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client.core import CounterMetricFamily, Metric
from structlog.testing import capture_logs
from tests.dialects.asgi import Exchange
from tests.support.serving import reserved_port

from numdesk.asgi.readiness import Report
from numdesk.cli import ops
from numdesk.cli.lines import Answers, Line, answering
from numdesk.cli.listening import ops_socket
from numdesk.cli.outcome import CommandRefused
from numdesk.config import Address, Settings
from numdesk.kit import metrics


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with reserved_port() as port:
        yield port


def counted(number: float) -> Sequence[Metric]:
    """Returns one counter."""
    family = CounterMetricFamily("things", "Things", labels=[])
    family.add_metric([], number)
    return [family]


def app_of(*, ready: bool = True) -> ops.OpsApp:
    """Returns the pages of a process that has counted seven things."""

    async def collect() -> Sequence[Metric]:
        return counted(7)

    async def report() -> Report:
        return Report(ready, {"database": {"ok": ready}})

    return ops.OpsApp(collect=collect, report=report)


class TestPages:
    async def test_tell_the_metrics(self) -> None:
        """Prometheus reads them in its own format."""
        answer = await Exchange("GET", "/metrics").run(app_of())
        assert (answer.status, answer.header("content-type")) == (200, metrics.CONTENT_TYPE)
        assert b"things_total 7.0\n" in answer.body

    @pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
    async def test_tell_the_details_of_readiness(self, ready: bool, status: int) -> None:
        """Every part is named, with the status for those that only look at that."""
        answer = await Exchange("GET", "/readyz").run(app_of(ready=ready))
        assert (answer.status, json.loads(answer.body)) == (
            status,
            {"ready": ready, "checks": {"database": {"ok": ready}}},
        )

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("HEAD", "/metrics", 200),
            ("GET", "/healthz", 200),
            ("POST", "/metrics", 405),
            ("GET", "/v1", 404),
        ],
    )
    async def test_are_few(self, method: str, path: str, status: int) -> None:
        """Three paths, to read only."""
        assert (await Exchange(method, path).run(app_of())).status == status

    async def test_are_told_so_often_and_no_more(self) -> None:
        """Who asks without end is told to wait."""
        app = app_of()
        answers = [await Exchange("GET", "/metrics").run(app) for _ in range(ops.BURST * 3)]
        assert {answer.status for answer in answers} == {200, 429}
        assert answers[-1].header("retry-after") == "1"


class TestSocket:
    def test_is_the_next_port_unless_told_otherwise(self, unused_port: int) -> None:
        """Without a setting operators find it on loopback at the port after the customers'."""
        with ops_socket(Settings(listen=Address("0.0.0.0", unused_port - 1))) as listener:  # noqa: S104 - only looked at
            assert listener is not None
            assert listener.getsockname() == ("127.0.0.1", unused_port)

    def test_is_left_out_when_that_port_is_taken(self, unused_port: int) -> None:
        """The server starts without it, and the log says so."""
        taken = Settings(listen=Address("127.0.0.1", unused_port - 1))
        with capture_logs() as log, ops_socket(taken), ops_socket(taken) as second:
            assert second is None
        assert [line["event"] for line in log] == ["no listener for operators"]

    @pytest.mark.parametrize("port", [65535])
    def test_is_left_out_where_there_is_no_next_port(self, port: int) -> None:
        """The last port has none after it."""
        with ops_socket(Settings(listen=Address("127.0.0.1", port))) as listener:
            assert listener is None

    def test_is_left_out_when_switched_off(self) -> None:
        """`off` opens nothing."""
        with ops_socket(Settings(ops_listen="off")) as listener:
            assert listener is None

    def test_must_be_had_when_it_was_asked_for(self, unused_port: int) -> None:
        """An address that was given and is taken stops the start, with the remedy."""
        asked = Settings(ops_listen=Address("127.0.0.1", unused_port))
        with (
            ops_socket(asked),
            pytest.raises(
                CommandRefused, match=f"127.0.0.1:{unused_port} is in use.*NUMDESK_OPS_LISTEN"
            ),
        ):
            ops_socket(asked).__enter__()


class TestTogether:
    async def test_is_the_sum_of_all_processes_also_of_those_that_ended(self) -> None:
        """No count goes back when a process ends, and that of its successor comes on top."""
        line = Line("door 1")
        together = ops.Together([line])
        for number, total in ((2, 2), (3, 5)):
            async with _Child(line, number):
                assert _things(await together.collect()) == total
            assert _things(await together.collect()) == total
        line.close()

    async def test_names_a_process_that_is_not_there(self) -> None:
        """Readiness is that of all processes, each named."""
        here, gone = Line("door 1"), Line("door 2")
        async with _Child(here, 1):
            report = await ops.Together([here, gone]).report()
        assert report == Report(
            False, {"database": {"ok": True}, "processes": {"door 1": True, "door 2": False}}
        )
        here.close()


class _Child:
    """A child process at the other end of a line, here in the same one."""

    def __init__(self, line: Line, number: int) -> None:
        self._line = line
        self._number = number

    async def __aenter__(self) -> None:
        async def things() -> bytes:
            return metrics.pack(counted(self._number))

        async def ready() -> bytes:
            return b'{"ready":true,"checks":{"database":{"ok":true}}}'

        answers: Answers = {"metrics": things, "ready": ready}
        with await self._line.open() as theirs:
            self._answering = answering(os.dup(theirs.fileno()), answers)
        await self._answering.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._answering.__aexit__(None, None, None)
        await asyncio.sleep(0)


def _things(families: Sequence[Metric]) -> float:
    return next(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "things_total"
    )
