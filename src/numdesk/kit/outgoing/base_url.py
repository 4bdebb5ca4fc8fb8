"""The address that an operator gave for an upstream: the one place that its calls may go to, and
how much an answer may cost us."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from numdesk.kit.outgoing.addresses import is_public
from numdesk.kit.outgoing.policy import EgressPolicy

#: A company's servers answer the knock sooner than this, whatever they are asked.
CONNECT_S = 5.0

_PORTS = {"http": 80, "https": 443}


def check_base_url(url: str) -> None:
    """Raise ValueError, naming the accepted values, unless a URL is one that paths can be added to,
    by TLS or to an address of our own."""
    place = urlsplit(url)
    _ = place.port  # raises ValueError for one that is none
    is_plain = place.scheme == "http" and _is_ours(place.hostname or "")
    is_bare = not (
        place.query or place.fragment or place.username or place.password or url.endswith("/")
    )
    if not place.hostname or not is_bare or not (place.scheme == "https" or is_plain):
        raise ValueError(
            "base_url must be https://..., or http:// with an address of this machine or network, "
            "without a slash at its end"
        )


def policy_for(base_url: str, *, timeout_s: float, answer_bytes_max: int) -> EgressPolicy:
    """Return where calls below a checked base URL may go: to its host and port, and there only.

    A name has to lead to the public internet; an address of this machine or network is excused,
    with that one port.
    """
    place = urlsplit(base_url)
    assert place.hostname is not None, "the URL was checked"
    port = place.port or _PORTS[place.scheme]
    is_ours = _is_ours(place.hostname)
    return EgressPolicy(
        allowed=frozenset({(place.hostname, port)}) if is_ours else frozenset(),
        extra_ports=frozenset({port}),
        total_timeout_s=timeout_s,
        connect_timeout_s=min(timeout_s, CONNECT_S),
        answer_read_max=answer_bytes_max,
        answer_keep_max=answer_bytes_max,
    )


def _is_ours(host: str) -> bool:
    """Return whether this is an address of this machine or of a private network."""
    try:
        return not is_public(str(ipaddress.ip_address(host)))
    except ValueError:
        return host == "localhost"
