"""Internet addresses that a customer may make us connect to: an explicit list, judged on numbers
and never on text.

The standard library's `is_global` and `is_private` are not used on purpose: Python 3.11 calls
multicast, 6to4, NAT64 of loopback and the metadata address of one cloud global, and the shared
range of carriers not private.
"""

import ipaddress
from functools import lru_cache

#: Ranges that a URL from outside must not lead to, each with its use.
FORBIDDEN_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network": Linux connects 0.0.0.0 to loopback
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; one cloud keeps its metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent
        "169.254.0.0/16",  # link-local, and the metadata address of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; another metadata address
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

#: Everything outside 2000::/3 is not the public internet, so it is forbidden whole; then the holes
#: inside it.
FORBIDDEN_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        # unspecified, loopback, v4-compatible, discard 100::/64, local NAT64 64:ff9b:1::/48
        "::/3",
        "2001::/23",  # protocol assignments, Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries any IPv4 address, and no one runs it any more
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
        "4000::/2",  # unassigned, segment routing 5f00::/16
        # unassigned, unique local fc00::/7, link-local fe80::/10, site-local, multicast
        "8000::/1",
    )
)

#: IPv6 addresses that stand for an IPv4 one in their last 32 bits; the kernel or a gateway connects
#: to that one.
CARRIERS_OF_V4 = (
    ipaddress.IPv6Network("::ffff:0:0/96"),  # v4-mapped
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64
)

_V4_BITS = 0xFFFF_FFFF


@lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether `address`, as a resolver or a URL spells it, may be connected to for a URL
    from outside.

    Text that is not a plain address (a name, a zone, an octal spelling) is not public.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        if any(parsed in network for network in CARRIERS_OF_V4):
            parsed = ipaddress.IPv4Address(int(parsed) & _V4_BITS)
        else:
            return not any(parsed in network for network in FORBIDDEN_V6)
    return not any(parsed in network for network in FORBIDDEN_V4)


def peer_group(address: str) -> str:
    """Return the key under which connections of one peer are counted: the address, or the /64 of an
    IPv6 one."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed in CARRIERS_OF_V4[0]:
        return str(ipaddress.IPv4Address(int(parsed) & _V4_BITS))
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
