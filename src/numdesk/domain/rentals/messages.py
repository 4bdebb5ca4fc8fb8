"""The service of a message to a rented number: by its sender, else by its text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

#: Other words by which services sign their messages, by code; a service's own name and code always
#: count.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "google": ("g", "gmail", "youtube"),
    "whatsapp": ("wa", "whats app"),
    "telegram": ("tg", "t.me"),
    "facebook": ("fb", "meta", "messenger"),
    "instagram": ("ig", "insta"),
    "twitter": ("x",),
    "microsoft": ("msft", "outlook", "hotmail"),
    "apple": ("icloud", "apple id"),
    "amazon": ("amzn", "aws"),
    "openai": ("chatgpt",),
    "tiktok": ("tik tok",),
    "linkedin": ("linked in",),
    "vk": ("vkontakte", "вконтакте"),
    "odnoklassniki": ("ok.ru", "одноклассники"),
    "yandex": ("яндекс",),
    "tinkoff": ("т-банк", "тинькофф"),
    "sber": ("сбер", "sberbank", "сбербанк"),
    "avito": ("авито",),
    "ozon": ("озон",),
    "wildberries": ("wb", "вайлдберриз"),
    "wechat": ("weixin", "微信"),
}


#: Words so short that they count as a sender's name only, or as the prefix of a code, such as
#: G-123456.
_SHORT = 2


def service_of(services: Sequence[tuple[str, str]], *, sender: str, text: str) -> str | None:
    """Return the code of the service that a message is of, among those (code, name) that the number
    is rented for, or None.

    With one service it is that one. Else it is the one that the sender's name says; else the first
    that the text names, the longer of two that begin together.
    """
    if len(services) == 1:
        return services[0][0]
    for code, name in services:
        if _as_sender(code, name).fullmatch(sender.strip()):
            return code
    found = [
        (match.start(), -match.end(), code)
        for code, name in services
        if (match := _in_text(code, name).search(f"{sender} {text}"))
    ]
    return min(found)[2] if found else None


@cache
def _as_sender(code: str, name: str) -> re.Pattern[str]:
    """Match a sender's name that is a word of the service, whatever stands around it that is
    neither letter nor digit."""
    return re.compile(rf"[\W_]*(?:{_alternatives(code, name, least=1)})[\W_]*", re.IGNORECASE)


@cache
def _in_text(code: str, name: str) -> re.Pattern[str]:
    """Match a word of the service in a text; a short one only before a hyphen and a digit."""
    short = _alternatives(code, name, least=1, most=_SHORT)
    long = _alternatives(code, name, least=_SHORT + 1)
    return re.compile(rf"(?<!\w)(?:(?:{long})(?!\w)|(?:{short})-(?=\d))", re.IGNORECASE)


def _alternatives(code: str, name: str, *, least: int, most: int = 1000) -> str:
    words = {name, code, code.replace("-", " "), *ALIASES.get(code, ())}
    chosen = sorted((word for word in words if least <= len(word) <= most), key=len, reverse=True)
    return "|".join(re.escape(word) for word in chosen) or r"(?!)"
