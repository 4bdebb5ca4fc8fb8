"""Sends a whole answer with one write to the socket, where the server is uvicorn; a system call less for every request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from numdesk.kit.body import Send

Header = tuple[bytes, bytes]


async def send_whole(send: Send, *, status: int, headers: Sequence[Header], body: bytes) -> None:
    """Sends status, headers (a content-length among them) and body.

    uvicorn writes an answer's head and its body apart, which is two system calls. When `send` is uvicorn's, on a request that has no
    answer yet, this does what its `send` does for both messages and writes once; everywhere else it sends the two ASGI messages.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or cycle.response_started or cycle.scope["method"] == "HEAD":
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})
        return
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if not cycle.disconnected:
        _write(cycle, _head(cycle, status, headers) + body)


def _head(cycle: RequestResponseCycle, status: int, headers: Iterable[Header]) -> bytes:
    """Returns the status line and headers; refuses with ValueError a header that would break out of its line."""
    lines = [*cycle.default_headers, *headers]
    if not cycle.keep_alive:
        lines.append((b"connection", b"close"))
    head = STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % line for line in lines]) + b"\r\n"
    if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
        raise ValueError("a header holds a line break")
    return head


def _write(cycle: Any, data: bytes) -> None:
    """Writes the answer and tells uvicorn that it is complete."""
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.chunked_encoding = False
    cycle.transport.write(data)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
