"""The words by which services sign and name their messages, and which services share messages: data
for `recognition`, no logic.

A service's own name and code always count. Operators add words of their own, and their words win
over these.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Other words by the service's code, separated by commas. They count as a sender and in a text.
WORDS: Mapping[str, str] = {
    "alibaba": "阿里巴巴, 阿里云",
    "aliexpress": "ali express, алиэкспресс, 速卖通",
    "amazon": "amzn, aws, amazon.com, アマゾン, 亚马逊",
    "apple": "icloud, apple id, apple account, appleid",
    "avito": "авито",
    "baidu": "百度",
    "bilibili": "哔哩哔哩, b站",
    "blablacar": "bla bla car, блаблакар",
    "booking": "booking.com",
    "burger-king": "burgerking",
    "cash-app": "cashapp",
    "coupang": "쿠팡",
    "facebook": "facebook messenger, фейсбук, فيسبوك, फेसबुक",
    "google": "gmail, google account, гугл, جوجل, गूगल, 谷歌, グーグル, 구글",
    "google-voice": "googlevoice",
    "huawei": "华为",
    "instagram": "insta, инстаграм, انستقرام, إنستغرام, انستغرام",
    "kakaotalk": "kakao, kakao talk, 카카오톡, 카카오",
    "kaspi": "kaspi.kz, kaspi bank, каспи",
    "line": "line messenger, line app",
    "linkedin": "linked in",
    "mcdonalds": "mcdonald's",
    "mercado-libre": "mercadolibre, mercado livre, mercadolivre",
    "mercari": "メルカリ",
    "microsoft": "msft, outlook, hotmail, microsoft 365",
    "monobank": "монобанк",
    "naver": "네이버",
    "nova-poshta": "нова пошта, новая почта, novaposhta",
    "odnoklassniki": "ok.ru, одноклассники",
    "openai": "chatgpt, chat gpt, open ai",
    "ozon": "озон",
    "paypay": "ペイペイ",
    "privat24": "приват24, privatbank, приватбанк",
    "prom": "prom.ua",
    "proton-mail": "protonmail",
    "qq": "腾讯qq",
    "rakuten": "楽天",
    "sber": "сбер, sberbank, сбербанк, sberid, сбер id",
    "shein": "希音",
    "signal": "signal messenger, signal app",
    "snapchat": "snap chat",
    "steam": "steam guard",
    "taobao": "淘宝, 淘宝网",
    "telegram": "t.me, телеграм, телеграмм, تلگرام, تليجرام, تيليجرام, تلغرام, टेलीग्राम, 텔레그램",
    "tiktok": "tik tok, tiktok shop, тикток, 抖音",
    "tinkoff": "т-банк, t-bank, tbank, тинькофф",
    "twitter": "x, x.com, твиттер",
    "uber": "uber eats, убер, أوبر",
    "viber": "rakuten viber, вайбер, فايبر",
    "vk": "vkontakte, вконтакте, vk id",
    "wechat": "weixin, 微信",
    "weibo": "微博, 新浪微博",
    "whatsapp": "whats app, whatsapp business, ватсап, вотсап, واتساب, واتس اب, واتس آب, व्हाट्सएप, व्हाट्सऐप, 왓츠앱",
    "wildberries": "вайлдберриз, вайлдберрис",
    "xiaomi": "小米",
    "yandex": "яндекс, yandex id, яндекс id",
    "youtube": "you tube, ютуб",
}

#: Words that count as a sender only: too short or too common for a text.
SENDER_WORDS: Mapping[str, str] = {
    "facebook": "fb, meta, messenger",
    "google": "g",
    "instagram": "ig",
    "telegram": "tg",
    "tinkoff": "t",
    "wildberries": "wb",
    "whatsapp": "wa",
}

#: Letters that stand before a code and a hyphen, such as G-123456.
PREFIXES: Mapping[str, str] = {
    "google": "G",
    "facebook": "FB",
    "instagram": "IG",
    "snapchat": "SNAP",
}

#: Names that are everyday words: in a text they count only where nothing else can be meant, such as
#: "Line: ..." or "your LINE code".
COMMON = """
    apple, blizzard, bolt, claude, clubhouse, dana, ea, feeld, grab, hinge, imo, indrive, jenius, kick, kraken, likee,
    line, medium, meetme, momo, nike, notion, okx, ola, ovo, perplexity, quora, rakuten, rambler, rapido, robinhood,
    signal, slack, snap, square, starling, steam, stripe, subway, target, temu, threads, turo, twitch, vk, walmart,
    wise, xm, x, zoom, insta, kakao, messenger
"""
#: Names that say nothing in a text, except in brackets at its head: "booking code" is no code of
#: Booking's.
NEVER_IN_TEXT = frozenset({"booking", "99", "other", "freelancer", "prom"})

#: Things that are named after a service and do not name it: a shop, a way to pay, a second factor.
NEUTRAL = """
    google play, google play store, google pay, google wallet, google maps, google authenticator, google chrome, google drive,
    google meet, google search, app store, apple store, apple pay, apple watch, apple wallet, apple music, apple tv, samsung pay,
    samsung galaxy, samsung wallet, amazon pay, amazon prime, microsoft authenticator, microsoft store, microsoft office,
    microsoft teams, facebook ads, facebook page, whatsapp group, whatsapp channel, telegram channel, telegram bot, telegram group,
    huawei appgallery, xiaomi store, steam wallet, paypal me, line of credit, online
"""

#: Services that send each other's codes: an order for one is not short of its message when
#: another's comes.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("google", "gmail", "youtube", "google-voice"),
    ("facebook", "instagram", "threads", "meta", "messenger"),
    ("whatsapp", "whatsapp-business"),
    ("microsoft", "outlook", "hotmail", "skype", "xbox"),
    ("yandex", "toloka", "kinopoisk", "yandex-go", "yandex-taxi", "yandex-market"),
    ("vk", "odnoklassniki", "mail-ru", "mailru"),
    ("alibaba", "aliexpress", "taobao", "alipay"),
    ("gojek", "gopay"),
    ("qq", "wechat"),
    ("kakaotalk", "kakao"),
    ("twitter", "x"),
    ("uber", "uber-eats"),
    ("apple", "icloud"),
    ("disney-plus", "hulu"),
    ("expedia", "vrbo"),
    ("openai", "chatgpt"),
    ("tinkoff", "t-bank"),
)

#: Codes and names of a service that takes the messages of all.
CATCH_ALL = frozenset(
    {
        "other",
        "others",
        "any",
        "anyother",
        "anyothers",
        "all",
        "allservices",
        "full",
        "fullrent",
        "ot",
    }
)
