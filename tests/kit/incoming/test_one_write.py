"""Answers in one write."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from numdesk.kit.incoming.body import Receive, Scope, Send
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.guarded_protocol import make_protocol
from numdesk.kit.incoming.one_write import send_whole

HEADERS = ((b"content-type", b"text/plain"), (b"content-length", b"5"))


async def _app(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["path"] == "/plain":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send(
            {"type": "http.response.body", "body": b"hello" if scope["method"] != "HEAD" else b""}
        )
    elif scope["path"] == "/broken":
        await send_whole(
            send, status=200, common=HEADERS, own=[(b"x", b"a\r\ny: b")], body=b"hello"
        )
    else:
        await send_whole(
            send,
            status=200,
            common=HEADERS[:1],
            own=HEADERS[1:],
            body=b"hello" if scope["method"] != "HEAD" else b"",
        )


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server of ours with the application above."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            _app,
            http=make_protocol(ConnectionLimits()),
            lifespan="off",
            log_config=None,
            ws="none",
            server_header=False,
            date_header=False,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def _talk(port: int, text: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


class TestSendWhole:
    """One write and two messages are the same to a client."""

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
    async def test_sends_the_same_bytes_as_two_messages(self, port: int, method: str) -> None:
        """Kept-alive and closing answers are byte for byte what uvicorn sends for the two ASGI
        messages."""
        answers = []
        for path in ("/plain", "/whole"):
            first = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            last = (
                f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
                f"0\r\n\r\n"
            )
            answers.append(await _talk(port, first + first + last))
        assert answers[0] == answers[1]
        assert answers[1].count(b"HTTP/1.1 200 OK") == 3

    async def test_refuses_a_header_that_breaks_its_line(self, port: int) -> None:
        """A line break in a header is a fault of ours and never reaches the client as one."""
        answer = await _talk(port, "GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500")
        assert b"y: b" not in answer

    async def test_sends_two_messages_elsewhere(self) -> None:
        """To any other server it speaks plain ASGI."""
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await send_whole(send, status=204, common=(), own=[], body=b"")  # type: ignore[arg-type]
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]
