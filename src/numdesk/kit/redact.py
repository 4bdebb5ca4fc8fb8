"""Decides what of a log field may be written: known fields only, people's numbers masked, nothing
that steers."""

import re
from collections.abc import Collection, Mapping
from typing import Any

#: Longest text of one field.
VALUE_CHARS_MAX = 2048

#: Longest traceback; its end says most, so its beginning is cut.
TRACEBACK_CHARS_MAX = 8192

#: A field may hold a small structure, so deep and so long.
DEPTH_MAX = 3
ITEMS_MAX = 20

REDACTED = "[redacted]"
WITHHELD = "[withheld]"

#: Written by every logger; all others are declared beside the logger that writes them.
COMMON_FIELDS = frozenset(
    {"count", "error", "event", "exception", "level", "logger", "reason", "request_id", "timestamp"}
)

#: Never written, whatever a caller lists as known.
SECRET_FIELDS = frozenset(
    {
        "api_key", "apikey", "auth", "authorization", "body", "card", "code", "cookie", "credential", "headers", "key",
        "mes", "message", "otp", "otp_code", "pan", "passphrase", "passwd", "password", "pin", "private_key", "psw",
        "query", "seed", "secret", "secret_key", "session", "set_cookie", "signature", "sms", "text", "token", "url",
        "webhook_secret",
    }
)  # fmt: skip

#: Written with the middle hidden.
NUMBER_FIELDS = frozenset(
    {"caller", "from", "msisdn", "number", "phone", "phone_number", "recipient", "sender", "to"}
)

#: How the names of fields end that hold one id; ids look like tokens and numbers, and are written
#: as they are.
ID_ENDINGS = ("_id", "_hash")
_is_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII).fullmatch

_SECRET_PART = re.compile(r"secret|passw|psw|token|api_?key|authorization|cookie|private|otp")

# C0 and C1 controls, line and paragraph separators, marks that reorder or hide text, lone
# surrogates.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_STEERING_BUT_LINES = re.compile(_STEERING.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))

# In running text: long runs of digits are people's numbers, `name=value` of a secret name is its
# value, long runs of letters and digits mixed are tokens.
_LONG_NUMBER = re.compile(r"(?<![\w.-])\+?[1-9][0-9]{9,14}(?![\w.-])", re.ASCII)
_SECRET_PAIR = re.compile(
    r"(?i)\b([\w-]*(?:psw|passw(?:or)?d|api[_-]?key|token|secret|authorization|cookie|login|key|mes|otp)[\w-]*)"
    r"(['\"]?\s*[=:]\s*)(?:(?:bearer|basic|hmac)\s+)?['\"]?[^\s&'\",;)}\]]+"
)
# A password in a URL ends at the last @ before a blank: one that is not escaped may hold slashes
# and further @.
_URL_PASSWORD = re.compile(r"(://[^\s:@/]*:)\S+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_TOKEN = re.compile(
    r"\b(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{32,}\b", re.ASCII
)


def mask_number(number: object) -> str:
    """Return a phone number with its middle hidden: +7916***4567; a short one is hidden whole."""
    text = str(number)
    digits = text.lstrip("+")
    if len(digits) < 9 or not (digits.isascii() and digits.isdigit()):
        return "***"
    return f"{'+' if text.startswith('+') else ''}{digits[:4]}***{digits[-4:]}"


def escape(text: str, *, keep_lines: bool = False) -> str:
    """Return `text` with everything that could forge a line or steer a terminal spelled out."""
    pattern = _STEERING_BUT_LINES if keep_lines else _STEERING
    return pattern.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def scrub(text: str) -> str:
    """Return running text without what looks like a secret or a person's number."""
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    text = _SECRET_PAIR.sub(rf"\1\2{REDACTED}", text)
    text = _BEARER.sub(rf"\1 {REDACTED}", text)
    text = _TOKEN.sub(REDACTED, text)
    return _LONG_NUMBER.sub(lambda match: mask_number(match[0]), text)


def clean_traceback(text: str) -> str:
    """Return a traceback that may be written: scrubbed, its lines kept, its beginning cut when it
    is too long."""
    cut = text if len(text) <= TRACEBACK_CHARS_MAX else f"...{text[-TRACEBACK_CHARS_MAX:]}"
    return escape(scrub(cut), keep_lines=True)


def clean_fields(fields: Mapping[str, Any], *, known: Collection[str]) -> dict[str, Any]:
    """Return the fields that may be written.

    A field nobody listed is named but its value is withheld.
    """
    return {
        escape(str(name))[:64]: _clean(name, value, known, DEPTH_MAX)
        for name, value in fields.items()
    }


def _clean(name: str, value: Any, known: Collection[str], depth: int) -> Any:
    """Return what may be written of one field."""
    name = name.lower().replace("-", "_")
    if name == "exception":
        return clean_traceback(str(value))
    if name in NUMBER_FIELDS:
        return None if value is None else mask_number(value)
    if name in SECRET_FIELDS or _SECRET_PART.search(name):
        return REDACTED
    if name not in known and name not in COMMON_FIELDS:
        return WITHHELD
    is_id = name.endswith(ID_ENDINGS) and isinstance(value, str) and _is_id(value)
    return value if is_id else _clean_value(value, known, depth)


def _clean_value(value: Any, known: Collection[str], depth: int) -> Any:
    """Return a known field's value in a bounded, harmless form."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)[:VALUE_CHARS_MAX]
    if depth and isinstance(value, Mapping):
        items = list(value.items())[:ITEMS_MAX]
        return {
            escape(str(key))[:64]: _clean(str(key), item, known, depth - 1) for key, item in items
        }
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_clean_value(item, known, depth - 1) for item in list(value)[:ITEMS_MAX]]
    return _clean_text(str(value))


def _clean_text(text: str) -> str:
    """Return text cut, scrubbed and escaped."""
    cut = text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}..."
    return escape(scrub(cut))
