"""Rules of what a log line may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.redact import (
    ITEMS_MAX,
    REDACTED,
    SECRET_FIELDS,
    TRACEBACK_CHARS_MAX,
    VALUE_CHARS_MAX,
    WITHHELD,
    clean_fields,
    clean_traceback,
    escape,
    mask_number,
    scrub,
)

KNOWN = frozenset({"order", "details", "note", "status", "elapsed_ms", *SECRET_FIELDS})
CANARY = "canary-4f1c9d27"

STEERING = [
    "\n", "\r", "\x00", "\x1b[2J", "\x07", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029", "\u202e", "\u2066", "\u200b",
    "\u200f", "\ufeff", "\ud800",
]  # fmt: skip


class TestCleanFields:
    @pytest.mark.parametrize(
        "name", [*sorted(SECRET_FIELDS), "Authorization", "X-Api-Key", "webhookSecret", "otp2"]
    )
    def test_never_writes_secrets(self, name: str) -> None:
        """A secret's name hides its value even where a caller lists it as known, at any depth."""
        cleaned = str(
            clean_fields({name: CANARY, "details": {name: [CANARY]}}, known=KNOWN | {name})
        )
        assert CANARY not in cleaned
        assert REDACTED in cleaned

    @pytest.mark.parametrize(
        "value", [CANARY, [CANARY], {"a": CANARY}, 79161234567, CANARY.encode()]
    )
    def test_withholds_fields_nobody_listed(self, value: object) -> None:
        """A field that is not on the list is named, so that its absence is noticed, and not
        shown."""
        assert clean_fields({"unlisted": value}, known=KNOWN) == {"unlisted": WITHHELD}

    def test_writes_known_fields(self) -> None:
        """Numbers, flags, nothing and short texts of known fields pass as they are."""
        fields = {
            "order": "ord_17",
            "status": 200,
            "count": 0,
            "elapsed_ms": 1.5,
            "note": None,
            "details": {"order": 1},
        }
        assert clean_fields(fields, known=KNOWN) == fields

    @pytest.mark.parametrize("name", ["msisdn", "phone", "to", "from", "recipient"])
    def test_masks_numbers_of_people(self, name: str) -> None:
        """A phone number is recognisable to who knows it and to nobody else."""
        cleaned = clean_fields({name: "+79161234567", "details": {name: 79161234567}}, known=KNOWN)
        assert cleaned == {name: "+7916***4567", "details": {name: "7916***4567"}}

    def test_bounds_everything(self) -> None:
        """Texts, lists, mappings, depth and whole numbers are cut to their bounds."""
        deep: object = "x"
        for _ in range(50):
            deep = {"details": deep}
        cleaned = clean_fields(
            {"note": "x y" * 5000, "order": list(range(100)), "count": 1 << 70, "details": deep},
            known=KNOWN,
        )
        assert len(cleaned["note"]) <= VALUE_CHARS_MAX + 3
        assert len(cleaned["order"]) == ITEMS_MAX
        assert cleaned["count"] == str(1 << 70)
        assert len(str(cleaned["details"])) < VALUE_CHARS_MAX * 2

    @pytest.mark.parametrize(
        "value",
        [
            "8b03432e-385b-4670-8d06-064591096795",
            "5745459419",
            "topup-42",
            "whd_7",
            "A" * 64,
            5745459419,
        ],
    )
    def test_writes_ids_as_they_are(self, value: object) -> None:
        """An id that looks like a token or a telephone number is what an operator searches for."""
        assert clean_fields({"payment_id": value}, known=KNOWN | {"payment_id"}) == {
            "payment_id": value
        }

    @pytest.mark.parametrize(
        "value", ["psw=hush", "a b", "x" * 65, "", "\x1b[2J", "https://me:hush@db/x"]
    )
    def test_judges_what_is_no_id_like_any_text(self, value: str) -> None:
        """A field that is named like an id hides what is not one."""
        written = str(
            clean_fields({"payment_id": value}, known=KNOWN | {"payment_id"})["payment_id"]
        )
        assert "hush" not in written
        assert "\x1b" not in written

    @given(
        st.dictionaries(
            st.text(max_size=20), st.recursive(st.text() | st.integers() | st.none(), st.lists)
        )
    )
    def test_any_fields_come_out_harmless(self, fields: dict[str, object]) -> None:
        """Whatever is logged, no name and no value holds a character that steers."""
        cleaned = clean_fields(fields, known=frozenset(fields))
        flat = "".join(map(str, cleaned)) + "".join(
            v for v in cleaned.values() if isinstance(v, str)
        )
        assert escape(flat) == flat


class TestEscape:
    @pytest.mark.parametrize("character", STEERING)
    def test_spells_out_what_steers(self, character: str) -> None:
        """Controls, separators and marks that reorder text are written as their numbers."""
        assert character not in escape(f"a{character}b")
        assert escape(f"a{character}b").startswith("a\\u")

    def test_leaves_letters_of_all_scripts(self) -> None:
        """Ordinary text in any language stays readable."""
        assert escape("заказ 订单 طلب €") == "заказ 订单 طلب €"


class TestScrub:
    @pytest.mark.parametrize(
        "text",
        [
            f"GET /send.php?login=a&psw={CANARY}&fmt=3",
            f"api_key={CANARY}",
            f"'X-Api-Key': '{CANARY}'",
            f'{{"password": "{CANARY}"}}',
            f"Authorization: Bearer {CANARY}",
            f"token = {CANARY}, next",
            f"sent bearer {CANARY}",
            f"webhook_secret={CANARY}",
            f"key nd_live_{CANARY.replace('-', 'x')}AbCdEf0123456789AbCdEf0123456789",
        ],
    )
    def test_hides_secrets_in_running_text(self, text: str) -> None:
        """Names with values, bearer words and long random words lose what they tell."""
        cleaned = scrub(text)
        assert CANARY not in cleaned
        assert "4f1c9d27" not in cleaned

    def test_masks_numbers_in_running_text(self) -> None:
        """A phone number in a message of some library is masked; short numbers and dates stay."""
        text = "no route to +79161234567 (79161234567), order 123456 of 2026-03-01, 0.5 s"
        assert (
            scrub(text)
            == "no route to +7916***4567 (7916***4567), order 123456 of 2026-03-01, 0.5 s"
        )


class TestMaskNumber:
    @pytest.mark.parametrize(
        ("number", "masked"),
        [
            ("+79161234567", "+7916***4567"),
            (79161234567, "7916***4567"),
            ("12345678", "***"),
            ("Bank", "***"),
            ("", "***"),
        ],
    )
    def test_hides_the_middle(self, number: object, masked: str) -> None:
        """Four digits at each end are shown, of a short number or a name nothing."""
        assert mask_number(number) == masked


class TestCleanTraceback:
    def test_keeps_lines_and_the_end(self) -> None:
        """A long traceback loses its beginning; its lines stay lines and its secrets go."""
        text = "first\n" + "x y\n" * TRACEBACK_CHARS_MAX + f"ValueError: psw={CANARY}\x1b[2J"
        cleaned = clean_traceback(text)
        assert "first" not in cleaned
        assert "\n" in cleaned
        assert CANARY not in cleaned
        assert "\x1b" not in cleaned
