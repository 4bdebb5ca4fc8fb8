"""Descriptors: the number that this process may have, and the share for clients' connections."""

import contextlib
import os
import resource

#: What the database, calls to other hosts, files and listening sockets need; of a small limit they
#: get half.
RESERVE = 256
#: A system that sets no limit at all is taken at this one.
LIMIT_MAX = 1 << 20


def raise_limit() -> int:
    """Raise the limit to what the system allows at most, and return the limit that holds now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LIMIT_MAX if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return LIMIT_MAX if soft == resource.RLIM_INFINITY else min(soft, LIMIT_MAX)


def room_for_connections(descriptors: int) -> int:
    """Return how many connections of clients so many descriptors allow."""
    return descriptors - min(RESERVE, descriptors // 2)


def is_one_left() -> bool:
    """Return whether one more descriptor could be had."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
