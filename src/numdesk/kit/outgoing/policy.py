"""The words of outgoing HTTP: policies, answers, and the closed list of failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

FailureKind = Literal[
    "bad_url", "forbidden_address", "resolve", "connect", "tls", "timeout", "protocol", "too_large"
]

FAILURE_KINDS: frozenset[str] = frozenset(get_args(FailureKind))

#: Headers that decide where a message ends or whom it is for; they are ours to write.
OUR_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HttpFailure(Exception):
    """No answer came.

    `kind` is one of a closed list and `text` one sentence the owner of the URL may read.

    With `ours` the other side had no chance to answer: its name could not be looked up, there was
    no route, or this machine ran out of something. It says nothing about the other side.
    """

    def __init__(self, kind: FailureKind, text: str, *, ours: bool = False) -> None:
        """Keep the kind, the sentence, and whose failure it is."""
        super().__init__(kind, text)
        self.kind: FailureKind = kind
        self.text = text
        self.ours = ours

    def __str__(self) -> str:
        """Return the sentence with its kind before it."""
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """The bounds of a request: targets, time and size; equal policies share their connections."""

    allow_http: bool = False
    extra_ports: frozenset[int] = frozenset()
    #: Exact (host, port) pairs, spelled as in the URL, that pass every guard: an inbox of our own,
    #: or an address the operator wrote into the settings.
    allowed: frozenset[tuple[str, int]] = frozenset()
    total_timeout_s: float = 15.0
    connect_timeout_s: float = 5.0
    #: The answer is cut off after this many bytes (a status was seen; the rest is not worth our
    #: memory).
    answer_read_max: int = 64 * 1024
    #: Of what was read, this much is handed on.
    answer_keep_max: int = 2 * 1024
    #: False where the status line decides: a body that is broken, late or endless changes nothing
    #: then.
    needs_body: bool = True


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer of the other side; redirects are answers like any other and are never followed."""

    status: int
    body_head: bytes
    elapsed_ms: int
    #: The body was longer than `body_head`.
    is_cut: bool = False
    #: What a refusal (4xx, 5xx) says in Retry-After, as it was written.
    retry_after: str | None = None


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError for headers that would change whom a message is for or where it ends."""
    for name, value in headers.items():
        if name.lower() in OUR_HEADERS:
            raise ValueError(f"The header {name} is written by the sender itself.")
        if "\r" in value or "\n" in value or "\0" in value or "\r" in name or "\n" in name:
            raise ValueError("A header holds a line break.")
