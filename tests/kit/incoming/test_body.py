"""Rules of reading a body up to a bound."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.incoming.body import BodyGuard, BodyTooLarge, ClientGone, Message, read_body


def scope_of(*headers: tuple[bytes, bytes], path: str = "/") -> dict[str, Any]:
    """Return a request's scope."""
    return {"type": "http", "path": path, "headers": list(headers)}


class Pieces:
    """A `receive` that gives a body piece by piece and then the client's leave."""

    def __init__(self, pieces: Iterable[bytes], *, is_whole: bool = True) -> None:
        """Give `pieces`; without an end when they are not the whole body."""
        parts = list(pieces) or [b""]
        self.messages: list[Message] = [
            {
                "type": "http.request",
                "body": part,
                "more_body": not is_whole or index < len(parts) - 1,
            }
            for index, part in enumerate(parts)
        ]
        self.calls = 0

    async def __call__(self) -> Message:
        """Return the next message."""
        self.calls += 1
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}


class TestReadBody:
    @given(st.lists(st.binary(max_size=20), max_size=8), st.integers(min_value=0, max_value=100))
    async def test_returns_the_pieces_joined_or_refuses_by_their_length(
        self, pieces: list[bytes], bytes_max: int
    ) -> None:
        """A body is returned exactly when it is within the bound, however it is cut."""
        whole = b"".join(pieces)
        if len(whole) <= bytes_max:
            assert await read_body(scope_of(), Pieces(pieces), bytes_max=bytes_max) == whole
        else:
            with pytest.raises(BodyTooLarge):
                await read_body(scope_of(), Pieces(pieces), bytes_max=bytes_max)

    @pytest.mark.parametrize("length", [b"11", b"9" * 5000])
    async def test_refuses_an_announced_length_before_reading(self, length: bytes) -> None:
        """What says that it is too long is not read at all."""
        receive = Pieces([b"x"])
        with pytest.raises(BodyTooLarge):
            await read_body(scope_of((b"content-length", length)), receive, bytes_max=10)
        assert receive.calls == 0

    async def test_stops_reading_at_the_bound(self) -> None:
        """An endless body is left as soon as the bound is broken."""
        receive = Pieces([b"x" * 10] * 100, is_whole=False)
        with pytest.raises(BodyTooLarge):
            await read_body(scope_of(), receive, bytes_max=25)
        assert receive.calls == 3

    async def test_tells_when_the_client_went_away(self) -> None:
        """Half a body is never taken for a whole one."""
        for pieces in (Pieces([b"half"], is_whole=False), Pieces([b""], is_whole=False)):
            with pytest.raises(ClientGone):
                await read_body(scope_of(), pieces, bytes_max=10)


class TestBodyGuard:
    async def _run(
        self, body: list[bytes], *, answers_first: bool = False, path: str = "/"
    ) -> list[Message]:
        """Run an application that joins its body behind a guard of ten bytes (a hundred on
        /upload)."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if answers_first:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            while (await receive()).get("more_body"):
                pass
            if not answers_first:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        guard = BodyGuard(app, bytes_max_for=lambda path: 100 if path == "/upload" else 10)
        await guard(scope_of(path=path), Pieces(body), send)
        return said

    async def test_lets_small_bodies_pass(self) -> None:
        """Within the bound the application is alone with its client."""
        assert [m.get("status") for m in await self._run([b"12345", b"67890"])] == [200, None]

    async def test_answers_413_for_the_application(self) -> None:
        """Beyond the bound the guard answers and ends the connection."""
        said = await self._run([b"12345", b"67890", b"1"])
        assert said[0]["status"] == 413
        assert (b"connection", b"close") in said[0]["headers"]

    async def test_has_a_bound_for_each_path(self) -> None:
        """The bound is the path's own."""
        assert (await self._run([b"x" * 100], path="/upload"))[0]["status"] == 200
        assert (await self._run([b"x" * 101], path="/upload"))[0]["status"] == 413

    async def test_does_not_answer_twice(self) -> None:
        """An application that has begun to answer gets the failure itself."""
        with pytest.raises(BodyTooLarge):
            await self._run([b"x" * 11], answers_first=True)

    async def test_ends_quietly_when_the_client_is_gone(self) -> None:
        """A client that went away in mid-body is no fault worth a traceback."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await read_body(scope, receive, bytes_max=10)

        async def send(message: Message) -> None:
            raise AssertionError(message)

        await BodyGuard(app, bytes_max_for=lambda _path: 10)(
            scope_of(), Pieces([b"half"], is_whole=False), send
        )

    async def test_leaves_other_kinds_of_traffic_alone(self) -> None:
        """Start-up and shut-down messages pass untouched."""
        seen: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])

        async def send(message: Message) -> None:
            raise AssertionError(message)

        await BodyGuard(app, bytes_max_for=lambda _path: 0)({"type": "lifespan"}, Pieces([]), send)
        assert seen == ["lifespan"]
