"""Score the extractor on the corpus: `python -m tests.domain.otp.corpus.score [--misses]
[SET...]`."""

import sys
import time
from collections import defaultdict

from tests.domain.otp.corpus.generate import SETS, Case, cases

from numdesk.domain.otp.extract import extract

FAMILIES = {
    "Germanic": "en de nl sv da no is af lb",
    "Romance": "es pt fr it ro ca gl ht",
    "Slavic": "ru uk be bg sr mk pl cs sk hr sl bs",
    "Turkic": "tr az kk ky uz tk tt",
    "Uralic and Baltic": "fi et hu lv lt",
    "Greek, Armenian, Georgian, Albanian": "el hy ka sq",
    "Semitic": "ar he am mt",
    "Iranian": "fa tg ps ku",
    "Indian": "hi bn ta te kn ml mr gu pa ur ne si",
    "Chinese, Japanese, Korean": "zh-CN zh-TW ja ko",
    "South-East Asian": "vi th lo km my id ms tl jv ceb",
    "African": "sw so ha zu ig yo rw",
    "Other": "mn eu",
}


def is_right(case: Case) -> bool:
    """Say whether the extractor gives exactly the expected code, or none where there is none."""
    found = extract(case.text)
    return (found.code if found else None) == case.code


def accuracy(made: list[Case]) -> float:
    """Give the share of right answers."""
    return sum(map(is_right, made)) / len(made)


def report(name: str, *, misses: bool) -> None:
    """Print the scores of one set, by kind and by family of languages."""
    made = cases(name)
    started = time.perf_counter()
    right = {case: is_right(case) for case in made}
    spent_us = (time.perf_counter() - started) / len(made) * 1e6
    with_code = [case for case in made if case.code]
    _say(
        f"{name}: {len({case.template for case in made})} templates, {len(made)} messages "
        f"({spent_us:.0f} us each)"
    )
    for label, part in (
        ("all", made),
        ("code", with_code),
        ("no code", [case for case in made if not case.code]),
    ):
        _say(
            f"  {label:36} {sum(right[case] for case in part):5} / {len(part):5} "
            f"{_percent(part, right)}"
        )
    families = {
        language: family for family, listed in FAMILIES.items() for language in listed.split()
    }
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in made:
        grouped[families[case.language]].append(case)
    for family in FAMILIES:
        if grouped[family]:
            part = grouped[family]
            _say(
                f"  {family:36} {sum(right[case] for case in part):5} / {len(part):5} "
                f"{_percent(part, right)}"
            )
    if misses:
        for case in made:
            if not right[case]:
                _say(
                    f"    {case.language} expected {case.code} got {extract(case.text)}\n      "
                    f"{case.text!r}"
                )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _percent(part: list[Case], right: dict[Case, bool]) -> str:
    return f"{100 * sum(right[case] for case in part) / max(len(part), 1):6.2f} %"


if __name__ == "__main__":
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    for chosen_set in chosen or SETS:
        report(chosen_set, misses="--misses" in sys.argv)
