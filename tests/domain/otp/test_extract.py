"""What the code extractor promises: which numbers are codes, which are not, and that no text hurts
it."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.domain.otp.corpus.generate import SETS, cases, templates
from tests.domain.otp.corpus.score import FAMILIES, accuracy

from numdesk.domain.otp.extract import TEXT_LENGTH_MAX, Extraction, extract
from numdesk.domain.otp.groups import unjoined
from numdesk.domain.otp.tokens import normalise

ACCURACY_MIN = 0.97
ZEROS = [
    point for point in range(0x80, sys.maxunicode) if unicodedata.category(chr(point)) == "Nd"
    and unicodedata.digit(chr(point)) == 0
]  # fmt: skip
FRAGMENTS = [
    "Your code is ",
    "код: ",
    "验证码",
    " 482910",
    " 48-29-10",
    "482–910",
    "12.3456",
    "] [",
    "-AB",
    "G-123456",
    "\n@ex.test #7777",
    "* ",
    "Rs. ",
    "\ud800",
]


def _code(text: str, sender: str | None = None) -> str | None:
    found = extract(text, sender=sender)
    return found.code if found else None


class TestCorpus:
    @pytest.mark.parametrize("name", SETS)
    def test_answers_right(self, name: str) -> None:
        """At least 97 messages in 100 of every set get exactly the right answer."""
        assert accuracy(cases(name)) >= ACCURACY_MIN

    def test_is_the_same_every_time(self) -> None:
        """The generator depends on its seed alone, so that a score can be reproduced."""
        assert cases("train") == cases("train")

    def test_holds_out_enough(self) -> None:
        """Most templates were never looked at while the words were collected, and no template is in
        two sets."""
        texts = [text for name in SETS for _, _, text in templates(name)]
        assert len(templates("held_out")) >= 200
        assert len(templates("fresh")) >= 80
        assert len(texts) == len(set(texts))

    def test_knows_the_family_of_every_language(self) -> None:
        """Every language of the corpus is counted in exactly one family of the score."""
        listed = [language for family in FAMILIES.values() for language in family.split()]
        assert len(listed) == len(set(listed))
        assert {language for name in SETS for language, _, _ in templates(name)} <= set(listed)


class TestShapes:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("482910", "482910"),
            ("Your code is 482-910", "482910"),
            ("Your code is 482 910.", "482910"),
            ("Your code is 48 29 10", "482910"),
            ("Your code is 4829-1056", "48291056"),
            ("Your code is 4 8 2 9", "4829"),
            ("G-482910 is your Google verification code", "482910"),
            ("VK-48291 is your code", "48291"),
            ("Your code: v 7 n M Z", "v7nMZ"),
            ("Your code is QGFDAE", "QGFDAE"),
            ("Your code is AB1-C2D", "AB1C2D"),
            ("Your code: 7F3K9Q2B4T", "7F3K9Q2B4T"),
            ("OTP482910 for login", "482910"),
            ("【482910】 は認証コードです", "482910"),
            ("您的验证码是「4829」", "4829"),
            ("*482910* is your code", "482910"),
            ("123456短信登录验证码，5分钟内有效", "123456"),
            ("验证码123456,10分钟内有效", "123456"),
        ],
    )
    def test_reads_shape(self, text: str, code: str) -> None:
        """Every shape that services write codes in gives the code as it is to be typed."""
        assert _code(text) == code

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("Your code is 4, 8, 2, 9, 1, 0. Again, your code is 4, 8, 2, 9, 1, 0.", "482910"),
            ("Your code is: 4... 8... 2... 9. Goodbye", "4829"),
            ("您的验证码是4，8，2，9", "4829"),
            ("Your code is Four, Eight, Two, Nine. I repeat: four, eight, two, nine.", "4829"),
            ("Tu código es cuatro ocho dos nueve", "4829"),
            ("KODUNUZ: SIFIR BİR İKİ ÜÇ", "0123"),
        ],
    )
    def test_reads_a_call_written_down(self, text: str, code: str) -> None:
        """Digits that were spoken one by one, as numbers or as words, make one code."""
        assert _code(text) == code

    @pytest.mark.parametrize(
        "text",
        [
            "Use A7K9QZ to log in",
            "Sign in with A7K9QZ",
            "A7K9QZ is your login",
            "A7K9QZ to verify your email",
            "A7K9QZ",
            "Zoom: A7K9QZ",
        ],
    )
    def test_reads_letters_and_digits_without_a_codeword(self, text: str) -> None:
        """What is entered or used, or stands alone, is the code even if nothing names it one."""
        assert _code(text) == "A7K9QZ"

    @pytest.mark.parametrize("text", ["Your code is 482", "Your code is 48291056731", "Code 3 1"])
    def test_wants_four_to_ten(self, text: str) -> None:
        """Shorter and longer numbers are not codes."""
        assert _code(text) is None


class TestOriginBound:
    def test_wins_over_the_text(self) -> None:
        """The origin-bound last line is decisive, whatever else the message says."""
        found = extract("Your code is 111111.\r\n\r\n@example.com #482910 @frame.example")
        assert found is not None
        assert (found.code, found.rule, found.confidence) == ("482910", "origin-bound", 1.0)

    def test_is_found_behind_a_long_text(self) -> None:
        """Only the beginning of a long text is read, but its last line always is."""
        text = "x " * TEXT_LENGTH_MAX + "\n@example.com #482910"
        assert _code(text) == "482910"

    def test_wants_exactly_one_space(self) -> None:
        """Two spaces between host and code are no origin-bound line."""
        assert _code("hello\n@example.com  #482910x") is None


class TestTraps:
    @pytest.mark.parametrize(
        "text",
        [
            "Your order 482910 has shipped",
            "Tracking number: 482910563",
            "Your balance is 48291. Login to see more",
            "Login bonus: 5000 points",
            "Never share your OTP. Rs. 5000 was debited from card ending 4829",
            "Your PIN was changed on 12.05.2024 at 12:45. Call 18004829105",
            "Your code expires in 1440 minutes",
            "Use promo code 482910 for free delivery",
            "Use code SAVE20 for 20% off",
            "Area code 4829",
            "Подтвердите покупку 4829р картой *1234",
            "Open https://ex.test/login?code=482910 to log in",
            "Your code was sent to user4829@ex.test",
            "Your verification code will be sent to 0901234567",
            "Text YES to 48291 to confirm",
            "Verify at vexa.test/482910",
            "<#> Welcome to the login page\nFA+9qCX9VSu",
            "Password policy, edition 2024, was updated",
            "订单482910已发货，请勿泄露密码",
            "您尾号4829的卡消费5000元",
            "Fehlercode 500213",
            "차량번호 4829 주차 안내입니다",
            "Your security deposit of 4829 was refunded",
            "Код ошибки 482910",
            "错误代码500213，请联系客服",
            "Bạn đã nhập sai OTP 3 lần. Mã lỗi 4829",
            "Use BA2490 booking X7K9QZ to check in online",
            "Use SUMMER24 to get in",
            "Your password was reset by admin4829 at 14:22",
            "Verify your address: 1200 Market Street",
            "Log in to see statement 2024-05",
            "Your registration 482910 is confirmed",
            "A code was sent to 7700900482",
            "Nunca compartas tu clave. Denuncias al 01800 4829133",
            "Code freeze starts 12 May at 1800",
            "Voting code of conduct: read section 4821",
            "Do not share your code with one or two people",
        ],
    )
    def test_is_no_code(self, text: str) -> None:
        """Money, dates, phones, cards, orders, links and advertising are not codes, even beside the
        word."""
        assert _code(text) is None

    def test_prefers_the_code_among_other_numbers(self) -> None:
        """A card, an amount, a time and a phone beside the code do not hide it."""
        text = (
            "Rs 12,500 at 12:45 on card 4829, order 10563728: OTP is 731046. Not you? Call "
            "18001234567"
        )
        assert _code(text) == "731046"

    def test_takes_what_is_said_to_be_the_code(self) -> None:
        """A heading before the number does not outweigh "is your code" after it."""
        assert _code("Account: 482910 is your verification code") == "482910"

    def test_takes_what_a_remark_in_brackets_calls_the_code(self) -> None:
        """A heading with a colon before the number does not outweigh a remark behind it."""
        assert _code("Huawei ID: 482910 (verification code). Valid for 10 minutes") == "482910"

    def test_takes_a_comma_for_the_end_of_an_address(self) -> None:
        """The number behind "Dear user," is not the number of the user."""
        assert _code("尊敬的用户，482910是您本次的身份验证码") == "482910"

    def test_takes_a_payment_code_whichever_word_comes_first(self) -> None:
        """A noun of money that belongs to "code" does not turn the number after it into an
        amount."""
        assert _code("Сумма 500р, код оплаты 42739") == "42739"
        assert _code("Сумма оплаты 42739, код не нужен") is None

    def test_tells_a_currency_from_a_small_word(self) -> None:
        """The Nordic "som" after a number is "as" where a code is named next, and the Kyrgyz
        currency elsewhere."""
        assert _code("Bruk 482910 som sikkerhetskode") == "482910"
        assert _code("Kodni hech kimga aytmang. To'lov 482910 som") is None

    def test_tells_a_code_that_will_expire_from_one_that_has(self) -> None:
        """A code said to expire later is announced; one that has expired is only spoken of."""
        assert _code("Your code will expire at 17:32. It is 482910.") == "482910"
        assert _code("Votre code a expiré. Dossier 482910.") is None

    def test_passes_over_the_sender(self) -> None:
        """The number that the message came from is not its code."""
        assert _code("Info 48291", sender="48291") is None
        assert _code("Info 48291") == "48291"


class TestSpan:
    def test_points_into_the_message_as_it_came(self) -> None:
        """Invisible marks before and inside the code do not shift the highlight."""
        text = "\u200f\u2066رمز التحقق: ٤٨٢\u200d٩١٠\u2069"
        found = extract(text)
        assert found is not None
        assert found.code == "482910"
        assert text[slice(*found.span)] == found.raw == "٤٨٢\u200d٩١٠"


def _check(text: str, found: Extraction) -> None:
    start, end = found.span
    assert text[start:end] == found.raw
    assert found.code.isascii()
    written = normalise(found.raw)[0]
    assert found.code in (
        written.replace("-", "") if found.rule == "origin-bound" else unjoined(written)
    )
    assert 0.0 < found.confidence <= 1.0


class TestLaws:
    @given(
        st.text(st.characters(), max_size=400)
        | st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=9)).map("".join)
    )
    @example("\x00" * 500)
    @example("\ud800\udfff code 4829")
    @example("@0.0 #00:")
    def test_never_raises_and_points_at_what_it_found(self, text: str) -> None:
        """Any text at all gives a code that stands where the span says, or none."""
        found = extract(text)
        if found is not None:
            _check(text, found)

    @given(st.sampled_from(ZEROS), st.sampled_from([case for name in SETS for case in cases(name)]))
    def test_reads_every_script_of_digits(self, zero: int, case: object) -> None:
        """Writing the digits of a message in another script does not change the answer."""
        text = normalise(getattr(case, "text"))[0]  # noqa: B009
        assert _code(text.translate({48 + digit: zero + digit for digit in range(10)})) == _code(
            text
        )

    @pytest.mark.parametrize(
        "text",
        [
            "1" * 1_000_000,
            "a." * 500_000,
            "code 1 " * 150_000,
            "验证码1" * 250_000,
            "\n@a.b #" * 150_000,
            "x-" * 500_000,
        ],
    )
    def test_reads_only_the_beginning_of_a_long_text(self, text: str) -> None:
        """A megabyte costs no more than the part that is read."""
        assert extract(text) == extract(text[:TEXT_LENGTH_MAX] + text[-TEXT_LENGTH_MAX:])
