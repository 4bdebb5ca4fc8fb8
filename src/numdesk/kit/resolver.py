"""Turns a name into addresses, and refuses the name when any of its addresses is not public."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from aiohttp.abc import AbstractResolver, ResolveResult

from numdesk.kit.addresses import is_public
from numdesk.kit.egress import EgressPolicy, HttpFailure

#: Look-ups under way at one time. Each holds a thread for as long as a slow name server likes, so they get a pool
#: of their own: one customer's dead name server must not stop the event loop's other threads.
LOOKUPS_MAX = 16

#: Of a name's checked addresses, this many are tried.
ADDRESSES_TRIED_MAX = 4


class Resolver(Protocol):
    """Knows names."""

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`; raise OSError when it has none."""
        ...

    async def close(self) -> None:
        """Let go of what the look-ups need."""
        ...


class SystemResolver:
    """Asks the operating system, as every other program on the machine does."""

    def __init__(self) -> None:
        """Make the pool; threads start with the first look-ups."""
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="resolve")

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host` without repeats, in the system's order of preference."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port)

    async def close(self) -> None:
        """Start no more look-ups; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedResolver(AbstractResolver):
    """What the HTTP library asks before each new connection: every address is judged, then only those are used."""

    def __init__(self, resolver: Resolver, policy: EgressPolicy) -> None:
        """Judge what `resolver` finds by `policy`."""
        self._resolver = resolver
        self._policy = policy
        #: Addresses that a name of the policy's own list led to; `may_connect` lets them through.
        self._excused: set[tuple[str, int]] = set(policy.allowed)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - asked by the base
    ) -> list[ResolveResult]:
        """Return the checked addresses of `host`; raise HttpFailure (`resolve`, `forbidden_address`)."""
        addresses = await self.addresses_of(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses[:ADDRESSES_TRIED_MAX]
        ]

    async def addresses_of(self, host: str, port: int) -> list[str]:
        """Return all addresses of `host`, each of them judged; one bad among good ones spoils the name."""
        try:
            addresses = await self._resolver.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise HttpFailure("resolve", "The host's name was not found.") from error
        if not addresses:
            raise HttpFailure("resolve", "The host's name has no address.")
        if (host, port) in self._policy.allowed:
            self._excused.update((address, port) for address in addresses)
        elif not all(is_public(address) for address in addresses):
            # The excuse is the listed name's: another name that leads to the same address does not share it.
            raise _forbidden()
        return addresses

    def check_address(self, address: str, port: int) -> None:
        """Raise HttpFailure (`forbidden_address`) unless a connection to `address` may be made."""
        if not is_public(address) and (address, port) not in self._excused:
            raise _forbidden()

    async def close(self) -> None:
        """Leave the inner resolver to its owner."""


def _forbidden() -> HttpFailure:
    """Return the failure; its text names no address, so that nobody maps our network with it."""
    return HttpFailure("forbidden_address", "The host's address is not on the public internet.")


def _addresses(host: str, port: int) -> list[str]:
    """Ask the operating system, in a thread, and leave out repeats."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for _, _, _, _, sockaddr in found))
