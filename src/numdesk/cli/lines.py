"""The parent's lines to its children: over each it asks a child what it knows, such as its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

#: A child that is busy for longer than this is counted without.
PATIENCE_S = 2.0
#: An answer begins with its length in so many bytes.
LENGTH_BYTES = 8

Answers = Mapping[str, Callable[[], Coroutine[Any, Any, bytes]]]


class Line:
    """The parent's end of the line to one child, which may be restarted."""

    def __init__(self, name: str) -> None:
        """Begin without a child."""
        self.name = name
        #: Which child of this name it is: the first, the second...
        self.generation = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> socket.socket:
        """Returns the end that a new child gets; the end of the child before is closed."""
        self.close()
        ours, theirs = socket.socketpair()
        self._streams = await asyncio.open_connection(sock=ours)
        self.generation += 1
        return theirs

    def close(self) -> None:
        """Closes our end."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def ask(self, question: str) -> bytes | None:
        """Returns the child's answer, None when it is not there or too busy."""
        exchange = asyncio.create_task(
            self._exchange(question)
        )  # never cut short: the next answer would be taken for this one
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
    """Answers the parent's questions for the length of the block; `line` is the descriptor that the parent gave, if it did."""
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
