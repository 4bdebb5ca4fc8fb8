"""URLs from outside, parsed strictly: a text that two parsers could read differently is refused."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from yarl import URL

from numdesk.kit.outgoing.policy import EgressPolicy, HttpFailure

#: Longest URL the vendors' APIs allow.
URL_CHARS_MAX = 2048

#: Ports of the web; a policy may add others.
USUAL_PORTS = frozenset({80, 443, 8443})

_DEFAULT_PORTS = {"http": 80, "https": 443}

# One pass over the whole text: no user info, no backslash, no control character, no fragment, no
# non-ASCII letter. The path and the query keep only what RFC 3986 allows there.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9._-]{1,253}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:\?(?P<query>(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*))?",
    re.ASCII,
)
_SCHEME = re.compile(r"https?", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)

# Why a text is no URL that we call, in the order in which it is looked for. None of them repeats a
# part of the text: it may hold a secret.
NOT_HTTPS = "The URL must begin with https://."
HAS_SPACE = "The URL must not hold spaces, line breaks or other control characters."
HOST_NOT_ASCII = "The URL's host must be ASCII; write an international name in its xn-- form."
NOT_ASCII = "The URL must be ASCII; write other characters as %XX."
HAS_BACKSLASH = "The URL must not hold a backslash."
HAS_FRAGMENT = "The URL must not hold a fragment (#...): it is never sent."
HAS_CREDENTIALS = "The URL must not hold a user name or a password (...@)."
NO_HOST = "The URL has no host."
BAD_PORT = "The URL's port must be a number from 1 to 65535."
BAD_HOST = "The URL's host is not a domain name."
BAD_CHARACTER = "The URL's path or query holds a character that must be written as %XX."


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
    """Return where `text` leads.

    Raise HttpFailure (`bad_url`) when it is unclear or the policy has no such door.

    Only the text is judged here. Addresses are judged when a connection is made.
    """
    if len(text) > URL_CHARS_MAX:
        raise HttpFailure("bad_url", f"The URL is longer than {URL_CHARS_MAX} characters.")
    match = _URL.fullmatch(text)
    if match is None:
        raise HttpFailure("bad_url", _fault_of(text))
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise HttpFailure("bad_url", NOT_HTTPS)
    host, is_address = _read_host(match["v6"], match["name"])
    port = _read_port(match["port"], scheme)
    if (host, port) not in policy.allowed:
        _check_door(scheme, port, policy)
    url = _rebuild(scheme, host, port, match["path"] or "/", match["query"])
    return Target(url=url, host=host, port=port, is_address=is_address)


def _fault_of(text: str) -> str:
    """Return why a text that is no URL of ours is none."""
    scheme, mark, rest = text.partition("://")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    host, _, port = (
        authority.rpartition(":") if re.search(r":[^\]]*$", authority) else (authority, "", "")
    )
    faults = (
        (any(ord(char) <= 0x20 or ord(char) == 0x7F or char.isspace() for char in text), HAS_SPACE),
        (not mark or _SCHEME.fullmatch(scheme) is None, NOT_HTTPS),
        (not authority.isascii(), HOST_NOT_ASCII),
        (not text.isascii(), NOT_ASCII),
        ("\\" in text, HAS_BACKSLASH),
        ("#" in text, HAS_FRAGMENT),
        ("@" in authority, HAS_CREDENTIALS),
        (not host, NO_HOST),
        (authority != host and not (port.isdigit() and len(port) <= 5), BAD_PORT),
        (_HOST.fullmatch(host) is None, BAD_HOST),
    )
    return next((sentence for is_so, sentence in faults if is_so), BAD_CHARACTER)


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
        raise HttpFailure("bad_url", BAD_HOST)
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 as loopback; only the plain
        # spelling passes.
        try:
            return str(ipaddress.IPv4Address(name)), True
        except ValueError:
            raise HttpFailure("bad_url", "The URL's host is not an IPv4 address.") from None
    return name.lower(), False


def _read_port(digits: str | None, scheme: str) -> int:
    """Return the port, written or implied."""
    port = _DEFAULT_PORTS[scheme] if digits is None else int(digits)
    if not 1 <= port <= 65_535:
        raise HttpFailure("bad_url", BAD_PORT)
    return port


def _check_door(scheme: str, port: int, policy: EgressPolicy) -> None:
    """Refuse plain http and unusual ports unless the policy has them."""
    if scheme == "http" and not policy.allow_http:
        raise HttpFailure("bad_url", NOT_HTTPS)
    ports = sorted(USUAL_PORTS | policy.extra_ports)
    if port not in ports:
        allowed = ", ".join(map(str, ports))
        raise HttpFailure(
            "bad_url", f"The URL's port {port} is not allowed; it must be one of {allowed}."
        )


def _rebuild(scheme: str, host: str, port: int, path: str, query: str | None) -> URL:
    """Build the URL again from the checked parts, so that the HTTP library cannot read another
    host."""
    netloc = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        netloc = f"{netloc}:{port}"
    tail = "" if query is None else f"?{query}"
    url = URL(f"{scheme}://{netloc}{path}{tail}", encoded=True)
    assert url.raw_host == host, "both readers see one host"
    assert url.port == port, "both readers see one port"
    return url
