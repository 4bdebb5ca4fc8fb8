"""Trusted proxies: only those that the operator names may tell a caller's address."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

#: More proxies than this do not stand in a row; what lies behind them is not looked at.
HOPS_MAX = 16
PORT_MAX = 65_535

# An address of either kind, which some proxies write with the port it called from:
# 203.0.113.7:51234, [2001:db8::1]:443, [2001:db8::1].
_with_port = re.compile(
    r"(?:\[(?P<v6>[^\]]*:[^\]]*)\]|(?P<v4>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII
).fullmatch


class TrustedProxies:
    """The networks of the proxies; `address in proxies` asks whether one of them is calling."""

    def __init__(self, networks: Iterable[Network]) -> None:
        """Trust these, and only these."""
        self._networks = tuple(networks)

    def __contains__(self, address: object) -> bool:
        """Return whether this is the address of one of the proxies."""
        parsed = _parse(address) if isinstance(address, str) else None
        return parsed is not None and self._trusts(parsed)

    def client_of(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """Return who is behind the peer, by the values of its X-Forwarded-For headers in their
        order.

        Every proxy adds at the right whom it was called by, so the list is true from the right for
        as long as proxies wrote it: the first address that is none of theirs is the client, and
        whatever that one claims itself is not looked at. A word that is no address (an address with
        a zone is none: it means something to one machine only) ends the walk at the last proxy,
        too.
        """
        address = _parse(peer.partition("%")[0])
        if address is None or not self._trusts(address):
            return peer
        for word in reversed(b",".join(forwarded).rsplit(b",", HOPS_MAX)):
            before = _parse_word(word.strip(b" \t").decode("latin-1"))
            if before is None:
                break
            address = before
            if not self._trusts(address):
                break
        return str(address)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


class ClientShares:
    """Counts the requests that are under way for each client behind the proxies: there, connections
    are the proxies'."""

    def __init__(self, *, each_max: int) -> None:
        """Let every client have `each_max` requests under way."""
        self._each_max = each_max
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def hold(self, client: str) -> Iterator[bool]:
        """Count a request for the length of the block.

        Yield False, and count nothing, when the client has its share already.
        """
        if self._under_way[client] >= self._each_max:
            yield False
            return
        self._under_way[client] += 1
        try:
            yield True
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]


def _parse_word(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address of one word of the header, without brackets and port.

    None for a word that is none.
    """
    found = _with_port(text)
    if found is None:
        return _parse(text)
    return _parse(found["v6"] or found["v4"]) if int(found["port"] or 0) <= PORT_MAX else None


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, an IPv4 one that is mapped into IPv6 as IPv4.

    None for text that is none, or that names a zone.
    """
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, IPv4Address):
        return parsed
    return None if parsed.scope_id is not None else parsed.ipv4_mapped or parsed
