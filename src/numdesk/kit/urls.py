"""Reads a URL a stranger gave us, strictly: whatever two readers could understand differently is refused."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from yarl import URL

from numdesk.kit.egress import EgressPolicy, HttpFailure

#: Longest URL the vendors' APIs allow.
URL_CHARS_MAX = 2048

#: Ports of the web; a policy may add others.
USUAL_PORTS = frozenset({80, 443, 8443})

_DEFAULT_PORTS = {"http": 80, "https": 443}

# One pass over the whole text: no user info, no backslash, no control character, no fragment, no non-ASCII letter.
# The path and the query keep only what RFC 3986 allows there.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?P<query>(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*))?",
    re.ASCII,
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read and found well-formed: where to connect and what to ask for."""

    url: URL
    host: str
    port: int
    #: The host is an address and not a name, so nothing will be resolved.
    is_address: bool


@lru_cache(maxsize=4096)
def parse_url(text: str, policy: EgressPolicy) -> Target:
    """Return where `text` leads; raise HttpFailure (`bad_url`) when it is unclear or the policy has no such door.

    Only the text is judged here. Addresses are judged when a connection is made.
    """
    if len(text) > URL_CHARS_MAX:
        raise HttpFailure("bad_url", f"The URL is longer than {URL_CHARS_MAX} characters.")
    match = _URL.fullmatch(text)
    if match is None:
        raise HttpFailure("bad_url", "The URL is not well-formed.")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise HttpFailure("bad_url", "The URL must begin with https://.")
    host, is_address = _read_host(match["v6"], match["name"])
    port = _read_port(match["port"], scheme)
    if (host, port) not in policy.allowed:
        _check_door(scheme, port, policy)
    url = _rebuild(scheme, host, port, match["path"] or "/", match["query"])
    return Target(url=url, host=host, port=port, is_address=is_address)


def _read_host(v6: str | None, name: str | None) -> tuple[str, bool]:
    """Return the host in its one spelling, and whether it is an address."""
    if v6 is not None:
        try:
            return str(ipaddress.IPv6Address(v6)), True
        except ValueError:
            raise HttpFailure("bad_url", "The URL's host is not an IPv6 address.") from None
    assert name is not None, "the expression has two branches"
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise HttpFailure("bad_url", "The URL's host is not a domain name.")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 as loopback; only the plain spelling passes.
        try:
            return str(ipaddress.IPv4Address(name)), True
        except ValueError:
            raise HttpFailure("bad_url", "The URL's host is not an IPv4 address.") from None
    return name.lower(), False


def _read_port(digits: str | None, scheme: str) -> int:
    """Return the port, written or implied."""
    port = _DEFAULT_PORTS[scheme] if digits is None else int(digits)
    if not 1 <= port <= 65_535:
        raise HttpFailure("bad_url", "The URL's port is not between 1 and 65535.")
    return port


def _check_door(scheme: str, port: int, policy: EgressPolicy) -> None:
    """Refuse plain http and unusual ports unless the policy has them."""
    if scheme == "http" and not policy.allow_http:
        raise HttpFailure("bad_url", "The URL must begin with https://.")
    if port not in USUAL_PORTS and port not in policy.extra_ports:
        raise HttpFailure("bad_url", f"Port {port} is not one of those allowed.")


def _rebuild(scheme: str, host: str, port: int, path: str, query: str | None) -> URL:
    """Write the URL anew from the parts that were judged, so that the HTTP library cannot read another host."""
    netloc = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    tail = "" if query is None else f"?{query}"
    url = URL(f"{scheme}://{netloc}{path}{tail}", encoded=True)
    assert url.raw_host == host, "both readers see one host"
    assert url.port == port, "both readers see one port"
    return url
