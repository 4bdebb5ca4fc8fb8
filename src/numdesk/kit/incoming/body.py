"""Reads a request's body up to a bound that the door decides.

The time bound is the connection guard's.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SENTENCE = b"The body is too large.\n"


class BodyTooLarge(Exception):
    """The body is longer than the door takes; the door answers it in its own words."""

    def __init__(self, bytes_max: int) -> None:
        """Keep the bound that was broken."""
        super().__init__(f"The body is longer than {bytes_max} bytes.")
        self.bytes_max = bytes_max


class ClientGone(Exception):
    """The client went away, or was sent away, before its body was whole.

    Nobody is left to answer.
    """


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Return the whole body.

    Raise BodyTooLarge (before reading, when the length is announced) or ClientGone.
    """
    check_announced(scope["headers"], bytes_max=bytes_max)
    message = await receive()
    first = _piece(message)
    if not message.get("more_body", False):
        if len(first) > bytes_max:
            raise BodyTooLarge(bytes_max)
        return first
    body = bytearray(first)
    while message.get("more_body", False):
        if len(body) > bytes_max:
            raise BodyTooLarge(bytes_max)
        message = await receive()
        body += _piece(message)
    if len(body) > bytes_max:
        raise BodyTooLarge(bytes_max)
    return bytes(body)


def check_announced(headers: Iterable[tuple[bytes, bytes]], *, bytes_max: int) -> None:
    """Raise BodyTooLarge when the announced length is beyond the bound."""
    for name, value in headers:
        if name == b"content-length":
            if len(value) > 18 or int(value) > bytes_max:
                raise BodyTooLarge(bytes_max)
            return


class BodyGuard:
    """Wraps an application that reads bodies by itself.

    `bytes_max_for` says how much each path takes.
    """

    def __init__(self, app: App, *, bytes_max_for: Callable[[str], int]) -> None:
        """Guard `app`."""
        self._app = app
        self._bytes_max_for = bytes_max_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application.

        Answer 413 when it reads too much, and nobody when the client is gone.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        bytes_max = self._bytes_max_for(scope["path"])
        has_answered = False

        async def watched_send(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            check_announced(scope["headers"], bytes_max=bytes_max)
            await self._app(scope, bounded(receive, bytes_max=bytes_max), watched_send)
        except ClientGone:
            return
        except BodyTooLarge:
            if has_answered:
                raise
            await _send_too_large(send)


def bounded(receive: Receive, *, bytes_max: int) -> Receive:
    """Return a `receive` that raises BodyTooLarge once more than `bytes_max` came through it."""
    left = bytes_max

    async def receive_bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge(bytes_max)
        return message

    return receive_bounded


def _piece(message: Message) -> bytes:
    """Return the bytes of one message, or raise ClientGone."""
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b"")


async def _send_too_large(send: Send) -> None:
    """Answer 413 and end the connection: the rest of the body is still on its way."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_SENTENCE)).encode("ascii")),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _SENTENCE})
