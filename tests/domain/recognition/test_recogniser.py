"""Recognise the service of a message: the corpus, the order of what decides, and any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.recognition.corpus.score import CODES, RECOGNISER, SETS, Case, cases, recognised
from tests.support.cost import cost

from numdesk.domain.recognition.recogniser import (
    Recognition,
    ServiceWord,
    default_family,
    make_recogniser,
)
from numdesk.domain.recognition.words import COMMON, FAMILIES, PREFIXES, SENDER_WORDS, WORDS
from numdesk.domain.stock.atlas import SERVICES
from numdesk.domain.stock.numbers import Service

IDS = {code: service_id for service_id, code in CODES.items()}


def told(text: str, sender: str = "INFO") -> Recognition:
    """Returns what a message is recognised as; it must be."""
    found = RECOGNISER.recognise(text, sender=sender)
    assert found is not None, text
    return found


def fits(text: str, sender: str = "INFO") -> set[str]:
    """Returns the codes of the services whose orders may have a message."""
    return {CODES[one] for one in told(text, sender).fits}


class TestCorpus:
    @pytest.mark.parametrize("name", SETS)
    def test_names_no_wrong_service(self, name: str) -> None:
        """No message of the corpus is given to a service that it is not of: what is withheld must
        be withheld rightly."""
        made: list[Case] = list(cases(name))
        assert [
            (case, found)
            for case in made
            if (found := recognised(case)) not in (None, case.service)
        ] == []

    @pytest.mark.parametrize("name", SETS)
    def test_misses_few(self, name: str) -> None:
        """At least 99 messages in 100 are told rightly."""
        made = list(cases(name))
        assert sum(recognised(case) == case.service for case in made) >= 0.99 * len(made)


class TestFits:
    """Whose orders may have a message."""

    def test_are_the_family_and_the_catch_all(self) -> None:
        """Google's codes open YouTube, and an order for any service takes every message."""
        assert fits("48291", "Google") == {"google", "google-voice", "youtube", "other"}
        assert fits("Telegram code: 48291") == {"telegram", "other"}

    def test_are_those_named_beside_the_one_that_decides(self) -> None:
        """A text that also speaks of another service is not withheld from that one's order."""
        assert fits("Your Tinder code is 482913. Next time log in with Facebook") >= {
            "tinder",
            "facebook",
        }

    def test_of_a_sender_are_its_own_and_what_the_text_announces(self) -> None:
        """The sender decides over a text that only speaks of others.

        Where the text announces another's code, that one may have it.
        """
        assert fits("Use your Google account to log in to Telegram", "Telegram") == {
            "telegram",
            "other",
        }
        assert fits("Your WhatsApp code: 482-913", "Telegram") >= {"telegram", "whatsapp"}
        assert told("Your WhatsApp code: 482-913", "Telegram").service_id == IDS["telegram"]


class TestSender:
    @pytest.mark.parametrize(
        "sender",
        [
            "Telegram",
            "TELEGRAM",
            " telegram.",
            "Ｔｅｌｅｇｒａｍ",
            "TG",
            "Телеграм",
            "AD-TELEGRAM-S",
        ],
    )
    def test_is_compared_by_letters_and_digits(self, sender: str) -> None:
        """Case, blanks, marks and width do not count."""
        assert told("hello", sender) == Recognition(
            IDS["telegram"], "sender", (IDS["telegram"], IDS["other"])
        )

    @pytest.mark.parametrize(
        "sender", ["TgCode", "Telegrams", "99", "+4420000", "12345", "Other", "", "\ud800"]
    )
    def test_of_another_name_or_a_number_decides_nothing(self, sender: str) -> None:
        """Part of a name is no name, and a number is nobody's, even where a service is called
        so."""
        assert RECOGNISER.recognise("hello", sender=sender) is None


class TestWords:
    """Words of the operator."""

    SHOP = (
        Service(1, "telegram", "Telegram", active=True),
        Service(2, "acme", "Acme Club", active=True),
    )

    def recognise(
        self, text: str, sender: str, *words: ServiceWord, families: dict[int, str] | None = None
    ) -> Recognition | None:
        """Recognises a message in a shop with two services."""
        return make_recogniser(self.SHOP, words, families).recognise(text, sender=sender)

    def test_name_a_service_that_numdesk_does_not_know(self) -> None:
        """Any name and code of the catalogue count, and a word more.

        A sender's word not in a text.
        """
        found = Recognition(2, "text", (2,))
        assert self.recognise("Your Acme Club code: 4829", "INFO") == found
        assert self.recognise("AC code: 4829", "INFO", ServiceWord(2, "AC", "text")) == found
        assert self.recognise("AC code: 4829", "INFO", ServiceWord(2, "AC", "sender")) is None
        assert self.recognise("4829", "ac", ServiceWord(2, "AC", "sender")) == Recognition(
            2, "sender", (2,)
        )
        assert self.recognise("【优客】验证码4829", "INFO", ServiceWord(2, "优客", "text")) == found

    def test_go_before_names_and_say_nothing_when_two_services_have_them(self) -> None:
        """The operator's word wins over a name; what stands for two services decides nothing."""
        assert self.recognise(
            "Telegram code: 4829", "INFO", ServiceWord(2, "telegram", "text")
        ) == Recognition(2, "text", (2,))
        both = (ServiceWord(1, "chat", "text"), ServiceWord(2, "Chat", "text"))
        assert self.recognise("chat code: 4829", "chat", *both) is None

    def test_never_take_a_word_away(self) -> None:
        """A name that does harm is switched off, in every spelling."""
        assert (
            self.recognise("Telegram code: 4829", "TELEGRAM", ServiceWord(1, "telegram", "never"))
            is None
        )

    def test_families_of_the_operator_replace_ours(self) -> None:
        """Two services in one family share messages.

        An empty family is that of one service alone.
        """
        assert self.recognise("4829", "Telegram", families={1: "x", 2: "x"}) == Recognition(
            1, "sender", (1, 2)
        )
        assert self.recognise("4829", "Telegram", families={1: "", 2: ""}) == Recognition(
            1, "sender", (1,)
        )


class TestAnyText:
    @given(st.text(max_size=300), st.text(max_size=20))
    def test_is_taken(self, text: str, sender: str) -> None:
        """Whatever comes, the answer is a service of the catalogue, which fits itself, or none."""
        found = RECOGNISER.recognise(text, sender=sender)
        assert found is None or (found.service_id in found.fits and set(found.fits) <= set(CODES))

    @given(
        st.lists(
            st.sampled_from(
                [
                    *"[]【】:. -\n",
                    "code",
                    "Telegram",
                    "Line",
                    "微信",
                    "4829",
                    "G-482913",
                    "@google.com #1",
                ]
            ),
            max_size=40,
        )
    )
    def test_of_names_and_marks_is_taken(self, parts: list[str]) -> None:
        """Names, marks and codes in any order give an answer or none."""
        RECOGNISER.recognise("".join(parts), sender="INFO")

    @pytest.mark.parametrize(
        "piece", ["a.", "-", "@", "x-", "Telegram ", "微信", "G-1234 ", "[", "Telegram code: 4829 "]
    )
    def test_takes_no_long(self, piece: str) -> None:
        """A hostile text of any length costs milliseconds of processor time on an idle machine."""
        text = piece * (1_000_000 // len(piece))
        assert cost(lambda: RECOGNISER.recognise(text, sender=text[:64])) < 5


class TestData:
    """The words that come along."""

    def test_are_of_services_that_there_are(self) -> None:
        """Every code with words of its own is one of the atlas."""
        assert set(WORDS) | set(SENDER_WORDS) | set(PREFIXES) <= {
            service.code for service in SERVICES
        }

    def test_have_no_family_twice(self) -> None:
        """A service is in one family."""
        members = [code for family in FAMILIES for code in family]
        assert len(members) == len(set(members))
        assert default_family("youtube") == default_family("google") == "google"
        assert default_family("telegram") is None
        assert "line" in COMMON
