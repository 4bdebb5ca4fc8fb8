"""Reads the URL of an external database as an operator writes it.

Nothing that it refuses is shown, because any part may be a password.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from numdesk.storage.database.faults import DatabaseUrlRefused

PORT_MAX = 65_535
#: Parameters that asyncpg and the programs of PostgreSQL both understand.
USED = frozenset(
    {
        "application_name", "database", "dbname", "gsslib", "host", "krbsrvname", "options", "passfile", "password", "port",
        "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcrl", "sslkey", "sslmode", "sslnegotiation",
        "sslrootcert", "target_session_attrs", "user",
    }
)  # fmt: skip
#: Parameters that change nothing here: numdesk has time-outs of its own, speaks UTF-8 and tries
#: what is preferred. Each with the values that it may have; none named: any.
UNUSED: dict[str, tuple[str, ...]] = {
    "channel_binding": ("disable", "prefer"),
    "client_encoding": ("utf8", "utf-8", "auto"),
    "connect_timeout": (),
    "fallback_application_name": (),
    "gssencmode": ("disable", "prefer"),
    "keepalives": (),
    "keepalives_count": (),
    "keepalives_idle": (),
    "keepalives_interval": (),
    "load_balance_hosts": ("disable",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
    "tcp_user_timeout": (),
}
#: Parameters of libpq that asyncpg cannot honour, or that would show a secret in the list of
#: processes.
UNSUPPORTED = frozenset(
    {
        "channel_binding", "client_encoding", "gssdelegation", "gssencmode", "hostaddr", "load_balance_hosts", "max_protocol_version",
        "min_protocol_version", "oauth_client_id", "oauth_client_secret", "oauth_issuer", "oauth_scope", "replication", "require_auth",
        "requirepeer", "requiressl", "scram_client_key", "scram_server_key", "service", "servicefile", "sslcertmode", "sslcompression",
        "sslcrldir", "sslkeylogfile", "sslpassword", "sslsni",
    }
)  # fmt: skip
#: Where systems keep the certificates that they trust, beside the place that OpenSSL was built
#: with.
_TRUSTED = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

_SHAPE = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_ENCODE = "write / ? # @ : and % of a user or a password as %2F %3F %23 %40 %3A %25"


def read_database_url(text: str) -> str:
    """Return the URL in the form that asyncpg and the programs of PostgreSQL understand.

    Raises DatabaseUrlRefused.
    """
    url = text.strip()
    if url[:1] in "'\"" and url:
        raise DatabaseUrlRefused("has quotes around it: take them off")
    if not url.isprintable() or " " in url:
        raise DatabaseUrlRefused(
            f"has blanks or control characters; the form is {_SHAPE} (not host=... password=...)"
        )
    if not url.lower().startswith(("postgresql://", "postgres://")):
        raise DatabaseUrlRefused(
            f"does not begin with postgresql://; the form is {_SHAPE} (not host=... password=...)"
        )
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise DatabaseUrlRefused(
            f"has a host in brackets that is not an IPv6 address; {_ENCODE}"
        ) from error
    if (
        parts.fragment
        or url.endswith("#")
        or parts.netloc.count("@") > 1
        or "@" in parts.path
        or "@" in parts.query
    ):
        raise DatabaseUrlRefused(f"has a # or @ where none can be; {_ENCODE}")
    who, at, where = parts.netloc.rpartition("@")
    _check_hosts(where)
    _check_escapes(who + parts.path)
    query = _parameters(parts.query)
    return f"postgresql://{who}{at}{where}{parts.path}" + (f"?{query}" if query else "")


def split_password(url: str) -> tuple[str, str | None]:
    """Return the URL without its password, and the password: arguments of a program can be read by
    everybody on its machine."""
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    options = [(option, *option.partition("=")[::2]) for option in parts.query.split("&")]
    found = [value for _, name, value in options if name == "password"] or (
        [password] if password else []
    )
    query = "&".join(option for option, name, _ in options if name != "password")
    # The library drops the slashes before an empty host, so the URL is put together by hand.
    bare = f"{parts.scheme}://{user}{at}{where}{parts.path}" + (f"?{query}" if query else "")
    return bare, unquote(found[-1]) if found else None


def place_of(url: str) -> str:
    """Return host, port and database of a URL that was read, for people.

    Never its user or password.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    where = given.get("host") or parts.netloc.rpartition("@")[2] or "the local socket"
    database = given.get("dbname") or given.get("database") or parts.path.removeprefix("/")
    port = (
        ""
        if ":" in where.rpartition("]")[2] or where.startswith("/")
        else f":{given.get('port', '5432')}"
    )
    return f"{unquote(where)}{port}/{unquote(database)}"


def _check_hosts(where: str) -> None:
    """Check HOST[:PORT][,HOST[:PORT]...]. Raises DatabaseUrlRefused."""
    for host in where.split(","):
        _, colon, port = host.rpartition("]")[2].rpartition(":")
        if colon:
            _check_port(port)


def _check_port(text: str) -> None:
    if not (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(PORT_MAX))
        and 1 <= int(text) <= PORT_MAX
    ):
        raise DatabaseUrlRefused(f"has a port that is not a number from 1 to {PORT_MAX}; {_ENCODE}")


def _check_escapes(text: str) -> None:
    """Check that % is always followed by two hexadecimal digits of UTF-8 without NUL.

    Raises DatabaseUrlRefused.
    """
    plain = unquote(text)
    if re.search("%(?![0-9A-Fa-f]{2})", text) or "\ufffd" in plain or "\0" in plain:
        raise DatabaseUrlRefused(
            f"has a % that does not begin an escaped character of UTF-8; {_ENCODE}"
        )


def _parameters(query: str) -> str:
    """Return the parameters that are passed on, checked. Raises DatabaseUrlRefused."""
    try:
        given = (
            parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
            if query
            else []
        )
    except ValueError as error:
        raise DatabaseUrlRefused(
            f"has parameters that are not NAME=VALUE with & between; {_ENCODE}"
        ) from error
    kept = dict(pair for pair in given if not _is_unused(*pair))
    if kept.get("sslrootcert") == "system":
        kept["sslrootcert"] = _system_certificates()
        if kept.setdefault("sslmode", "verify-full") != "verify-full":
            raise DatabaseUrlRefused("has sslrootcert=system, which needs sslmode=verify-full")
    for port in kept.get("port", "").split(",") if "port" in kept else ():
        _check_port(port)
    return urlencode(kept, quote_via=quote, safe="/")


def _is_unused(name: str, value: str) -> bool:
    """Do a parameter change nothing here?

    Raises DatabaseUrlRefused for one that cannot be honoured.
    """
    if name in USED:
        return False
    if name in UNUSED and (not UNUSED[name] or value.lower() in UNUSED[name]):
        return True
    if name in UNSUPPORTED:
        only = f" (only {' or '.join(UNUSED[name])})" if name in UNUSED else ""
        raise DatabaseUrlRefused(
            f"has the parameter {name}, which numdesk does not support{only}: take it out"
        )
    raise DatabaseUrlRefused(
        f"has a parameter that PostgreSQL does not know; known are {', '.join(sorted(USED))}"
    )


def _system_certificates() -> str:
    """Return the file of the certificates that the system trusts.

    Raises DatabaseUrlRefused when there is none.
    """
    for path in (ssl.get_default_verify_paths().cafile, *_TRUSTED):
        if path and Path(path).is_file():
            return path
    raise DatabaseUrlRefused(
        "has sslrootcert=system, but this system has no file of trusted certificates: name one"
    )
