"""API tokens: two letters, `_<live|test>_` and 43 characters, the last six a checksum, so that a
typo never reaches the database.

The letters are nd for a token that is shown at every request, pk for a key whose secret half (sk)
signs them.
"""

from __future__ import annotations

import re
from zlib import crc32

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: 37 characters of 62 carry 220 bits.
RANDOM_CHARACTERS = 37
_SHAPE = re.compile(rb"(?:nd|pk)_(?:live|test)_[0-9A-Za-z]{43}")
#: How much of a token a list may show.
SHOWN_CHARACTERS = 12


def make_token(environment: str, *, random: str, prefix: str = "nd") -> str:
    """Return the token for RANDOM_CHARACTERS random characters of ALPHABET."""
    assert len(random) == RANDOM_CHARACTERS, "a token has a fixed length"
    head = f"{prefix}_{environment}_{random}"
    return head + _checksum(head.encode())


def looks_genuine(token: bytes) -> bool:
    """Return whether this has the shape of a token, with a right checksum."""
    return _SHAPE.fullmatch(token) is not None and token[-6:] == _checksum(token[:-6]).encode()


def _checksum(head: bytes) -> str:
    """Return the CRC-32 of the head in six base-62 digits."""
    value = crc32(head)
    digits = ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = ALPHABET[digit] + digits
    return digits
