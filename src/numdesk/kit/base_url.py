"""The address that an operator gave for an upstream: the one place that its calls may go to, and how much an answer may cost us."""

from __future__ import annotations

from urllib.parse import urlsplit

from numdesk.kit.egress import EgressPolicy

#: A company's servers answer the knock sooner than this, whatever they are asked.
CONNECT_S = 5.0

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORTS = {"http": 80, "https": 443}


def check_base_url(url: str) -> None:
    """Raises ValueError, saying what is allowed, unless a URL is https, or plain http to this machine, and something can be added to it."""
    place = urlsplit(url)
    _ = place.port  # raises ValueError for one that is none
    is_plain = place.scheme == "http" and place.hostname in _LOOPBACK
    is_bare = not (place.query or place.fragment or place.username or place.password or url.endswith("/"))
    if not place.hostname or not is_bare or not (place.scheme == "https" or is_plain):
        raise ValueError("base_url must be https://..., or http://127.0.0.1:PORT..., without a slash at its end")


def policy_for(base_url: str, *, timeout_s: float, answer_bytes_max: int) -> EgressPolicy:
    """Returns where calls below a checked base URL may go: to its host and port, which may be on this machine if it says so, or public."""
    place = urlsplit(base_url)
    assert place.hostname is not None, "the URL was checked"
    port = place.port or _PORTS[place.scheme]
    is_ours = place.hostname in _LOOPBACK
    return EgressPolicy(
        allowed=frozenset({(place.hostname, port)}) if is_ours else frozenset(),
        extra_ports=frozenset({port}),
        total_timeout_s=timeout_s,
        connect_timeout_s=min(timeout_s, CONNECT_S),
        answer_read_max=answer_bytes_max,
        answer_keep_max=answer_bytes_max,
    )
