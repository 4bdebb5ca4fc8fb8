"""Groups that a reader takes as one code are one code, whatever joins them.

Dates, amounts and phones stay what they are.
"""

import re
import sys
from types import FrameType

import pytest

from numdesk.domain.otp.extract import TEXT_LENGTH_MAX, extract
from numdesk.domain.otp.rules import Rule, read

JOINERS = (
    *" \u00a0\u2007\u2009\u202f\u3000\t", "  ", "     ",
    *"-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u30fc\u05be", "--", " - ", " \u2013 ", " \u2014 ", "\u00a0\u2013\u00a0",
    *".\uff0e\u00b7\u2022\u30fb\u2219", " . ", " \u00b7 ", "/", " / ", ",", ", ", "_", "|", "][", "] [", "* *", "\n",
)  # fmt: skip


def _code(text: str) -> str | None:
    found = extract(text)
    return found.code if found else None


class Everything:
    """Finds what stands behind "code "."""

    def find(self, text: str) -> tuple[int, int] | None:
        """Return its place."""
        match = re.search(r"code (.*)", text, re.DOTALL)
        return match.span(1) if match else None


class TestJoiners:
    @pytest.mark.parametrize("joiner", JOINERS)
    def test_joins_groups(self, joiner: str) -> None:
        """Blanks, hyphens, dashes, dots and other marks between two groups are no part of the
        code."""
        assert _code(f"Your code is 482{joiner}910") == "482910"
        assert _code(f"Ваш код: 482{joiner}910. Заказ 77123456") == "482910"

    @pytest.mark.parametrize("joiner", JOINERS)
    def test_joins_groups_in_what_a_rule_finds(self, joiner: str) -> None:
        """A rule of the operator drops the same joiners as the extractor."""
        found = read(f"code 482{joiner}910", sender="", rules=[Rule(1, None, Everything())]).found
        assert found is not None
        assert found.code == "482910"

    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("123 4567", "1234567"),
            ("12 3456", "123456"),
            ("1234 567", "1234567"),
            ("1234 56", "123456"),
            ("123 45 67", "1234567"),
            ("123 456 78", "12345678"),
            ("123–4567", "1234567"),
            ("12 — 3456", "123456"),
            ("1234·567", "1234567"),
            ("12.34.56", "123456"),
            ("48.29.10", "482910"),
            ("48–29–10", "482910"),
            ("123.4567", "1234567"),
            ("1234.5678", "12345678"),
            ("123.456.789", "123456789"),
            ("1–2–3–4–5–6", "123456"),
            ("1.2.3.4.5.6", "123456"),
            ("1 234 567", "1234567"),
        ],
    )
    def test_joins_groups_of_any_size(self, written: str, code: str) -> None:
        """Groups need not be equally long, nor be two; half a code is never given."""
        assert _code(f"Your code is {written}") == code
        assert _code(f"{written} is your code") == code

    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("AB12-CD34", "AB12CD34"),
            ("AB12–CD34", "AB12CD34"),
            ("AB12·CD34", "AB12CD34"),
            ("AB12 CD34", "AB12CD34"),
            ("482-91A", "48291A"),
            ("482 91A", "48291A"),
            ("A1-B2-C3", "A1B2C3"),
            ("482-ABC", "482ABC"),
            ("ABC-482", "ABC482"),
            ("ABCD-12EF", "ABCD12EF"),
        ],
    )
    def test_joins_groups_with_letters(self, written: str, code: str) -> None:
        """Groups of capitals and digits are joined as digits are."""
        assert _code(f"Your code: {written}") == code

    @pytest.mark.parametrize(
        "text",
        [
            "*482 910* is your code",
            "Code: **482–910**",
            "Your code is «482 910».",
            "[482·910] is your OTP",
            "Your code is\n\n482.910\n\nThank you",
            "رمز التحقق: ٤٨٢–٩١٠",
            "کد تایید شما ۴۸۲ ۹۱۰ است",
            "आपका OTP ४८२.९१० है",
            "\u200fקוד האימות: \u2066482–910\u2069",
            "您的login code为482·910，请于14:35前输入",
            "Your code was sent at 14:30 on 12.05.2026: 482.910",
            "Your password for $48.29 at Shop 24-7 on card *1234 is 482.910.",
        ],
    )
    def test_joins_groups_in_any_surroundings(self, text: str) -> None:
        """Native digits, right-to-left text, quotes, bold marks and lines around the groups change
        nothing."""
        assert _code(text) == "482910"


class TestTwoNumbers:
    @pytest.mark.parametrize(
        "text",
        [
            "Code 4829 12 minutes",
            "код 4829 10 минут",
            "mã 4829 5 phút",
            "验证码4829 5分钟有效",
            "Your code 4829 12 500 rub",
            "Code 4829 – 10 minutes",
            "Code 4829 10-15 min",
            "code 4829 $100",
            "PIN 4829 50%",
            "4829 is your code, 12.05.2026 14:30-15:00",
            "Your code 4829 12.05.2026 14:30",
            "4829 24/7 login code",
            "Your code 4829 (12 34 56 left)",
        ],
    )
    def test_keeps_a_number_with_its_own_meaning_apart(self, text: str) -> None:
        """A number that counts, dates or prices something is no group of the code beside it."""
        assert _code(text) == "4829"

    @pytest.mark.parametrize(
        "text",
        [
            "您的动态码是482-910,5分钟内有效",
            "验证码:482 910,10分钟",
            "【Vexa】验证码为４８２—９１０,１５分钟内有效",
            "Код 482–910,5 минут",
        ],
    )
    def test_joins_groups_with_a_comma_after_them(self, text: str) -> None:
        """A comma without a blank before the minutes does not make a decimal of the last group."""
        assert _code(text) == "482910"

    @pytest.mark.parametrize(
        "text",
        [
            "Your code 482 910 12.05.2026 14:30",
            "12.05.2026 482-910 is your code",
            "482 910 24/7 code",
        ],
    )
    def test_joins_groups_beside_a_date(self, text: str) -> None:
        """A date or a time beside the groups does not keep them apart."""
        assert _code(text) == "482910"


class TestDecimals:
    @pytest.mark.parametrize(
        "text",
        [
            "Your PIN is 18.56",
            "Kode: 18.56 berlaku 5 menit",
            "18.56 is your PIN",
            "Dale el PIN 18.56. Tel. 900 123 456",
        ],
    )
    def test_takes_the_form_of_a_decimal_for_a_code_right_beside_its_name(self, text: str) -> None:
        """Two groups of two digits with a full stop are a code where one is named right beside."""
        assert _code(text) == "1856"

    @pytest.mark.parametrize(
        "text",
        [
            "Your code was sent at 18.56",
            "Send the code by 18.56 today",
            "The code is valid till 18.56",
            "Enter your PIN. 12.50 will be charged",
            "Your PIN purchase of 25.00 was declined",
            "You paid with PIN 25.00 GBP at Tesco",
            "Your login is free for 18.56",
            "Осталось 482 910,50 мин, введите код доступа",
        ],
    )
    def test_takes_no_time_and_no_amount_for_a_code(self, text: str) -> None:
        """A preposition, a currency or a full stop between keeps the form of a decimal what it
        is."""
        assert _code(text) is None

    @pytest.mark.parametrize(
        "text", ["Код из SMS: 10-26", "Code per SMS: 10-26", "Kode via SMS: 10-26"]
    )
    def test_takes_the_form_of_a_range_behind_the_way_it_came(self, text: str) -> None:
        """How the code was sent may stand between its name and the colon."""
        assert _code(text) == "1026"


class TestTraps:
    @pytest.mark.parametrize(
        "text",
        [
            "Your code is valid until 12.05.26",
            "Your code is of 12.05.2026",
            "Code: 2026-05-12",
            "Log in to see your balance of 12.500",
            "Never share your code. 123.456 was debited",
            "Your total is 1.234.567. No code is needed",
            "Баланс 1 234,56. Код не нужен",
            "A code was sent to 8 800 555-35-35",
            "A code was sent to +44 20 7946 0958",
            "Login from 10.10.10.10",
            "Login from 192.168.10.24 with a code",
            "Code app version 2.31.482",
            "Log in between 12:30-14:00",
            "10-15",
            "12.05.2026",
            "1,250.00",
            "Code valid 10-15 minutes",
            "Card 4829 **** **** 1337, PIN needed",
            "Card 4829-1337-2048-1123, code needed",
            "Your code will come by post to 12-14 Elm St, 94110",
            "Код города 495, тел 123-45-67",
            "Order 123 4567 has a code",
            "Alt 123.456, lon 16.3738",
            "Page 482-491: the code of law",
        ],
    )
    def test_takes_no_other_number_for_groups(self, text: str) -> None:
        """Dates, amounts, phones, cards, addresses, versions, times and ranges are no codes, even
        beside the word."""
        assert _code(text) is None


def _calls(text: str) -> int:
    """Count the calls that reading a text makes: its cost, as far as no machine comes into it."""
    made = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        extract(text)
    finally:
        sys.setprofile(before)
    return made


class TestCost:
    @pytest.mark.parametrize(
        "piece",
        [
            "1-",
            "12 ",
            "123.",
            "123, ",
            "123 – ",
            "12·",
            "(123) ",
            "A1-",
            "AB12 ",
            "AB-12-",
            "code 123.456 ",
            "12 34 min ",
            "482 910,5 分",
            "ma 4821 cua ",
        ],
    )
    def test_grows_with_the_text(self, piece: str) -> None:
        """A text of nothing but groups and joiners costs at most in proportion to its length."""
        short, long = (
            (piece * TEXT_LENGTH_MAX)[:length] for length in (TEXT_LENGTH_MAX // 4, TEXT_LENGTH_MAX)
        )
        extract(long)
        assert _calls(long) <= 5 * _calls(short)
