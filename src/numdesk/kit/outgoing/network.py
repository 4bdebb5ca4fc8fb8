"""Says whether this task may talk to the network now.

Code that holds something precious open forbids it.
"""

from contextvars import ContextVar, Token
from types import TracebackType

_forbidden_by: ContextVar[str | None] = ContextVar("network_forbidden_by", default=None)


class NetworkForbidden(AssertionError):
    """A network call was made where none may be made.

    A fault of the program, never of its input.
    """


class forbid_network:  # noqa: N801 - reads as a verb where it is used: `with forbid_network("orders.create"):`
    """Forbid network calls inside the block, and in tasks started inside it, in the name of
    `reason`.

    A class with slots and not a generator: it stands around every transaction and costs a third of
    contextlib's decorator.
    """

    __slots__ = ("_reason", "_token")

    def __init__(self, reason: str) -> None:
        """Remember in whose name the network is forbidden."""
        self._reason = reason
        self._token: Token[str | None] | None = None

    def __enter__(self) -> None:
        """Begin to forbid."""
        self._token = _forbidden_by.set(self._reason)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Restore the state before the block."""
        assert self._token is not None, "left before it was entered"
        _forbidden_by.reset(self._token)
        self._token = None


def network_forbidden_by() -> str | None:
    """Return who forbids network calls in this task, or None."""
    return _forbidden_by.get()


def assert_network_allowed() -> None:
    """Raise NetworkForbidden when this task holds something that must not wait for the network."""
    reason = _forbidden_by.get()
    if reason is not None:
        raise NetworkForbidden(f"A network call was made inside {reason!r}.")
