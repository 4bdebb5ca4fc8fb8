"""Whose word on a caller's address we take: the reverse proxies that the operator names, and nobody else's."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

#: More proxies than this do not stand in a row; what lies behind them is not looked at.
HOPS_MAX = 16


class TrustedProxies:
    """The networks of the proxies; `address in proxies` asks whether one of them is calling."""

    def __init__(self, networks: Iterable[Network]) -> None:
        """Trust these, and only these."""
        self._networks = tuple(networks)

    def __contains__(self, address: object) -> bool:
        """Is this the address of one of the proxies?"""
        parsed = _parse(address) if isinstance(address, str) else None
        return parsed is not None and self._trusts(parsed)

    def client_of(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """Returns who is behind the peer, by the values of its X-Forwarded-For headers in their order.

        Every proxy adds at the right whom it was called by, so the list is true from the right for as long as proxies wrote it: the
        first address that is none of theirs is the client, and whatever that one claims itself is not looked at. A word that is no
        address ends the walk at the last proxy, too.
        """
        address = _parse(peer)
        if address is None or not self._trusts(address):
            return peer
        for word in reversed(b",".join(forwarded).rsplit(b",", HOPS_MAX)):
            before = _parse(word.strip().decode("latin-1"))
            if before is None:
                break
            address = before
            if not self._trusts(address):
                break
        return str(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Returns an address, an IPv4 one that is mapped into IPv6 as IPv4; None for text that is none, or that names a zone."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv4Address):
        return parsed
    return None if parsed.scope_id is not None else parsed.ipv4_mapped or parsed
