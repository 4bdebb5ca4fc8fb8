"""Sets up logging: one line a record, for our loggers and the libraries' alike, redacted on its way
out."""

import logging
import re
import sys
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from numdesk.kit.redact import clean_fields

#: The id of the request this task works for; set by the door, read by every log line.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_is_request_id = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII).fullmatch

#: Fields that the loggers of this process declared. Modules are imported late, so the set grows
#: while it is used.
_declared: set[str] = set()

# What these say at lower levels holds URLs with credentials in them.
_QUIET = {
    "uvicorn.access": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "aiohttp": logging.WARNING,
}


def accept_request_id(offered: str | None, *, new: str) -> str:
    """Return the id a client offered when it is harmless, else `new`."""
    return offered if offered is not None and _is_request_id(offered) else new


def get_logger(name: str, *fields: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module.

    `fields` are the names whose values it writes, beside COMMON_FIELDS. Others are withheld.
    """
    _declared.update(fields)
    return structlog.get_logger(name)


def configure_logging(
    *,
    style: Literal["json", "text"] = "json",
    level: str = "INFO",
    stream: TextIO | None = None,
) -> None:
    """Write every record to `stream` (standard error).

    Values are written of the fields that the modules' loggers declare.
    """
    shared: list[Processor] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _Cleaner(_declared),
            structlog.processors.JSONRenderer(ensure_ascii=False)
            if style == "json"
            else _render_text,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


class _Cleaner:
    """The last step before rendering: whatever got this far is judged here and nowhere else."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known

    def __call__(self, _logger: WrappedLogger, _name: str, record: EventDict) -> Mapping[str, Any]:
        return clean_fields(record, known=self._known)


def _add_request_id(_logger: WrappedLogger, _name: str, record: EventDict) -> EventDict:
    """Add the id of the request, when there is one."""
    current = request_id.get()
    if current is not None:
        record["request_id"] = current
    return record


def _render_text(_logger: WrappedLogger, _name: str, record: EventDict) -> str:
    """Return `time level event name=value ...`, a traceback below it, indented so that no line can
    pass for another."""
    time, level, event = (record.pop(name, "-") for name in ("timestamp", "level", "event"))
    traceback = record.pop("exception", None)
    rest = "".join(f" {name}={value!r}" for name, value in sorted(record.items()))
    line = f"{time} {level:<8} {event}{rest}"
    if traceback:
        line += "".join(f"\n    | {part}" for part in str(traceback).split("\n"))
    return line
