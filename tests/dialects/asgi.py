"""Calls an ASGI application the way a server does, one message at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from numdesk.kit.incoming.body import App


@dataclass
class Exchange:
    """One request and what came back."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] = (b"",)
    client: str = "192.0.2.1"
    gone: bool = False
    sent: list[Any] = field(default_factory=list)
    #: Pieces of the body that the application did not ask for.
    unread: int = 0

    async def run(self, app: App) -> Exchange:
        """Runs the request and returns itself."""
        pieces = list(self.pieces)

        async def receive() -> dict[str, Any]:
            if not pieces or (self.gone and len(pieces) == 1):
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            self.sent.append(message)

        await app(self.scope(), receive, send)
        self.unread = len(pieces)
        return self

    def scope(self) -> dict[str, Any]:
        """Returns what the server tells the application."""
        path, _, query = self.path.partition("?")
        return {
            "type": "http", "method": self.method, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in self.headers.items()], "client": (self.client, 1),
        }  # fmt: skip

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.sent[0]["status"]

    @property
    def body(self) -> bytes:
        """The whole body of the answer."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    def header(self, name: str) -> str | None:
        """Returns a header of the answer, None when it is not there.

        There is never more than one of a name.
        """
        found = [value.decode() for key, value in self.sent[0]["headers"] if key == name.encode()]
        assert len(found) <= 1, f"{name} is there twice"
        return found[0] if found else None
