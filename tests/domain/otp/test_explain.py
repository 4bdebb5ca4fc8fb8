"""The explanation of an answer weighs what the extractor weighs, and says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.otp.corpus.generate import cases

from numdesk.domain.otp.explain import candidates
from numdesk.domain.otp.extract import extract

#: Answers that nothing is weighed for.
UNWEIGHED = {"origin-bound", "google", "bare", "spelt"}


class TestCandidates:
    @pytest.mark.parametrize("name", ["fresh", "third_author_traps"])
    def test_agree_with_the_answer(self, name: str) -> None:
        """Where weights decide, the heaviest candidate is the code, and where there is none, none
        is likely but letters and digits."""
        for case in cases(name):
            weighed = candidates(case.text)
            found = extract(case.text)
            if found is None:
                assert not any(one.is_likely for one in weighed), case.text
            elif found.rule not in UNWEIGHED:
                taken = next(one for one in weighed if one.span == found.span)
                assert (taken.code, taken.rule) == (found.code, found.rule)
                assert taken.points == max(
                    one.points for one in weighed if one.code.isalpha() == taken.code.isalpha()
                )

    def test_tell_every_number_with_its_weight(self) -> None:
        """What was not taken is there, too, the heaviest first, with places in the message as it
        came."""
        text = "Order 12345: your code is 482-913. Balance 5000"
        weighed = candidates(text)
        assert [one.code for one in weighed] == ["482913", "12345", "5000"]
        assert [text[slice(*one.span)] for one in weighed] == ["482-913", "12345", "5000"]
        assert [one.is_likely for one in weighed] == [True, False, False]

    def test_rule_the_sender_out(self) -> None:
        """A number that is the sender itself is vetoed by name."""
        weighed = candidates("Your code 482913 from 72345", sender="+482913")
        assert [(one.rule, one.is_vetoed) for one in weighed if one.code == "482913"] == [
            ("sender", True)
        ]

    @given(st.text(max_size=200), st.text(max_size=12))
    def test_never_raise(self, text: str, sender: str) -> None:
        """Any text has an explanation, if an empty one."""
        for one in candidates(text, sender=sender):
            assert text[slice(*one.span)] == one.raw
