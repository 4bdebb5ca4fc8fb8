"""Remembers how an answer began, so that its status is known even when the rest of it is broken."""

import re

from aiohttp.client_proto import ResponseHandler

#: Of each answer, this much is remembered: longer heads are refused anyway.
BEGINNING_BYTES_MAX = 16 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_RETRY_AFTER = re.compile(rb"^retry-after:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


class RememberingHandler(ResponseHandler):
    """The HTTP library's reader of answers.

    It also keeps the first bytes of the answer as they came.
    """

    beginning: bytes | None = None
    _is_reused = False

    def set_response_params(self, **params: object) -> None:
        """Begin with the next answer of this connection."""
        self._is_reused = self.beginning is not None
        self.beginning = b""
        super().set_response_params(**params)  # pyright: ignore[reportArgumentType]

    def data_received(self, data: bytes) -> None:
        """Keep the first bytes and hand everything on.

        What comes before a status line on a connection that is used again belongs to the answer
        before: a 204 with a body, for example. It would spoil an answer that is not to blame for
        it.
        """
        if self.beginning is not None and len(self.beginning) < BEGINNING_BYTES_MAX:
            if self._is_reused and not self.beginning and not data.startswith(b"H"):
                _, mark, rest = data.partition(b"HTTP/1.")
                data = mark + rest
                if not data:
                    return
            self.beginning += data
        super().data_received(data)


def status_of(beginning: bytes) -> tuple[int, str | None] | None:
    """Return the final status that an answer begins with, and its Retry-After.

    None when no such line came.
    """
    start = 0
    while line := _STATUS_LINE.match(beginning, start):
        status = int(line[1])
        end = beginning.find(b"\r\n\r\n", line.end() - 2)
        if status >= 200 or status == 101:
            head = beginning[line.end() :] if end < 0 else beginning[line.end() : end]
            asked = _RETRY_AFTER.search(head)
            return status, None if asked is None else asked[1].decode("latin-1")
        if end < 0:
            return None
        start = end + 4
    return None
