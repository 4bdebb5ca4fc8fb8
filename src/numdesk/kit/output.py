"""Standard output and error that never stop the program: what nobody takes is dropped and
counted."""

import atexit
import contextlib
import io
import os
import select
import sys
import threading
from collections import deque

from prometheus_client import Counter

#: What waits to be taken; beyond it, lines are dropped.
WAITING_BYTES_MAX = 1 << 20
#: How long the end of the program waits for what is still to be written.
FLUSH_PATIENCE_S = 1.0

_dropped = Counter(
    "numdesk_output_dropped_total",
    "Pieces of standard output or error that nobody took",
    ["stream"],
)


class PatientStream(io.TextIOBase):
    """A text stream on a descriptor, written to by a thread of its own."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, name: str) -> None:
        """Begin with nothing to write."""
        self._descriptor = descriptor
        self._dropped = _dropped.labels(name)
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._change = threading.Condition()
        threading.Thread(target=self._run, name=f"write-{name}", daemon=True).start()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether a person looks on."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Take the text at once; it is written soon, or dropped when too much waits already."""
        data = text.encode("utf-8", "backslashreplace")
        with self._change:
            if self._bytes + len(data) > WAITING_BYTES_MAX:
                self._dropped.inc()
            else:
                self._waiting.append(data)
                self._bytes += len(data)
                self._change.notify_all()
        return len(text)

    def finish(self) -> None:
        """Wait until everything is written, but not for long."""
        with self._change:
            self._change.wait_for(lambda: not self._bytes, FLUSH_PATIENCE_S)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
            try:
                self._write(data)
            except OSError:
                self._dropped.inc()
            with self._change:
                self._bytes -= len(data)
                self._change.notify_all()

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody else made the pipe non-blocking
                select.select([], [self._descriptor], [])


def open_standard_streams() -> None:
    """Open /dev/null in place of closed standard streams: the next file would get their numbers,
    and everything written to them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))


def never_wait_for_readers() -> None:
    """Put patient streams in place of standard output and error, for a program that must outlive
    whoever reads them."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        with contextlib.suppress(OSError, ValueError):
            getattr(sys, name).flush()
        stream = PatientStream(number, name)
        setattr(sys, name, stream)
        atexit.register(stream.finish)
