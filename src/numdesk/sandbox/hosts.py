"""The host names that the sandbox API answers to."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from numdesk.sandbox import wire


class OwnHostOnly:
    """A filter that refuses requests sent to another host name.

    A web page whose name was pointed at this machine could read the tokens otherwise (DNS
    rebinding).
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[bytes]) -> None:
        """Wrap `app`."""
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or pass the request on."""
        said = [value.lower() for name, value in scope.get("headers", ()) if name == b"host"]
        if scope["type"] == "http" and not (len(said) == 1 and said[0] in self._hosts):
            refusal = wire.refuse(
                403,
                "host_not_allowed",
                "The Host header must be the address that the sandbox API listens on, or "
                "localhost.",
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def own_hosts(base_url: str) -> frozenset[bytes]:
    """Return the Host headers that a client on this machine may send for this URL.

    Browsers leave out the port of plain http.
    """
    place = urlsplit(base_url)
    port = place.port or 80
    hosts = [place.netloc.removesuffix(f":{port}"), "localhost", "127.0.0.1", "[::1]"]
    names = [f"{host}:{port}" for host in hosts] + (hosts if port == 80 else [])
    return frozenset(name.lower().encode("ascii") for name in names)
