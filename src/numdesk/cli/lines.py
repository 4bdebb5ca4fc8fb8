"""The parent's sockets to its child processes, over which it asks for their metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

#: Time limit for a child's answer; the parent goes on without a slower one.
PATIENCE_S = 2.0
#: The length of an answer's length prefix, in bytes.
LENGTH_BYTES = 8

Answers = Mapping[str, Callable[[], Coroutine[Any, Any, bytes]]]


class Line:
    """The parent's end of the socket to one child, which may be restarted."""

    def __init__(self, name: str) -> None:
        """Begin without a child."""
        self.name = name
        #: The number of children so far under this name.
        self.generation = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> socket.socket:
        """Return the end for a new child; close the end of the previous child."""
        self.close()
        ours, theirs = socket.socketpair()
        self._streams = await asyncio.open_connection(sock=ours)
        self.generation += 1
        return theirs

    def close(self) -> None:
        """Close the parent's end."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, question: str) -> bytes | None:
        """Return the child's answer, or None if it is absent or too busy."""
        exchange = asyncio.create_task(
            self._exchange(question)
        )  # never cancelled: the next question would get this answer
        done, _ = await asyncio.wait({exchange}, timeout=PATIENCE_S)
        return exchange.result() if done else None

    async def _exchange(self, question: str) -> bytes | None:
        async with self._turn:
            if self._streams is None:
                return None
            reader, writer = self._streams
            try:
                writer.write(f"{question}\n".encode("ascii"))
                length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
                return await reader.readexactly(length)
            except (OSError, EOFError):
                return None


@asynccontextmanager
async def answering(line: int | None, answers: Answers) -> AsyncIterator[None]:
    """Answer the parent's questions during the block.

    `line` is the descriptor that the parent passed, or None.
    """
    if line is None:
        yield
        return
    task = asyncio.create_task(_answer(line, answers))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task


async def _answer(line: int, answers: Answers) -> None:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=line))
    try:
        while question := await reader.readline():
            answer = await answers[question.decode("ascii").strip()]()
            writer.write(len(answer).to_bytes(LENGTH_BYTES, "big") + answer)
            await writer.drain()
    finally:
        writer.close()
