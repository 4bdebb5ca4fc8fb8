"""Names what went wrong with a request, and says whether it was the other side's failure or
ours."""

import errno
import re
import ssl

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from numdesk.kit.outgoing.policy import FailureKind, HttpFailure

# The order matters: a failed handshake is also a failed connection, and both are also an OSError.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], FailureKind, str], ...] = (
    ((TimeoutError,), "timeout", "The host did not answer in time."),
    (
        (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError),
        "tls",
        "The host's certificate or TLS handshake was refused.",
    ),
    ((aiohttp.ClientConnectorDNSError,), "resolve", "The host's name was not found."),
    (
        (aiohttp.ClientConnectorError,),
        "connect",
        "The host refused the connection or could not be reached.",
    ),
    ((aiohttp.InvalidURL,), "bad_url", "The URL is not well-formed."),
)

#: The network that we are on led nowhere, or a rule of this machine forbade it.
_NO_ROUTE = frozenset(
    {
        errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EAFNOSUPPORT,
        errno.EACCES, errno.EPERM,
    }
)  # fmt: skip

#: This machine ran out of descriptors, ports, memory or threads.
_EXHAUSTED = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.EADDRINUSE,
        errno.EAGAIN,
    }
)

#: How the HTTP library writes the errors of several addresses into one text.
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def name_failure(error: Exception) -> HttpFailure:
    """Return the one word and the sentence for what the HTTP library raised."""
    if _is_too_large(error):
        return HttpFailure("too_large", "The answer's headers are too large.")
    is_tls = isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError))
    causes = frozenset() if is_tls else _errnos(error)
    if isinstance(error, (RuntimeError, MemoryError)) or (causes and causes <= _EXHAUSTED):
        return HttpFailure("connect", "This machine could not make the connection.", ours=True)
    if causes and causes <= _NO_ROUTE | _EXHAUSTED:
        return HttpFailure("connect", "There is no route to the host.", ours=True)
    for kinds, kind, sentence in _FAILURES:
        if isinstance(error, kinds):
            return HttpFailure(kind, sentence, ours=kind == "resolve")
    return HttpFailure("protocol", "The connection broke or the answer was not HTTP.")


def _errnos(error: Exception) -> frozenset[int]:
    """Return the system's error numbers behind a failure, one for each address that was tried."""
    number = error.errno if isinstance(error, OSError) else None
    return frozenset({number}) if number else frozenset(map(int, _ERRNO.findall(str(error))))


def _is_too_large(error: Exception) -> bool:
    """Return whether the answer's head broke a bound.

    For the number of lines the library has words but no type.
    """
    if not isinstance(error, aiohttp.ClientResponseError):
        return False
    return isinstance(error.__cause__, LineTooLong) or error.message.startswith(
        ("Got more than", "Too many headers")
    )
