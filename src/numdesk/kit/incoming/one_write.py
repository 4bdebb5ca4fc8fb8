"""Sends a whole answer with one write to the socket, where the server is uvicorn.

A system call less for every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from numdesk.kit.incoming.body import Send

Header = tuple[bytes, bytes]


async def send_whole(
    send: Send, *, status: int, common: tuple[Header, ...], own: Sequence[Header], body: bytes
) -> None:
    """Send status, headers and body.

    `common` are the headers that many answers share, `own` those of this one (a content-length
    among them).

    uvicorn writes an answer's head and its body apart, which is two system calls. When `send` is
    uvicorn's, on a request that has no answer yet, this does what its `send` does for both messages
    and writes once; everywhere else it sends the two ASGI messages.
    """
    cycle = getattr(send, "__self__", None)
    if (
        type(cycle) is not RequestResponseCycle
        or cycle.response_started
        or cycle.scope["method"] == "HEAD"
    ):
        await send({"type": "http.response.start", "status": status, "headers": [*common, *own]})
        await send({"type": "http.response.body", "body": body})
        return
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if not cycle.disconnected:
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        _write(
            cycle, _beginning(status, (*cycle.default_headers, *common)) + _lines(own) + end + body
        )


@lru_cache(maxsize=1024)
def _beginning(status: int, headers: tuple[Header, ...]) -> bytes:
    """Return the status line and the headers that many answers share."""
    return STATUS_LINE[status] + _lines(headers)


def _lines(headers: Sequence[Header]) -> bytes:
    """Return the lines of headers. Raises ValueError one that would break out of its line."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise ValueError("a header holds a line break")
    return lines


def _write(cycle: Any, data: bytes) -> None:
    """Write the answer and tells uvicorn that it is complete."""
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    cycle.chunked_encoding = False
    cycle.transport.write(data)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
