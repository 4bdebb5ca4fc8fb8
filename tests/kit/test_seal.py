"""Rules of sealing and fingerprinting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.keyfile import Key
from numdesk.kit.seal import PLAIN_BYTES_MAX, SealBroken, Sealer

OLD = Key(id=b"old1", secret=b"o" * 32)
NEW = Key(id=b"new1", secret=b"n" * 32)
SEALER = Sealer([OLD])
PLACE = "webhooks.secret:17"


class TestSealer:
    @given(st.binary(max_size=200), st.text(max_size=30))
    def test_opens_what_it_sealed_for_the_same_place(self, plain: bytes, place: str) -> None:
        """Sealing and opening for one place is the identity, and the sealed bytes do not show the
        plain ones."""
        sealed = SEALER.seal(plain, context=place)
        assert SEALER.open(sealed, context=place) == plain
        assert len(plain) < 8 or plain not in sealed

    @given(st.binary(max_size=40), st.data())
    def test_refuses_any_changed_bit(self, plain: bytes, data: st.DataObject) -> None:
        """Whatever bit is changed, header, nonce, text or tag, nothing is opened."""
        sealed = bytearray(SEALER.seal(plain, context=PLACE))
        bit = data.draw(st.integers(min_value=0, max_value=len(sealed) * 8 - 1))
        sealed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            SEALER.open(bytes(sealed), context=PLACE)

    @given(st.binary(max_size=60))
    def test_refuses_any_other_bytes(self, junk: bytes) -> None:
        """Bytes that were not sealed by us are refused, and in no other way."""
        with pytest.raises(SealBroken):
            SEALER.open(junk, context=PLACE)

    def test_refuses_another_place(self) -> None:
        """A secret moved to another row does not open there."""
        sealed = SEALER.seal(b"secret", context="webhooks.secret:17")
        with pytest.raises(SealBroken, match="another place"):
            SEALER.open(sealed, context="webhooks.secret:18")

    def test_never_seals_twice_alike(self) -> None:
        """Two seals of one secret differ, so equal secrets are not seen in the database."""
        assert SEALER.seal(b"x", context=PLACE) != SEALER.seal(b"x", context=PLACE)

    def test_refuses_what_is_not_small(self) -> None:
        """Large data is not meant to be sealed."""
        with pytest.raises(ValueError, match="small"):
            SEALER.seal(b"x" * (PLAIN_BYTES_MAX + 1), context=PLACE)

    def test_the_newest_key_seals_and_all_open(self) -> None:
        """After a rotation old seals open, new ones need the new key, and what to reseal is
        known."""
        both = Sealer([OLD, NEW])
        old, new = SEALER.seal(b"x", context=PLACE), both.seal(b"y", context=PLACE)
        assert both.open(old, context=PLACE) == b"x"
        assert both.open(new, context=PLACE) == b"y"
        assert (both.needs_reseal(old), both.needs_reseal(new)) == (True, False)
        with pytest.raises(SealBroken, match="not in the key file"):
            SEALER.open(new, context=PLACE)

    def test_fingerprints_survive_a_rotation(self) -> None:
        """A token is found by the same fingerprint after a key was added, and not under another
        first key."""
        assert Sealer([OLD, NEW]).fingerprint(b"token") == SEALER.fingerprint(b"token")
        assert Sealer([NEW]).fingerprint(b"token") != SEALER.fingerprint(b"token")

    def test_fingerprints_tell_tokens_apart(self) -> None:
        """One token has one fingerprint of 32 bytes, another token another."""
        assert SEALER.fingerprint(b"a") == SEALER.fingerprint(b"a") != SEALER.fingerprint(b"b")
        assert len(SEALER.fingerprint(b"")) == 32

    def test_serials_are_shown_as_opaque_ids(self) -> None:
        """An id is the same each time, another for another kind or number, and does not show the
        number."""
        ids = [SEALER.opaque_id(kind, serial) for kind in ("tx", "sms") for serial in (1, 2)]
        assert ids == [
            SEALER.opaque_id(kind, serial) for kind in ("tx", "sms") for serial in (1, 2)
        ]
        assert len({one.partition("_")[2] for one in ids}) == 4
        assert ids[0].startswith("tx_")
        assert len(ids[0]) == 19

    def test_keeps_its_layout(self) -> None:
        """What was sealed and fingerprinted by an earlier release still opens and is still
        found."""
        sealed = bytes.fromhex(
            "016f6c64318fc943c4d53e24b63e72baac62763fc77d276554efb2b782884cfebb0fcd10ec04f653fd"
        )
        assert SEALER.open(sealed, context="table.column:1") == b"a secret"
        assert (
            SEALER.fingerprint(b"token").hex()
            == "7e974f773655c138cd575052ad4d14059ee202df1c574df7a3705622c65798f5"
        )

    def test_needs_a_key(self) -> None:
        """Without a key nothing is sealed, and nothing is passed through unsealed."""
        with pytest.raises(ValueError, match="needs a key"):
            Sealer([])
