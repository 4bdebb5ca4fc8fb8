"""A plain, fast client of the smscode API for tests that send many requests at once and look at the
bytes of the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from tests.support.serving import Customer

#: No answer, however busy the machine, takes longer.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body byte for byte, and how long it took."""

    status: int
    body: bytes
    replayed: bool
    elapsed_s: float

    @property
    def data(self) -> Any:
        """The data of a success."""
        assert self.status == 200, f"{self.status} {self.body!r}"
        return json.loads(self.body)["data"]

    @property
    def code(self) -> str | None:
        """The code of a failure, None for a success."""
        return None if self.status == 200 else json.loads(self.body)["error"]["code"]


class Caller:
    """One customer's program.

    Raises aiohttp.ClientError or TimeoutError where no whole answer came.
    """

    def __init__(self, session: aiohttp.ClientSession, customer: Customer) -> None:
        """Speak as this customer."""
        self.customer = customer
        self._session = session

    async def get(self, path: str) -> Answer:
        """Sends a GET."""
        return await self._send("GET", path, None, {})

    async def post(self, path: str, body: object, *, key: str | None = None) -> Answer:
        """Sends a POST, with an idempotency key if there is one."""
        return await self._send(
            "POST", path, json.dumps(body).encode(), {"idempotency-key": key} if key else {}
        )

    async def orders(self) -> list[dict[str, Any]]:
        """Returns every order there is, newest first."""
        found: list[dict[str, Any]] = []
        while page := (await self.get(f"/v1/orders?limit=100&offset={len(found)}")).data:
            found.extend(page)
        return found

    async def balance(self) -> int:
        """Returns what can be spent."""
        return (await self.get("/v1/balance")).data["balance"]

    async def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        started = time.monotonic()
        url = self.customer.base_url + path
        async with self._session.request(
            method, url, data=body, headers={**self.customer.headers, **headers}
        ) as answer:
            content = await answer.read()
            return Answer(
                answer.status,
                content,
                "idempotency-replayed" in answer.headers,
                time.monotonic() - started,
            )


@asynccontextmanager
async def connections(count: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Yields a client of so many connections; a kept-alive one is used again."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE_S, sock_connect=PATIENCE_S)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=count), timeout=timeout
    ) as session:
        yield session
    await asyncio.sleep(0)  # the transports close in the next turn of the loop


async def all_at_once(
    caller: Caller, body: object, *, times: int, key: str | None = None
) -> list[Answer]:
    """Sends the same order many times, as parallel as there are connections."""
    return await asyncio.gather(
        *(caller.post("/v1/orders/create", body, key=key) for _ in range(times))
    )


def percentile_99_ms(answers: list[Answer]) -> float:
    """Returns the time that 99 in 100 answers did not exceed."""
    return round(
        sorted(answer.elapsed_s for answer in answers)[len(answers) * 99 // 100 - 1] * 1000, 1
    )
