"""Turns a name into addresses, and refuses the name when any of its addresses is not public."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Protocol

import aiodns
import pycares
from aiohttp.abc import AbstractResolver, ResolveResult

from numdesk.kit.outgoing.addresses import is_public
from numdesk.kit.outgoing.policy import EgressPolicy, HttpFailure

#: How long one name server is waited for, and how often it is asked.
NAME_SERVER_S = 1.0
NAME_SERVER_TRIES = 2

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
    """Asks the name servers of /etc/resolv.conf, after /etc/hosts.

    It waits without a thread: `getaddrinfo` of the system holds one for as long as a slow name
    server likes.
    """

    def __init__(self, servers: Sequence[str] | None = None) -> None:
        """Ask `servers` (HOST:PORT) or those of the configuration, which is read at the first
        look-up and when it changes."""
        self._servers = servers
        self._dns: aiodns.DNSResolver | None = None

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host` without repeats, in the order of preference."""
        try:
            if self._dns is None:
                self._dns = aiodns.DNSResolver(
                    self._servers, timeout=NAME_SERVER_S, tries=NAME_SERVER_TRIES
                )
            found = await self._dns.getaddrinfo(host, port=port, type=socket.SOCK_STREAM)
        except (aiodns.error.DNSError, pycares.AresError) as error:
            raise OSError(f"{host} was not found: {error.args[-1]}") from error
        return list(dict.fromkeys(node.addr[0].decode("ascii") for node in found.nodes))

    async def close(self) -> None:
        """End the look-ups under way."""
        if self._dns is not None:
            await self._dns.close()


class CheckedResolver(AbstractResolver):
    """The resolver that the HTTP library calls before each new connection: every address is judged,
    then only those are used."""

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
        """Return the checked addresses of `host`.

        Raise HttpFailure (`resolve`, `forbidden_address`).
        """
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
        """Return all addresses of `host`, each of them judged.

        One bad among good ones spoils the name.
        """
        try:
            async with asyncio.timeout(self._policy.connect_timeout_s):
                addresses = await self._resolver.resolve(host, port)
        except TimeoutError as error:
            raise _unresolved("The host's name servers did not answer in time.") from error
        except (OSError, UnicodeError) as error:
            raise _unresolved("The host's name was not found.") from error
        if not addresses:
            raise _unresolved("The host's name has no address.")
        if (host, port) in self._policy.allowed:
            self._excused.update((address, port) for address in addresses)
        elif not all(is_public(address) for address in addresses):
            # The excuse is the listed name's: another name that leads to the same address does not
            # share it.
            raise _forbidden()
        return addresses

    def check_address(self, address: str, port: int) -> None:
        """Raise HttpFailure (`forbidden_address`) unless a connection to `address` may be made."""
        if not is_public(address) and (address, port) not in self._excused:
            raise _forbidden()

    async def close(self) -> None:
        """Leave the inner resolver to its owner."""


def _unresolved(text: str) -> HttpFailure:
    """Return the failure of a look-up: name servers stand between us and the host, so it is not the
    host's."""
    return HttpFailure("resolve", text, ours=True)


def _forbidden() -> HttpFailure:
    """Return the failure; its text names no address, so that nobody maps our network with it."""
    return HttpFailure("forbidden_address", "The host's address is not on the public internet.")
