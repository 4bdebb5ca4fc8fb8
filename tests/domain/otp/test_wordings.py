"""How services word their messages, beside amounts, hotlines and receipts, in languages written
without accents."""

import pytest

from numdesk.domain.otp.extract import extract


def _code(text: str) -> str | None:
    found = extract(text)
    return found.code if found else None


class TestVietnamese:
    @pytest.mark.parametrize(
        "text",
        [
            "Vietcombank: Ma cua quy khach la 482910, hieu luc 5 phut",
            "Quy khach vui long nhap ma 482910 de hoan tat giao dich",
            "Don hang 77123456 dang giao, doc ma 482910 cho shipper. LH 0901234567",
        ],
    )
    def test_reads_ma_as_a_code(self, text: str) -> None:
        """In a message in Vietnamese without accents "ma" is the code."""
        assert _code(text) == "482910"

    @pytest.mark.parametrize(
        "text",
        [
            "Ma don hang 482910 dang giao, quy khach vui long nhan truoc 18:00",
            "Ma khach hang cua quy khach: 482910. Vui long thanh toan",
            "Ma giao dich 48291044 ngay 12/05, quy khach vui long kiem tra",
            "Ma KH 482910. Quy khach vui long thanh toan tien dien truoc 12/05",
            "Ma la casa 4829 non cade. Vediamo domani",
        ],
    )
    def test_reads_ma_as_no_code(self, text: str) -> None:
        """The "ma" of an order, a customer or a transaction, and that of other languages, names no
        code."""
        assert _code(text) is None


class TestAmounts:
    @pytest.mark.parametrize(
        "text",
        [
            "Your OTP for the transfer of R12500 to Checkers is 482 910",
            "OTP for P1250 at SM: 482910",
            "Token pembayaran Rp499.00 ke norek 4829: 482910",
            "Rs499.00 paid. Your code for Rs1,250.00 at Big Bazaar is 482910",
        ],
    )
    def test_passes_over_an_amount_with_letters_before_it(self, text: str) -> None:
        """A currency of one letter is no part of a code, and the point of its amount ends no
        sentence."""
        assert _code(text) == "482910"

    @pytest.mark.parametrize(
        "text",
        [
            "Pago en OXXO por $350.00 aprobado, autorización 482910",
            "Compra R$ 1.250,00 aprovada. Autorização 482910. Saldo 2.450,30",
        ],
    )
    def test_passes_over_the_authorization_on_a_receipt(self, text: str) -> None:
        """The number of an authorization tells about a payment that was made."""
        assert _code(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "Código de autorización 482910",
            "Clave de autorización: 482910",
            "Su autorización: 482910",
        ],
    )
    def test_takes_the_code_of_an_authorization(self, text: str) -> None:
        """A code that is to authorize a payment is one."""
        assert _code(text) == "482910"


class TestWarnings:
    @pytest.mark.parametrize(
        "text",
        [
            "OTP kisi ko na batayein. Shikayat ke liye 1930 par call karein",
            "Wag ibigay ang OTP kanino man. Isumbong sa 8888",
            "Jangan beri kode OTP ke siapapun. Lapor ke 1500888",
            "No digas tu código a nadie. Emergencias 4821",
        ],
    )
    def test_passes_over_the_number_to_complain_to(self, text: str) -> None:
        """A warning announces no code, so that the hotline in it is none, in languages in Latin
        letters too."""
        assert _code(text) is None

    @pytest.mark.parametrize(
        "text",
        [
            "OTP 482910 kisi ko na batayein",
            "Huwag ibahagi ang code na 482910 kanino man",
            "Kode 482910 jangan beri ke siapapun",
            "No digas a nadie tu código 482910",
            "Khong chia se ma OTP 482910",
        ],
    )
    def test_takes_the_code_in_a_warning(self, text: str) -> None:
        """A warning right beside the number is about that number."""
        assert _code(text) == "482910"

    @pytest.mark.parametrize(
        "text",
        [
            "Don't share this with anyone, even if they say they're from Lumen: 482 910",
            "Never share this, even if the person who asks works with us: 482910",
        ],
    )
    def test_takes_what_must_not_be_shared(self, text: str) -> None:
        """Six digits behind a colon, in a text about nothing but keeping them, are the code without
        a word for it."""
        assert _code(text) == "482910"

    def test_takes_no_number_of_a_remark_for_what_must_not_be_shared(self) -> None:
        """Without a colon the number is not what must be kept."""
        assert _code("Don't tell anyone about the party, we're 482 910") is None
