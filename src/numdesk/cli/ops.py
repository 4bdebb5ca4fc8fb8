"""The operators' listener: metrics and detailed readiness, on its own port with its own limits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec
import uvicorn
from prometheus_client.core import Metric
from uvicorn.server import ServerState

from numdesk.asgi.readiness import Report
from numdesk.cli.lines import Line
from numdesk.kit import metrics
from numdesk.kit.incoming.body import Receive, Scope, Send
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.guarded_protocol import make_protocol
from numdesk.kit.incoming.one_write import send_whole
from numdesk.kit.incoming.pacing import Pace
from numdesk.kit.remembered import Remembered

#: The interval at which metrics are collected at most.
METRICS_KEPT_S = 1.0
#: Requests answered per second, and the burst after a pause.
RATE = 50
BURST = 100
LIMITS = ConnectionLimits(
    listener="operators",
    connections_max=32,
    connections_per_peer_max=16,
    head_s=5,
    body_s=5,
    message_bytes_max=8192,
    pipelined_max=4,
)

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

#: The answer of a page: status, type and content.
Page = tuple[int, str, bytes]
Collect = Callable[[], Coroutine[Any, Any, Sequence[Metric]]]
Check = Callable[[], Coroutine[Any, Any, Report]]


class OpsApp:
    """The ASGI application of the operators' listener."""

    def __init__(self, *, collect: Collect, report: Check) -> None:
        """Answer with the metrics of `collect` and the readiness of `report`."""
        self._collect = collect
        self._report = report
        self._text = Remembered(self._render, keep_s=METRICS_KEPT_S)
        self._pages = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }
        self._allowance = float(BURST)
        self._last = 0.0
        self._refusals = Pace.of_refusals()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        extra: tuple[tuple[bytes, bytes], ...] = ()
        page = self._pages.get(scope["path"])
        if not self._may_ask(asyncio.get_running_loop().time()):
            await self._refusals.wait(scope["client"][0] if scope.get("client") else "")
            answer, extra = _plain(HTTPStatus.TOO_MANY_REQUESTS), ((b"retry-after", b"1"),)
        elif page is None:
            answer = _plain(HTTPStatus.NOT_FOUND)
        elif scope["method"] not in ("GET", "HEAD"):
            answer, extra = _plain(HTTPStatus.METHOD_NOT_ALLOWED), ((b"allow", b"GET, HEAD"),)
        else:
            answer = await page()
        status, kind, body = answer
        own = (
            (b"content-type", kind.encode("ascii")),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            *extra,
        )
        await send_whole(
            send, status=status, common=(), own=own, body=b"" if scope["method"] == "HEAD" else body
        )

    def _may_ask(self, now: float) -> bool:
        """Take one request from the allowance, which grows by RATE a second up to BURST."""
        self._allowance = min(BURST, self._allowance + (now - self._last) * RATE)
        self._last = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    async def _healthz(self) -> Page:
        return 200, TEXT, b"ok\n"

    async def _readyz(self) -> Page:
        report = await self._report()
        return 200 if report.ready else 503, JSON, msgspec.json.encode(report, enc_hook=str)

    async def _metrics(self) -> Page:
        return 200, metrics.CONTENT_TYPE, await self._text.get()

    async def _render(self) -> bytes:
        return await metrics.render(await self._collect())


class Together:
    """The metrics and readiness of several processes on one port, ended ones included."""

    def __init__(self, lines: Sequence[Line]) -> None:
        """Ask over these lines."""
        self._lines = lines
        self._seen: dict[str, tuple[int, list[Metric]]] = {}
        self._past: list[Metric] = []

    async def collect(self) -> list[Metric]:
        """Return the metrics of this process and its children, added up."""
        answers = await asyncio.gather(*(line.ask("metrics") for line in self._lines))
        known = [
            self._newest(line, answer) for line, answer in zip(self._lines, answers, strict=True)
        ]
        return metrics.add_up([await metrics.collect(), self._past, *known])

    async def report(self) -> Report:
        """Return the readiness report of a child, plus each process's state.

        Ready means that every child answers and is ready.
        """
        answers = await asyncio.gather(*(line.ask("ready") for line in self._lines))
        reports = {
            line.name: msgspec.json.decode(answer, type=Report)
            for line, answer in zip(self._lines, answers, strict=True)
            if answer
        }
        processes = {
            line.name: line.name in reports and reports[line.name].ready for line in self._lines
        }
        told = [report for report in reports.values() if not report.ready] or list(reports.values())
        return Report(
            all(processes.values()), {**(told[0].checks if told else {}), "processes": processes}
        )

    def _newest(self, line: Line, answer: bytes | None) -> list[Metric]:
        """Return the child's metrics.

        Counts of ended children are kept, so that no total decreases.
        """
        generation, families = self._seen.get(line.name, (line.generation, []))
        if answer is None:
            return metrics.counts_of(families)
        if generation != line.generation:
            self._past = metrics.add_up([self._past, metrics.counts_of(families)])
        families = metrics.unpack(answer)
        self._seen[line.name] = (line.generation, families)
        return families


@asynccontextmanager
async def serving(listener: socket.socket | None, app: OpsApp) -> AsyncIterator[None]:
    """Answer on the listener, if any, during the block."""
    if listener is None:
        yield
        return
    protocol = make_protocol(LIMITS)
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config, state, {}), sock=listener
    )
    try:
        yield
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        for task in list(state.tasks):
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)


def _plain(status: HTTPStatus) -> Page:
    return status.value, TEXT, f"{status.phrase}\n".encode("ascii")
