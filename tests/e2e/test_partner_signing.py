"""JSON and signatures of the partner API against Node itself: what JavaScript parses, writes and
signs is what we parse, write and sign."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from tests.support.json_author import Author
from tests.support.node import run_text

from numdesk.dialects import Request
from numdesk.dialects.partner.javascript_json import parse, stringify
from numdesk.dialects.partner.signing import CLOCK_OFFSET_MS_MAX, sign, verify
from numdesk.domain.customers.callers import Caller, CustomerState
from numdesk.domain.errors import NotAuthenticated

pytestmark = pytest.mark.xdist_group("e2e")

DOCUMENTS = 20_000
NO_JSON = "-"


def ask_node(lines: list[tuple[str, str, str, str, str]]) -> list[str]:
    """Returns Node's line for each (timestamp, method, url, text, secret)."""
    return run_text("canonical.js", "\n".join(json.dumps(line) for line in lines)).split("\n")[:-1]


def ours(timestamp: str, method: str, url: str, text: str, secret: str) -> str:
    """Returns the line that Node should have written."""
    try:
        written = stringify(parse(text))
    except ValueError:
        return NO_JSON
    return f"{sign(secret.encode(), (timestamp + method + url + written).encode())} {written}"


def test_twenty_thousand_documents_are_written_and_signed_as_node_does() -> None:
    """Hostile numbers, surrogates, positions as keys, keys twice, depth and spoiled texts: no
    document and no signature differs."""
    seed = random.randrange(
        2**32
    )  # of pytest-randomly, which prints what it needs to do the same again
    author = Author(seed)
    lines = [
        ("1704106800000", "POST", "/api/v1/numbers/rent", author.document(), f"sk_test_{number}é")
        for number in range(DOCUMENTS)
    ]
    said = ask_node(lines)
    wrong = [
        (line[3], theirs, mine)
        for line, theirs in zip(lines, said, strict=True)
        if (mine := ours(*line)) != theirs
    ]
    assert wrong[:3] == [], f"seed {seed}: {len(wrong)} of {DOCUMENTS} differ (text, theirs, ours)"
    assert 0.01 < sum(one == NO_JSON for one in said) / DOCUMENTS < 0.2, (
        "some texts are to be spoiled, most not"
    )


SIGNED_AT, SECRET = "1704106800000", "sk_test_vector"
#: Method, URL as signed, the body as sent, and the signature that crypto-js gave. Whoever writes a
#: client may check it against these.
VECTORS = [
    (
        "GET",
        "/wallet/balance",
        "null",
        "9c400070a67d905f228f80843965e1dc7b9b8dbcf9af36f6205b6da3435932af",
    ),
    (
        "GET",
        "/api/v1/wallet/balance",
        "",
        "b70a506041264451af7ef66386c9fc20fec24b90d191c810ef4fdbeb11712e80",
    ),
    (
        "GET",
        "/api/v1/numbers/services?country=España&rentType=LONG",
        "{}",
        "e3929e349f2dd72cee5c186cf05b9187c7581b23b1957d0ad13c378c784bff13",
    ),
    (
        "POST",
        "/wallet/topup",
        '{"amount":500,"provider":"cryptomus"}',
        "6533809d77a753d05ec92a4d779b96a8878d71b55b262bcd9ad3462cf638500b",
    ),
    (
        "POST",
        "/api/v1/numbers/rent",
        '{ "name": "Caf\\u00e9 \\uD83D\\uDC4B \\uD83D\\/\\u2028",\n  "amount": 27.50, "10": 1e21 }',
        "93f6570b15a37d580384e6686a2a30204dfbbe940f0b844dc5f4dd427b0df190",
    ),
    (
        "POST",
        "/numbers/num_0123/cancel",
        "null",
        "e16c06e6e894defdbdbcdd76d4f13b934490b538cad7f40c69cbba029140c8c9",
    ),
]


@pytest.mark.parametrize(
    ("method", "url", "sent", "signature"),
    VECTORS,
    ids=[f"{method} {url}" for method, url, *_ in VECTORS],
)
def test_known_signatures_hold(method: str, url: str, sent: str, signature: str) -> None:
    """Node gives the signature that is known, and the door accepts it for five minutes of its own
    watch, not longer."""
    text = "{}" if sent in ("", "null") else sent
    assert ask_node([(SIGNED_AT, method, url, text, SECRET)])[0].split(" ")[0] == signature
    path, _, query = quote(url, safe="/?=&").partition("?")
    scope = {
        "client": None,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
    }
    request = Request(
        scope, {b"x-timestamp": SIGNED_AT.encode(), b"x-signature": signature.encode()}, (), "id"
    )
    request.body = sent.encode()
    caller = Caller(
        1,
        1,
        CustomerState.ACTIVE,
        "partner",
        1,
        "EUR",
        frozenset(),
        frozenset(),
        (),
        None,
        None,
        None,
        secret=SECRET.encode(),
    )
    signed_at = datetime.fromtimestamp(int(SIGNED_AT) / 1000, UTC)
    for off in (0, CLOCK_OFFSET_MS_MAX, -CLOCK_OFFSET_MS_MAX):
        verify(request, caller, signed_at + timedelta(milliseconds=off))
    for off in (CLOCK_OFFSET_MS_MAX + 1, -CLOCK_OFFSET_MS_MAX - 1):
        with pytest.raises(NotAuthenticated):
            verify(request, caller, signed_at + timedelta(milliseconds=off))
