"""Keys and the signatures that are spent together with them."""

from __future__ import annotations

import pytest
from tests.support.desk import DeskOfTest

from numdesk.domain.errors import KeyReused, RequestRepeated
from numdesk.storage import idempotency
from numdesk.storage.database.pool import Tx
from numdesk.storage.idempotency import Key, Namespace

SIGNATURE = Key(1, Namespace.EXTEND, "sig:00", b"")
OUTCOME = '{"v": 1}'


def key(text: str, *, fingerprint: bytes = b"one", signature: Key | None = SIGNATURE) -> Key:
    """Returns a key of a signed request."""
    return Key(1, Namespace.EXTEND, text, fingerprint, signature=signature)


async def claim(desk: DeskOfTest, wanted: Key) -> int | str:
    """Claims a key in a transaction of its own."""
    return await desk.rt.run("test", lambda tx: idempotency.claim(tx, wanted, now=desk.clock.now()))


async def do(desk: DeskOfTest, wanted: Key) -> None:
    """Claims a key and records its outcome."""

    async def work(tx: Tx) -> None:
        assert isinstance(await idempotency.claim(tx, wanted, now=desk.clock.now()), int)
        await idempotency.keep(tx, wanted, OUTCOME)

    await desk.rt.run("test", work)


async def test_one_commit_records_the_key_and_the_signature(desk: DeskOfTest) -> None:
    """Either of them has the outcome afterwards, whatever comes with it."""
    await do(desk, key("k1"))
    other = Key(1, Namespace.EXTEND, "sig:01", b"")
    for known in (
        SIGNATURE,
        key("k1"),
        key("k2", fingerprint=b"other"),
        key("k1", signature=None),
        key("k1", signature=other),
    ):
        assert await claim(desk, known) == OUTCOME


async def test_a_known_key_spends_a_new_signature(desk: DeskOfTest) -> None:
    """The new signature then stands for the same outcome under other keys.

    One that came with a refused key is not spent.
    """
    await do(desk, key("k1"))
    anew, refused = (Key(1, Namespace.EXTEND, text, b"") for text in ("sig:01", "sig:02"))
    assert await claim(desk, key("k1", signature=anew)) == OUTCOME
    assert await claim(desk, key("k9", signature=anew)) == OUTCOME
    with pytest.raises(KeyReused):
        await claim(desk, key("k1", fingerprint=b"other", signature=refused))
    assert await desk.rt.repeat("test", lambda tx: idempotency.recorded(tx, refused)) is None


async def test_a_single_signature_is_refused_when_it_is_spent(desk: DeskOfTest) -> None:
    """A customer who wants repeats refused gets no second answer to a signature."""
    single = Key(1, Namespace.EXTEND, "sig:00", b"", is_single=True)
    await do(desk, key("k1", signature=single))
    for known in (single, key("k1", signature=single), key("k2", signature=single)):
        with pytest.raises(RequestRepeated):
            await claim(desk, known)


async def test_many_are_claimed_and_ended_together(desk: DeskOfTest) -> None:
    """Those that are spent are not claimed; those without an outcome are free again."""
    await do(desk, key("k1"))
    done, refused = (Key(1, Namespace.EXTEND, text, b"") for text in ("sig:01", "sig:02"))

    async def work(tx: Tx) -> None:
        assert await idempotency.claim_all(
            tx, [refused, SIGNATURE, done], now=desk.clock.now()
        ) == {done, refused}
        await idempotency.end_all(tx, {done: OUTCOME, refused: None})

    await desk.rt.run("test", work)
    assert await claim(desk, done) == OUTCOME
    assert isinstance(await claim(desk, refused), int)
