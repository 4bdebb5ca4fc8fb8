"""Callers: who a request is from, remembered by each process."""

from __future__ import annotations

from dataclasses import replace

from numdesk.domain.customers import tokens
from numdesk.domain.customers.callers import Caller
from numdesk.domain.errors import NotAuthenticated
from numdesk.runtime import Batch, ProcessState, Runtime
from numdesk.storage.customers import callers as rows
from numdesk.storage.customers import keys as key_rows
from numdesk.usecases.customers.keys import secret_context

#: What is remembered of callers is dropped when their version changes (looked at four times a
#: second); this bounds the harm of a look that failed.
MEMORY_AGE_MAX_S = 60.0


#: More remembered callers than this are dropped at once, so that a flood of keys cannot fill the
#: memory.
REMEMBERED_MAX = 50_000


#: As many tokens that are nobody's are remembered apart, so that a flood of them pushes no caller
#: out.
UNKNOWN_MAX = 10_000
#: Callers looked up by one query.
CALLERS_MAX = 256


class _Remembered(dict[bytes, Caller]):
    """Callers by token, and tokens that are nobody's.

    Filled between two versions of the customers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unknown: set[bytes] = set()

    def note_unknown(self, token: bytes) -> None:
        """Remember that a token is nobody's."""
        if len(self.unknown) >= UNKNOWN_MAX:
            self.unknown.clear()
        self.unknown.add(token)


def remembered(rt: Runtime, token: bytes, *, dialect: str) -> Caller | None:
    """Return the caller when this process knows the token already; never waits."""
    known: _Remembered | None = rt.memory.peek("customers.callers", age_max_s=MEMORY_AGE_MAX_S)
    caller = known.get(token) if known is not None else None
    return caller if caller is not None and caller.dialect == dialect else None


#: Ids of the keys that were used since they were last written down.
_USED_KEYS = ProcessState[set[int]](lambda _: set())


async def authenticate(rt: Runtime, token: bytes, *, dialect: str) -> Caller:
    """Return who the token belongs to. Raises NotAuthenticated.

    Requests that wait together are looked up together.
    """
    if not tokens.looks_genuine(token):
        raise NotAuthenticated
    known: _Remembered = await rt.memory.get(
        "customers.callers", _nothing_known, age_max_s=MEMORY_AGE_MAX_S
    )
    if token in known.unknown:
        raise NotAuthenticated
    caller = known.get(token)
    if caller is None:
        caller = await _CALLERS.submit(rt, rt.keys.fingerprint(token))
        if caller is None:
            known.note_unknown(token)
            raise NotAuthenticated
        if len(known) >= REMEMBERED_MAX:
            known.clear()
        known[token] = caller
        _USED_KEYS.of(rt).add(caller.key_id)
    if caller.dialect != dialect:
        raise NotAuthenticated
    return caller


async def _read_callers(rt: Runtime, hashes: list[bytes]) -> list[Caller | None]:
    """Return the caller of each token by its hash, None for an unknown one."""
    found = await rt.repeat("customers.authenticate", lambda tx: rows.callers(tx, hashes))
    return [_opened(rt, found.get(hashed), hashed) for hashed in hashes]


_CALLERS = Batch(_read_callers, batch_max=CALLERS_MAX)


async def note_used_keys(rt: Runtime) -> None:
    """Write down, to the hour, which keys were used since the last call."""
    pending = _USED_KEYS.of(rt)
    used = sorted(pending)
    pending.clear()
    if used:
        await rt.run(
            "customers.note_used_keys",
            lambda tx: key_rows.touch_keys(tx, used, now=rt.clock.wall()),
        )


async def _nothing_known() -> _Remembered:
    return _Remembered()


def _opened(rt: Runtime, caller: Caller | None, hashed: bytes) -> Caller | None:
    """Return the caller with its secret opened."""
    if caller is None or caller.secret is None:
        return caller
    return replace(caller, secret=rt.keys.open(caller.secret, context=secret_context(hashed)))
