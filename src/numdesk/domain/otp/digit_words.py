"""Digits written as words, from zero to nine: how a code reads in a call that was written down."""

import re

_WORDS = (
    "zero one two three four five six seven eight nine",
    "null eins zwei drei vier fünf sechs sieben acht neun",
    "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "zéro un deux trois quatre cinq six sept huit neuf",
    "zero um dois três quatro cinco seis sete oito nove",
    "zero uno due tre quattro cinque sei sette otto nove",
    "nul een twee drie vier vijf zes zeven acht negen",
    "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć",
    "ноль один два три четыре пять шесть семь восемь девять",
    "нуль один два три чотири п'ять шість сім вісім дев'ять",
    "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
    "nol satu dua tiga empat lima enam tujuh delapan sembilan",
    "không một hai ba bốn năm sáu bảy tám chín",
    "صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة",
    "शून्य एक दो तीन चार पांच छह सात आठ नौ",
)
#: Digit of each word; the languages agree where they share a word.
DIGIT_WORDS: dict[str, str] = {
    word: str(digit) for line in _WORDS for digit, word in enumerate(line.split())
}
DIGIT_WORDS |= {"oh": "0", "sifir": "0"}

_ANY = "|".join(sorted(map(re.escape, DIGIT_WORDS), key=len, reverse=True))
WORD = re.compile(rf"(?:{_ANY})")
#: Four to ten of them in small letters, with blanks and small marks between.
SPELT_OUT = re.compile(rf"(?<!\w)(?:{_ANY})(?:[ ,.…-]{{1,4}}(?:{_ANY})(?!\w)){{3,9}}")
