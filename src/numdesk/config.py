"""Settings: the only reader of the environment; every field says what it is for."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Literal, get_args

from numdesk.faults import OperatorError

LogFormat = Literal["json", "text"]
ForeignMessages = Literal["withhold", "deliver"]
PartialDiscount = Literal["frozen", "reached"]
LogLevel = Literal["debug", "info", "warning", "error"]

PROVIDER_PREFIX = "NUMDESK_PROVIDER_"
#: How the names of the variables begin that steer the programs of PostgreSQL.
POSTGRES_PREFIX = "PG"
PORT_MAX = 65_535
#: Hosts that stand for every address of this machine.
ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
#: What is added to it must fit into the 255 characters that gateways allow.
PUBLIC_URL_CHARS_MAX = 200
DISCOUNT_MAX_BP = 5_000
COUNT_DIGITS_MAX = 15


class SettingRefused(OperatorError, ValueError):
    """A setting has a value that cannot be used.

    The text is a sentence for the operator: it names the setting, the value and the accepted ones.
    """

    def __init__(self, name: str, value: str, wanted: str) -> None:
        """Make the sentence from the name, the value found and the accepted ones."""
        super().__init__(f"{name}={value!r} cannot be used: it must be {wanted}.")
        self.name = name


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write the address the way it was given, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local_url(self) -> str:
        """The URL at which a program on this machine finds who listens here."""
        return f"http://127.0.0.1:{self.port}" if self.host in ANY_HOST else f"http://{self}"


def parse_address(text: str) -> Address:
    """Read HOST:PORT, or [::1]:PORT for IPv6; raises ValueError naming the accepted values."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise ValueError("HOST:PORT, for example 127.0.0.1:8080")
    return Address(host, int(port))


def parse_ops_listen(text: str) -> Address | Literal["off"]:
    """Read HOST:PORT or off; raises ValueError naming the accepted values."""
    try:
        return "off" if text == "off" else parse_address(text)
    except ValueError as error:
        raise ValueError("HOST:PORT, for example 127.0.0.1:8081, or off") from error


def parse_addresses(text: str) -> tuple[Address, ...]:
    """Read HOST:PORT,HOST:PORT; raises ValueError naming the accepted values."""
    try:
        return tuple(parse_address(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise ValueError("HOST:PORT, several of them with commas between") from error


def parse_networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks such as 10.0.0.0/8,2001:db8::7.

    Raises ValueError naming the accepted values.
    """
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise ValueError(
            "addresses or networks such as 10.0.0.0/8, several of them with commas between"
        ) from error


def parse_switch(text: str) -> bool:
    """Read on or off; raises ValueError saying so."""
    if text not in ("on", "off"):
        raise ValueError("on or off")
    return text == "on"


def parse_public_url(text: str) -> str:
    """Read a URL without anything after its path, and without a slash at its end.

    Raises ValueError naming the accepted values.
    """
    if (
        not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[A-Za-z0-9._~\-]+)*", text)
        or len(text) > PUBLIC_URL_CHARS_MAX
    ):
        raise ValueError(
            f"http(s)://HOST[:PORT][/PATH] of at most {PUBLIC_URL_CHARS_MAX} characters"
        )
    return text


def parse_tiers(text: str) -> tuple[tuple[int, int], ...]:
    """Read AMOUNT:BASIS_POINTS,...: 50000:1000 gives 10 % from 500.00 on.

    Raises ValueError naming the accepted values.
    """
    pairs = [part.strip().split(":") for part in text.split(",")]
    if not all(
        len(pair) == 2 and all(_is_count(word) for word in pair) and int(pair[1]) <= DISCOUNT_MAX_BP
        for pair in pairs
    ):
        raise ValueError(
            f"AMOUNT:BASIS_POINTS in minor units, up to {DISCOUNT_MAX_BP}, several of them with "
            f"commas between"
        )
    return tuple((int(least), int(discount)) for least, discount in _once_each(pairs))


def parse_amounts(text: str) -> tuple[tuple[str, int], ...]:
    """Read NAME:AMOUNT,... in minor units; raises ValueError naming the accepted values."""
    pairs = [part.strip().split(":") for part in text.split(",")]
    if not all(len(pair) == 2 and pair[0] and _is_count(pair[1]) for pair in pairs):
        raise ValueError("NAME:AMOUNT in minor units, several of them with commas between")
    return tuple((name, int(amount)) for name, amount in _once_each(pairs))


def _once_each(pairs: list[list[str]]) -> list[list[str]]:
    """Return the pairs; raises ValueError when two of them are about one thing."""
    if len({int(name) if _is_count(name) else name for name, _ in pairs}) < len(pairs):
        raise ValueError("a list that names each thing before a colon once")
    return pairs


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= COUNT_DIGITS_MAX


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if (
            not text.isascii()
            or not text.isdigit()
            or not least <= int(text[:10]) <= most
            or len(text) > len(str(most))
        ):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _setting(env: str, read: Callable[[str], Any], *, default: Any, help: str) -> Any:  # noqa: A002 - the word of every CLI
    shown = env != "NUMDESK_DATABASE_URL"  # it holds a password, and settings are logged
    return field(default=default, repr=shown, metadata={"env": env, "read": read, "help": help})


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the environment; `numdesk --help` shows the help text of each field."""

    database_url: str | None = _setting(
        "NUMDESK_DATABASE_URL",
        str,
        default=None,
        help="URL of a PostgreSQL 15 or newer; without it numdesk runs its own in the data folder",
    )
    data: Path = _setting(
        "NUMDESK_DATA",
        _path,
        default=Path("var/numdesk"),
        help="the data folder: the embedded database, keys and uploads; one running numdesk each",
    )
    listen: Address = _setting(
        "NUMDESK_LISTEN",
        parse_address,
        default=Address("127.0.0.1", 8080),
        help="HOST:PORT that HTTP is answered on",
    )
    ops_listen: Address | Literal["off"] | None = _setting(
        "NUMDESK_OPS_LISTEN",
        parse_ops_listen,
        default=None,
        help=(
            "HOST:PORT of /metrics and the details of /readyz, or off; default: 127.0.0.1 and the "
            "port after NUMDESK_LISTEN's"
        ),
    )
    rate_limits: bool = _setting(
        "NUMDESK_RATE_LIMITS",
        parse_switch,
        default=True,
        help="on or off; off is honoured in sandbox mode only, for load tests",
    )
    sandbox_webhook_targets: tuple[Address, ...] = _setting(
        "NUMDESK_SANDBOX_WEBHOOK_TARGETS",
        parse_addresses,
        default=(),
        help=(
            "HOST:PORT,... that webhooks of the sandbox may reach, by plain http too, like its "
            "own inbox; for tests"
        ),
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        "NUMDESK_TRUSTED_PROXIES",
        parse_networks,
        default=(),
        help=(
            "networks of reverse proxies, with commas between, whose X-Forwarded-For is believed; "
            "default: nobody's"
        ),
    )
    connections_max: int = _setting(
        "NUMDESK_CONNECTIONS_MAX",
        _whole(1, 1_000_000),
        default=20_000,
        help=(
            "connections that one process holds at once, if its descriptors allow; beyond it idle "
            "ones are closed, else 503"
        ),
    )
    connections_per_peer_max: int = _setting(
        "NUMDESK_CONNECTIONS_PER_PEER_MAX",
        _whole(1, 1_000_000),
        default=256,
        help=(
            "connections of one address (of one /64 for IPv6) at once; our own machine and "
            "trusted proxies are not counted"
        ),
    )
    head_s: int = _setting(
        "NUMDESK_HEAD_TIMEOUT_S",
        _whole(1, 3600),
        default=10,
        help="seconds that a client may take for the head of a request",
    )
    body_s: int = _setting(
        "NUMDESK_BODY_TIMEOUT_S",
        _whole(1, 3600),
        default=10,
        help="seconds that a client may take for the body of a request",
    )
    idle_s: int = _setting(
        "NUMDESK_IDLE_TIMEOUT_S",
        _whole(1, 3600),
        default=75,
        help="seconds that a connection may be idle; more than the reverse proxy keeps it",
    )
    texts_kept_days: int = _setting(
        "NUMDESK_TEXTS_KEPT_DAYS",
        _whole(1, 3650),
        default=30,
        help="days after which texts and codes of SMS are deleted; orders and money stay",
    )
    clock_behind_max_h: int = _setting(
        "NUMDESK_CLOCK_BEHIND_MAX_H",
        _whole(0, 168),
        default=168,
        help=(
            "hours that the system clock may be behind the books and is waited for at half speed; "
            "beyond it counts at once"
        ),
    )
    foreign_messages: ForeignMessages = _setting(
        "NUMDESK_FOREIGN_MESSAGES",
        _one_of(get_args(ForeignMessages)),
        default="withhold",
        help=(
            "withhold or deliver messages that are recognised as another service's than the "
            "number was bought for"
        ),
    )
    log: LogFormat = _setting(
        "NUMDESK_LOG",
        _one_of(get_args(LogFormat)),
        default="text",
        help="json for machines, text for people",
    )
    log_level: LogLevel = _setting(
        "NUMDESK_LOG_LEVEL",
        _one_of(get_args(LogLevel)),
        default="info",
        help="the least important lines to write: debug, info, warning or error",
    )
    rental_refund_h: int = _setting(
        "NUMDESK_RENTAL_REFUND_H",
        _whole(0, 10_000),
        default=24,
        help="hours in which a cancelled rental without a message is refunded; 0 never",
    )
    rental_days_max: int = _setting(
        "NUMDESK_RENTAL_DAYS_MAX",
        _whole(1, 3_660),
        default=365,
        help="days that a rental may last in one go, its extensions included",
    )
    public_url: str | None = _setting(
        "NUMDESK_PUBLIC_URL",
        parse_public_url,
        default=None,
        help=(
            "where payment gateways reach this server from outside; without it they are only "
            "asked, and never call back"
        ),
    )
    topup_lifetime_s: int = _setting(
        "NUMDESK_TOPUP_LIFETIME_S",
        _whole(300, 43_200),
        default=3_600,
        help="seconds that the invoice of a top-up may be paid at its rate",
    )
    topup_minimum: int = _setting(
        "NUMDESK_TOPUP_MINIMUM",
        _whole(1, 10**9),
        default=10_000,
        help="the least top-up in minor units, where the next setting says nothing",
    )
    topup_minimums: tuple[tuple[str, int], ...] = _setting(
        "NUMDESK_TOPUP_MINIMUMS",
        parse_amounts,
        default=(("cryptomus", 500),),
        help=(
            "the least top-up by payment gateway, such as cryptomus:500,nowpayments:10000 (minor "
            "units)"
        ),
    )
    topup_discounts: tuple[tuple[int, int], ...] = _setting(
        "NUMDESK_TOPUP_DISCOUNTS",
        parse_tiers,
        default=((10_000, 500), (50_000, 1_000), (200_000, 1_200), (500_000, 1_500)),
        help="discounts on top-ups by what is credited: 50000:1000 is 10 percent from 500.00 on",
    )
    topup_overpaid_bp: int = _setting(
        "NUMDESK_TOPUP_OVERPAID_BP",
        _whole(0, 10_000_000),
        default=1_000_000,
        help=(
            "basis points of a top-up by which paying too much is credited; what is beyond waits "
            "for staff"
        ),
    )
    topup_partial_discount: PartialDiscount = _setting(
        "NUMDESK_TOPUP_PARTIAL_DISCOUNT",
        _one_of(get_args(PartialDiscount)),
        default="frozen",
        help=(
            "the discount on what was paid too little: frozen is that of the top-up, reached that "
            "of what was really paid"
        ),
    )
    topup_dust: int = _setting(
        "NUMDESK_TOPUP_DUST",
        _whole(0, 10**9),
        default=100,
        help="minor units below which a payment is not credited but waits for staff",
    )
    topup_underpaid: bool = _setting(
        "NUMDESK_TOPUP_UNDERPAID",
        parse_switch,
        default=True,
        help="on: what was paid too little is credited for what it is; off: it waits for staff",
    )
    topup_grace_h: int = _setting(
        "NUMDESK_TOPUP_GRACE_H",
        _whole(0, 720),
        default=24,
        help="hours after the end of an invoice in which a payment still counts at its rate",
    )
    topup_open_max: int = _setting(
        "NUMDESK_TOPUP_OPEN_MAX",
        _whole(1, 1_000_000),
        default=50,
        help="top-ups of one customer that may wait for money at a time",
    )
    key_file: Path | None = _setting(
        "NUMDESK_KEY_FILE",
        _path,
        default=None,
        help=(
            "the file with the key that seals stored secrets; default: secret.key in the data "
            "folder"
        ),
    )

    @property
    def key_path(self) -> Path:
        """The file with the key that seals stored secrets."""
        return self.key_file or self.data / "secret.key"

    @property
    def guarded_paths(self) -> frozenset[Path]:
        """Entries of the data folder with a guard of their own: the key file is refused when others
        may read it, PostgreSQL keeps its cluster."""
        return frozenset({self.key_path, self.data / "postgres"})


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting from the environment (or from the mapping given).

    An empty value counts as not set.

    Raises SettingRefused.
    """
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place that may
    found: dict[str, Any] = {}
    for spec in fields(Settings):
        env = spec.metadata["env"]
        if text := source.get(env, "").strip():
            try:
                found[spec.name] = spec.metadata["read"](text)
            except ValueError as wanted:
                raise SettingRefused(env, text, str(wanted)) from wanted
    return Settings(**found)


def describe_settings() -> list[tuple[str, str]]:
    """List the environment variables with their help texts, for `--help` and the docs."""
    return [(spec.metadata["env"], spec.metadata["help"]) for spec in fields(Settings)]


def provider_settings(slug: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Collect what the environment says to one provider: NUMDESK_PROVIDER_<SLUG>_HOST becomes
    {"host": ...}."""
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place that may
    prefix = _provider_prefix(slug)
    return {
        name.removeprefix(prefix).lower(): text
        for name, text in source.items()
        if name.startswith(prefix)
    }


def unused_variables(
    providers: Collection[str], environ: Mapping[str, str] | None = None
) -> list[str]:
    """List the variables of the environment that look like settings of ours and set nothing, given
    the providers' slugs."""
    source = os.environ if environ is None else environ  # noqa: TID251 - the one place that may
    known = {spec.metadata["env"] for spec in fields(Settings)}
    prefixes = tuple(_provider_prefix(slug) for slug in providers)
    return sorted(
        name
        for name in source
        if name.startswith("NUMDESK_") and name not in known and not name.startswith(prefixes)
    )


def _provider_prefix(slug: str) -> str:
    return f"{PROVIDER_PREFIX}{slug.upper().replace('-', '_')}_"


def forget_postgres_environment() -> None:
    """Remove the variables of PostgreSQL's programs (PGHOSTADDR...) from this process: NUMDESK_*
    alone says which database is used."""
    for name in [name for name in os.environ if name.startswith(POSTGRES_PREFIX)]:  # noqa: TID251 - the one place that may
        del os.environ[name]  # noqa: TID251 - the one place that may


def environment_for_child(**more: str) -> dict[str, str]:
    """Return the environment for a program of PostgreSQL: this process's without variables that
    steer such programs, and some more."""
    return {
        name: text
        for name, text in os.environ.items()  # noqa: TID251
        if not name.startswith(POSTGRES_PREFIX)
    } | more
