"""Tokens: a typo is found without asking the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.domain.customers.tokens import ALPHABET, RANDOM_CHARACTERS, looks_genuine, make_token

randoms = st.text(ALPHABET, min_size=RANDOM_CHARACTERS, max_size=RANDOM_CHARACTERS)
environments = st.sampled_from(["live", "test"])


@given(environments, randoms)
def test_every_token_looks_genuine(environment: str, random: str) -> None:
    """What is made is recognised, and has one length."""
    token = make_token(environment, random=random)
    assert looks_genuine(token.encode())
    assert len(token) == len("nd_live_") + 43


@given(environments, randoms, st.integers(8, 50), st.sampled_from(ALPHABET))
def test_a_wrong_character_is_noticed(
    environment: str, random: str, place: int, wrong: str
) -> None:
    """A checksum of 32 bits finds every single wrong character."""
    token = make_token(environment, random=random)
    changed = token[:place] + wrong + token[place + 1 :]
    assert looks_genuine(changed.encode()) == (changed == token)


@given(environments, randoms, st.integers(8, 49))
def test_two_characters_exchanged_are_noticed(environment: str, random: str, place: int) -> None:
    """Neighbours that changed places are found."""
    token = make_token(environment, random=random)
    changed = token[:place] + token[place + 1] + token[place] + token[place + 2 :]
    assert looks_genuine(changed.encode()) == (changed == token)


@given(st.binary(max_size=80))
def test_other_bytes_are_not_genuine(noise: bytes) -> None:
    """Any bytes may come, and none of them raise."""
    assert not looks_genuine(noise)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + b"\n",
        lambda t: b" " + t,
        lambda t: t.replace(b"nd_live", b"nd_test"),
        bytes.lower,
    ],
)
def test_the_frame_counts_too(change: object) -> None:
    """White space, another environment and another case make another token."""
    token = make_token("live", random="A" * RANDOM_CHARACTERS).encode()
    assert not looks_genuine(change(token))  # type: ignore[operator] - one of four


def test_randomness_has_a_fixed_length() -> None:
    """Fewer random characters than promised are a fault of ours."""
    with pytest.raises(AssertionError):
        make_token("live", random="short")
