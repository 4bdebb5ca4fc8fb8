"""A desk with its HTTP doors open: what tests of the dialects ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.desk import DeskOfTest

from numdesk.asgi import HttpApp, make_app
from numdesk.dialects import find_dialects
from numdesk.kit.outgoing.http import OutgoingHttp


class NoNames:
    """A resolver that knows nobody, so that no test ever asks a name server."""

    async def resolve(self, host: str, port: int) -> list[str]:
        """Finds nothing."""
        raise OSError(f"{host} is not known")

    async def close(self) -> None:
        """There is nothing to let go of."""


@pytest.fixture
async def app(desk: DeskOfTest) -> AsyncIterator[HttpApp]:
    """The application with every dialect, on a desk that cannot look up names."""
    dialects = find_dialects()
    desk.rt.renderers = {dialect.slug: dialect.renderer for dialect in dialects if dialect.renderer}
    kept, desk.rt.http = desk.rt.http, OutgoingHttp(desk.clock, resolver=NoNames())
    yield make_app(desk.rt, dialects=dialects, mounts={})
    await desk.rt.http.close()
    desk.rt.http = kept


@pytest.fixture
async def client(app: HttpApp) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client whose requests go straight to the application."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://desk.test"
    ) as opened:
        yield opened
