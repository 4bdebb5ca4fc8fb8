"""A webhook receiver that is a process of its own and fails three times in ten: `python
tests/support/flaky_receiver.py LOG`.

It prints its port, then writes a line of JSON for every request it has read whole: delivery id,
digest of the body, the body, and what it did. It never fails a delivery more than FAILURES_MAX
times, nor one endpoint more than IN_A_ROW_MAX times in a row, so that the sender has no reason to
give a delivery up or to switch an endpoint off.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from collections import Counter
from typing import TextIO

FAILURES_MAX = 2
IN_A_ROW_MAX = 5
FAILING_SHARE = 0.3
WAYS = ("500", "503", "429", "reset", "close", "half")
STATUS_LINES = {"200": "200 OK", "500": "500 Oops", "503": "503 Busy", "429": "429 Slow Down"}


class Receiver:
    """What was received so far, and how the next one will be answered."""

    def __init__(self, log: TextIO) -> None:
        """Write to `log`."""
        self._log = log
        self._random = random.Random(3)
        self._failed: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection until it ends."""
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        path, delivery = head[0].split(" ")[1], headers["x-webhook-delivery"]
        way = self._choose(path, delivery)
        entry = {
            "path": path,
            "delivery": delivery,
            "way": way,
            "sha256": hashlib.sha256(body).hexdigest(),
            "body": body.decode(),
            "signature": headers.get("x-webhook-signature"),
        }
        self._log.write(json.dumps(entry) + "\n")
        self._log.flush()
        if way in STATUS_LINES:
            writer.write(
                f"HTTP/1.1 {STATUS_LINES[way]}\r\ncontent-length: 2\r\nretry-after: 1\r\n\r\nok".encode()
            )
            await writer.drain()
            return True
        if way == "half":
            writer.write(b"HTTP/1.1 20")
        if way == "reset":
            writer.transport.abort()
        return False

    def _choose(self, path: str, delivery: str) -> str:
        may_fail = self._failed[delivery] < FAILURES_MAX and self._in_a_row[path] < IN_A_ROW_MAX
        if not may_fail or self._random.random() >= FAILING_SHARE:
            self._in_a_row[path] = 0
            return "200"
        self._failed[delivery] += 1
        self._in_a_row[path] += 1
        return self._random.choice(WAYS)


async def main(log_path: str) -> None:
    """Serves until killed."""
    with open(log_path, "a") as log:  # noqa: PTH123, ASYNC230 - opened once, before anything is served
        server = await asyncio.start_server(Receiver(log).serve, "127.0.0.1", 0, backlog=1024)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
