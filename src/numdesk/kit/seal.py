"""Seals small secrets for storage and fingerprints tokens, with keys that are kept outside the
database."""

import hmac
import os
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from numdesk.kit.keyfile import KEY_ID_BYTES, Key

#: First byte of everything sealed; another layout gets another number.
VERSION = 1

#: Secrets are small; a bigger one is a mistake of the program.
PLAIN_BYTES_MAX = 64 * 1024

#: 16 hexadecimal digits: two of a million ids are the same with a chance of one in 37 million.
OPAQUE_CHARACTERS = 16

_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = 1 + KEY_ID_BYTES


class SealBroken(Exception):
    """The sealed bytes were changed, belongs elsewhere, or was sealed by a key that is not here."""


class Sealer:
    """Seals with the newest key, opens with any, fingerprints with the oldest."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Derive all keys from `keys`, oldest first.

        The keys themselves are not used for anything.
        """
        if not keys:
            raise ValueError("A sealer needs a key.")
        self._ciphers = {key.id: AESGCM(_derive(key, purpose=b"numdesk seal 1")) for key in keys}
        self._newest = keys[-1].id
        # A token is found by its fingerprint, so that must stay the same when a key is added.
        self._pepper = hmac.new(
            _derive(keys[0], purpose=b"numdesk fingerprint 1"), digestmod=sha256
        )

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Return `plain` sealed for one place.

        `context` names it (table, column, row) and is needed to open.
        """
        if len(plain) > PLAIN_BYTES_MAX:
            raise ValueError("Only small secrets are sealed.")
        header = bytes((VERSION,)) + self._newest
        nonce = os.urandom(_NONCE_BYTES)
        return (
            header
            + nonce
            + self._ciphers[self._newest].encrypt(nonce, plain, _aad(header, context))
        )

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return the sealed text; raise SealBroken."""
        if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[0] != VERSION:
            raise SealBroken("This was not sealed by us.")
        header = sealed[:_HEADER_BYTES]
        cipher = self._ciphers.get(header[1:])
        if cipher is None:
            raise SealBroken(f"The key {header[1:].hex()} that sealed this is not in the key file.")
        nonce_end = _HEADER_BYTES + _NONCE_BYTES
        try:
            return cipher.decrypt(
                sealed[_HEADER_BYTES:nonce_end], sealed[nonce_end:], _aad(header, context)
            )
        except InvalidTag:
            raise SealBroken("This was changed, or was sealed for another place.") from None

    def needs_reseal(self, sealed: bytes) -> bool:
        """Return whether an older key than the newest sealed this."""
        return sealed[1:_HEADER_BYTES] != self._newest

    def fingerprint(self, token: bytes) -> bytes:
        """Return 32 bytes by which a random token is stored and found.

        Without the key file they say nothing.
        """
        mac = (
            self._pepper.copy()
        )  # the keyed state is prepared once; a copy is a third of a new one
        mac.update(token)
        return mac.digest()

    def opaque_id(self, prefix: str, serial: int) -> str:
        """Return an id to be shown in the place of a serial number: always the same, and it tells
        nobody how many there are."""
        fingerprint = self.fingerprint(b"id %s:%d" % (prefix.encode("ascii"), serial))
        return f"{prefix}_{fingerprint.hex()[:OPAQUE_CHARACTERS]}"


def _derive(key: Key, *, purpose: bytes) -> bytes:
    """Return a key for one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.secret)


def _aad(header: bytes, context: str) -> bytes:
    """Return the context bound to the sealed bytes without being in them."""
    return header + context.encode("utf-8")
