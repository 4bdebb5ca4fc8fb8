"""Guards the front door against slow, endless and ambiguous clients, at almost no cost to the
honest ones.

A subclass of uvicorn's httptools protocol. uvicorn alone keeps a silent connection open for ever
and takes a header of any size; a reverse proxy would stop both, but the product is used without
one. There is no timer per connection: every connection carries a deadline counted in ticks, and one
sweep per tick closes those that are over it.
"""

import re
import socket
import struct
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from numdesk.kit.incoming.connection_limits import (
    BAD_REQUEST,
    BODY_TOO_LARGE,
    BUSY,
    HEAD_TOO_LARGE,
    NOT_A_PROXY,
    TIMED_OUT,
    TOO_MANY_FROM_PEER,
    UNKNOWN_METHOD,
    URL_TOO_LONG,
    VERSION_NOT_SUPPORTED,
    ConnectionLimits,
)
from numdesk.kit.incoming.connections import NEVER, ConnectionRegister

# Which of the headers that may stand once were seen, as bits: those that frame a message, and those
# that say who asks and under which key, where a proxy in front might take the first and we the
# last.
_HOST, _LENGTH, _ENCODING, _EXPECT = 1, 2, 4, 8
_BOTH_FRAMINGS = _LENGTH | _ENCODING
_FRAMING = {
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"transfer-encoding": _ENCODING,
    b"expect": _EXPECT,
}
_SAYING_WHO = (b"authorization", b"idempotency-key", b"x-api-key", b"x-signature", b"x-timestamp")
_ONCE = _FRAMING | {name: 16 << place for place, name in enumerate(_SAYING_WHO)}

_is_host = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch

# The first line of a request that is well-formed but for a method that the parser does not know.
_is_some_request = re.compile(rb"[A-Za-z]{1,32} [!-~]+ HTTP/1\.[01]\r?\n").match

_VERSIONS = frozenset({"1.1", "1.0"})

# Bound once: `super()` would cost more than what it calls.
_begin_message = HttpToolsProtocol.on_message_begin
_start_request = HttpToolsProtocol.on_headers_complete

#: So many refused clients are given time to take their answer; a descriptor each.
LEAVING_MAX = 32

# SO_LINGER on, for no seconds: closing resets.
_NO_LINGER = struct.pack("ii", 1, 0)

_HOP_HEADERS = frozenset({b"upgrade", b"connection", b"http2-settings"})


class _Refused(Exception):
    """Raised inside a callback of the parser to make it stop."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a client; made only through `make_protocol`."""

    # Slots, because the base class fills its dictionary to the size up to which CPython shares the
    # keys.
    __slots__ = (
        "chunk_bytes",
        "deadline",
        "fault",
        "in_head",
        "is_draining",
        "is_receiving",
        "is_upgrade",
        "message_bytes",
        "peer",
        "seen",
        "write_deadline",
    )

    limits: ClassVar[ConnectionLimits]
    register: ClassVar[ConnectionRegister]
    head_ticks: ClassVar[int]
    body_ticks: ClassVar[int]
    idle_ticks: ClassVar[int]
    stall_ticks: ClassVar[int]
    linger_ticks: ClassVar[int]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        """Begin with nothing received."""
        super().__init__(config, server_state, app_state, _loop)
        self.deadline = NEVER
        self.write_deadline = NEVER
        self.fault: bytes | None = None
        self.peer: str | None = None
        self.in_head = False
        self.is_receiving = False
        self.is_draining = False
        self.is_upgrade = False
        self.message_bytes = 0
        self.chunk_bytes = 0
        self.seen = 0

    # ---------------------------------------------------------------- the connection

    def connection_made(self, transport: Any) -> None:
        """Let the connection in, or answer 503 at once when the house is full."""
        super().connection_made(transport)
        register = self.register
        self.deadline = register.tick + self.head_ticks
        full = register.add(self, self.loop, self.client[0] if self.client else "")
        if full is not None:
            answer = TOO_MANY_FROM_PEER if full == "peer" else BUSY
            if len(register.leaving) <= LEAVING_MAX:
                self._answer_and_drain(
                    answer
                )  # most have sent their request by now: they get the answer and no reset
            else:
                transport.write(answer)
                if transport.get_write_buffer_size():
                    self._reset()  # a client that takes nothing keeps no place
                else:
                    self._close_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.register.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read what it asked for."""
        self.write_deadline = self.register.tick + self.stall_ticks
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop that clock: the client reads."""
        self.write_deadline = NEVER
        super().resume_writing()

    def expire(self) -> None:
        """End a connection whose time is up; called by the sweep."""
        if (
            self.write_deadline <= self.register.tick
            or self.transport.is_closing()
            or self.is_draining
        ):
            self.register.count("slow_reader")
            self._reset()
        elif self.flow.read_paused:
            # We are the slow one: the client has sent more than we were willing to read.
            self.deadline = self.register.tick + self.head_ticks
        elif self.is_receiving:
            self.refuse(TIMED_OUT)
        else:
            self._close_soon()

    def close_idle(self) -> bool:
        """Close the connection, unless a client is still taking an answer from it."""
        if self.transport.get_write_buffer_size():
            return False
        self.transport.close()
        return True

    def refuse(self, answer: bytes) -> None:
        """Refuse the request being received and close.

        The application is told that the client is gone.
        """
        self.register.count(answer[9:12].decode("ascii"))
        cycle = self.cycle
        is_busy = cycle is not None and not cycle.response_complete
        if is_busy and (cycle.response_started or self.in_head):
            # An answer to an earlier request is on its way: ours would be taken for a part of it.
            self.transport.abort()
        else:
            self._answer_and_drain(answer)
        if is_busy:
            cycle.disconnected = True
            cycle.message_event.set()

    def _answer_and_drain(self, answer: bytes) -> None:
        """Write the answer and go on reading into nothing: closing at once would reset it away
        under the client."""
        self.transport.write(answer)
        if not self.transport.can_write_eof():
            self._close_soon()
            return
        self.transport.write_eof()
        self.is_draining = True
        self.deadline = self.register.tick + self.linger_ticks

    def _reset(self) -> None:
        """Drop the connection and what the kernel still holds for it.

        A plain close would keep that for minutes.
        """
        endpoint = self.transport.get_extra_info("socket")
        if endpoint is not None:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def _close_soon(self) -> None:
        """Close when everything is written, or by force when the client does not take it."""
        self.transport.close()
        self.deadline = self.register.tick + self.linger_ticks

    # ---------------------------------------------------------------- bytes

    def data_received(self, data: bytes) -> None:
        """Parse, and count what arrives in pieces."""
        if self.is_draining:
            return
        self.chunk_bytes = len(data)
        was_receiving = self.is_receiving
        if was_receiving:
            self.message_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            is_odd_method = (
                not was_receiving
                and self.in_head
                and not self.url
                and _is_some_request(data) is not None
            )
            self.refuse(self.fault or (UNKNOWN_METHOD if is_odd_method else BAD_REQUEST))
            return
        if was_receiving and self.is_receiving:
            self._check_volume()

    def _check_volume(self) -> None:
        """Refuse a head or a message that grows beyond its bound without ending."""
        limits = self.limits
        if not self.in_head:
            if self.message_bytes > limits.message_bytes_max:
                self.refuse(BODY_TOO_LARGE)
        elif self.message_bytes > limits.head_bytes_max:
            self.refuse(URL_TOO_LONG if len(self.url) > limits.url_bytes_max else HEAD_TOO_LARGE)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the request once more as if it had asked for no other protocol.

        Some clients offer HTTP/2 with every plain request. The parser then believes that HTTP ends
        here, loses the body and refuses the next request.
        """
        head = [
            self.parser.get_method(),
            b" ",
            self.url,
            b" HTTP/",
            self.parser.get_http_version().encode(),
            b"\r\n",
        ]
        for name, value in self.headers:
            if name not in _HOP_HEADERS:
                head += [name, b": ", value, b"\r\n"]
        head.append(b"\r\n")
        self.is_upgrade = self.is_receiving = False
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join(head) + rest)

    # ---------------------------------------------------------------- callbacks of the parser

    def on_message_begin(self) -> None:
        """Start the time of a head."""
        _begin_message(self)
        self.in_head = self.is_receiving = True
        self.register.idle.pop(self, None)
        self.message_bytes = 0
        self.seen = 0
        self.deadline = self.register.tick + self.head_ticks

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header.

        Those that say where a message ends, whom it is for and who asks may stand once.
        """
        if not self.in_head:
            # A trailer arrives after the application has read the headers: it must not join them.
            return
        name = name.lower()
        self.headers.append((name, value))
        bit = _ONCE.get(name)
        if bit is not None:
            if self.seen & bit:
                self.fault = BAD_REQUEST
            self.seen |= bit
            if bit <= _EXPECT:
                self._note_framing(bit, value)

    def _note_framing(self, bit: int, value: bytes) -> None:
        """Remember the fault of a framing header."""
        if bit == _EXPECT:
            self.expect_100_continue = value.lower() == b"100-continue"
        elif bit == _LENGTH:
            if value.isdigit() and int(value[:20]) > self.limits.message_bytes_max:
                self.fault = self.fault or BODY_TOO_LARGE
        elif not (_is_host(value) if bit == _HOST else value.lower() == b"chunked"):
            self.fault = BAD_REQUEST

    def on_headers_complete(self) -> None:
        """Judge the head, then start the time of the body."""
        fault = self._judge_head()
        if fault is not None:
            self.fault = fault
            raise _Refused
        self.in_head = False
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self.fault = NOT_A_PROXY
                raise _Refused
            self.is_upgrade = True
            return
        _start_request(self)
        self.deadline = self.register.tick + self.body_ticks

    def _judge_head(self) -> bytes | None:
        """Return the refusal that a head deserves, or None."""
        limits, seen = self.limits, self.seen
        if len(self.url) > limits.url_bytes_max:
            return URL_TOO_LONG
        if len(self.headers) > limits.head_lines_max or not self._is_head_small():
            return HEAD_TOO_LARGE
        if (
            self.fault is not None
            or (not seen & _HOST and self.parser.get_http_version() != "1.0")
            or seen & _BOTH_FRAMINGS == _BOTH_FRAMINGS
        ):
            return self.fault or BAD_REQUEST
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            return VERSION_NOT_SUPPORTED
        if version == "1.0" and seen & _ENCODING:
            # HTTP/1.0 has no chunks: a proxy in front may have found the end elsewhere.
            return BAD_REQUEST
        return BUSY if len(self.pipeline) >= limits.pipelined_max else None

    def _is_head_small(self) -> bool:
        """Return whether the head is within its bound; almost always all that arrived is."""
        bound = self.limits.head_bytes_max
        if self.message_bytes + self.chunk_bytes <= bound:
            return True
        return sum([len(name) + len(value) + 4 for name, value in self.headers]) <= bound

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on."""
        if not self.is_upgrade:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the client's time: now it waits for us."""
        if self.is_upgrade:
            return
        cycle: RequestResponseCycle = self.cycle
        self.is_receiving = False
        if cycle.response_complete:
            self._begin_idle()
            return
        self.deadline = NEVER
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request on this connection, or start its idle time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self.deadline = self.register.tick + self.stall_ticks
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self.is_receiving:
            self._begin_idle()

    def _begin_idle(self) -> None:
        """Start the time in which the client may ask again."""
        self.deadline = self.register.tick + self.idle_ticks
        self.register.idle[self] = None

    def _should_upgrade(self) -> bool:
        """Return False: this server speaks HTTP/1.1 and nothing else."""
        return False


def make_protocol(limits: ConnectionLimits) -> type[GuardedProtocol]:
    """Return the class to hand to uvicorn as `http=`.

    One per listener, because it counts its own connections.
    """

    class LimitedProtocol(GuardedProtocol):
        __slots__ = ()

    LimitedProtocol.limits = limits
    LimitedProtocol.register = ConnectionRegister(limits)
    LimitedProtocol.head_ticks = limits.ticks(limits.head_s)
    LimitedProtocol.body_ticks = limits.ticks(limits.body_s)
    LimitedProtocol.idle_ticks = limits.ticks(limits.idle_s)
    LimitedProtocol.stall_ticks = limits.ticks(limits.stall_s)
    LimitedProtocol.linger_ticks = limits.ticks(limits.linger_s)
    return LimitedProtocol
