"""The listening sockets, and which machines reach them."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

import uvicorn

from numdesk.asgi import make_app
from numdesk.bootstrap import Desk
from numdesk.callbacks import routes as callbacks
from numdesk.cli.outcome import CommandRefused
from numdesk.config import ANY_HOST, PORT_MAX, Address, Settings
from numdesk.kit.descriptors import raise_limit, room_for_connections
from numdesk.kit.incoming.connection_limits import ConnectionLimits
from numdesk.kit.incoming.guarded_protocol import make_protocol
from numdesk.kit.incoming.proxies import TrustedProxies
from numdesk.kit.log import get_logger
from numdesk.sandbox.inbox import Inbox
from numdesk.sandbox.routes import PREFIX, SandboxDoor, make_routes
from numdesk.sandbox.topups import GATEWAYS
from numdesk.usecases.orders import changes
from numdesk.usecases.webhooks import deliveries
from numdesk.workers import runner

#: Connections waiting to be accepted.
BACKLOG = 2048
#: Time for requests under way after the stop signal.
GRACE_S = 8

#: Advice if an address cannot be used.
REMEDY = "choose another address with --listen"
OPS_REMEDY = "choose another address with NUMDESK_OPS_LISTEN, or NUMDESK_OPS_LISTEN=off"

_log = get_logger(__name__, "connections_max", "descriptors")


@contextmanager
def claim_port(address: Address, *, shared: bool) -> Iterator[socket.socket]:
    """Yield a socket on the address, which no other program may use. Raises CommandRefused.

    A `shared` one only reserves the port: the answering processes open their own sockets on it.
    """
    with _bound(address, shared=False) as probe:
        if not shared:
            _listen(probe, address)
            yield probe
            return
        address = replace(address, port=probe.getsockname()[1])
    with _bound(address, shared=True) as reserved:
        yield reserved


@contextmanager
def listen_socket(address: Address, *, shared: bool) -> Iterator[socket.socket]:
    """Yield a listening socket on the address; a `shared` one has siblings.

    Raises CommandRefused.
    """
    with _bound(address, shared=shared) as listener:
        _listen(listener, address)
        yield listener


@contextmanager
def ops_socket(settings: Settings) -> Iterator[socket.socket | None]:
    """Yield the operators' listening socket, or None without one.

    `settings.listen` has the customers' actual port. Raises CommandRefused if an address that was
    configured is in use.
    """
    wanted = settings.ops_listen
    if isinstance(wanted, Address):
        with _bound(wanted, shared=False, remedy=OPS_REMEDY) as listener:
            _listen(listener, wanted, remedy=OPS_REMEDY)
            yield listener
        return
    with ExitStack() as stack:
        listener = None
        if wanted is None:
            try:
                address = _next_port(settings.listen)
                listener = stack.enter_context(_bound(address, shared=False, remedy=OPS_REMEDY))
                _listen(listener, address, remedy=OPS_REMEDY)
            except CommandRefused as refused:
                _log.warning("no listener for operators", reason=str(refused))
                listener = None
        yield listener


def _next_port(address: Address) -> Address:
    if address.port == PORT_MAX:
        raise CommandRefused(
            f"Port {address.port} is the last one, so operators have no next port: {OPS_REMEDY}."
        )
    return Address("127.0.0.1", address.port + 1)


def is_loopback(host: str) -> bool:
    """Return whether the host, or every address of its name, is this machine only.

    A name without addresses counts as this machine.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return True  # opening the socket is refused with the reason
    return all(ip_address(str(place[0]).partition("%")[0]).is_loopback for *_, place in found)


def reached_by_others(settings: Settings) -> str | None:
    """Return our first address that other machines can reach, or None.

    That is the listening address, or the public URL.
    """
    if not is_loopback(settings.listen.host):
        return str(settings.listen)
    if settings.public_url and not _means_this_machine(
        urlsplit(settings.public_url).hostname or ""
    ):
        return settings.public_url
    return None


def _means_this_machine(host: str) -> bool:
    """Return whether a URL's host means this machine on every machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(listener: socket.socket, host: str) -> Address:
    """Return the address of a socket, with its actual port."""
    return Address(host, listener.getsockname()[1])


def _bound(address: Address, *, shared: bool, remedy: str = REMEDY) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _refused(address, error, remedy) from error
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind(place)
    except OSError as error:
        opened.close()
        raise _refused(address, error, remedy) from error
    return opened


def _listen(bound: socket.socket, address: Address, *, remedy: str = REMEDY) -> None:
    try:
        bound.listen(BACKLOG)
    except OSError as error:
        raise _refused(address, error, remedy) from error


def _refused(address: Address, error: OSError, remedy: str) -> CommandRefused:
    if error.errno == errno.EADDRINUSE:
        return CommandRefused(
            f"{address} is in use by another program: stop that one, or {remedy}."
        )
    return CommandRefused(f"{address} cannot be opened for listening ({error.strerror}): {remedy}.")


def connection_limits(settings: Settings, *, descriptors: int) -> ConnectionLimits:
    """Return the limits of connections from the settings, within this process's descriptors."""
    return ConnectionLimits(
        connections_max=min(settings.connections_max, room_for_connections(descriptors)),
        connections_per_peer_max=settings.connections_per_peer_max,
        head_s=settings.head_s,
        body_s=settings.body_s,
        idle_s=settings.idle_s,
        proxies=TrustedProxies(settings.trusted_proxies),
    )


class _Server(uvicorn.Server):
    """uvicorn's server, with its signal handlers off."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


class HttpServer:
    """The HTTP server of one process."""

    def __init__(self, desk: Desk, settings: Settings, listener: socket.socket) -> None:
        """Build the application; it answers during `run`."""
        self._inbox = Inbox(settings.data / "inbox.sqlite") if desk.simulation else None
        mounts = {callbacks.PREFIX: callbacks.make_callbacks(desk.rt)}
        mounts |= {f"{GATEWAYS}/{slug}": fake.app for slug, fake in desk.gateways.items()}
        base_url = base_url_of(settings.listen)
        if desk.simulation and self._inbox:
            sandbox = SandboxDoor(
                desk.rt,
                desk.simulation,
                desk.terms(),
                base_url,
                self._inbox,
                runner.run_due,
                desk.gateways,
            )
            mounts[PREFIX] = make_routes(sandbox)
            allow_inbox(desk, settings)
        descriptors = raise_limit()
        limits = connection_limits(settings, descriptors=descriptors)
        _log.info(
            "connection limits",
            connections_max=limits.connections_max,
            descriptors=descriptors,
        )
        app = make_app(desk.rt, dialects=desk.dialects, mounts=mounts)
        self.readiness = app.readiness
        config = uvicorn.Config(
            app,
            http=make_protocol(limits),
            ws="none",
            lifespan="on",
            loop="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._rt = desk.rt
        self._listener = listener
        self._server = _Server(config)

    async def run(self, stop: asyncio.Event, *, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until `stop` is set, then finish the requests under way.

        Calls `ready` when the first request can be answered.
        """
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        stopping = asyncio.create_task(stop.wait())
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._server.should_exit = True
        changes.close(self._rt)  # end all waits for order changes, which would delay the stop
        stopping.cancel()
        await serving
        if self._inbox:
            self._inbox.close()


def allow_inbox(desk: Desk, settings: Settings) -> None:
    """Let webhooks of a sandbox reach its own inbox and the configured targets.

    Other addresses of this machine and its network stay forbidden.
    """
    if not desk.sandbox:
        return
    address = settings.listen
    hosts = {address.host, "127.0.0.1", "localhost"} if address.host in ANY_HOST else {address.host}
    targets = [(target.host, target.port) for target in settings.sandbox_webhook_targets]
    deliveries.allow(
        desk.rt, addresses=[*((host, address.port) for host in sorted(hosts)), *targets]
    )


def base_url_of(address: Address) -> str:
    """Return the server's URL for programs on this machine."""
    return address.local_url
