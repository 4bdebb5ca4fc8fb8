"""Rules of reading a stranger's URL."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.outgoing import urls
from numdesk.kit.outgoing.policy import EgressPolicy, HttpFailure
from numdesk.kit.outgoing.urls import URL_CHARS_MAX, parse_url

STRICT = EgressPolicy()
PLAIN = EgressPolicy(allow_http=True, extra_ports=frozenset({8080}))

GOOD = [
    ("https://example.com", "https://example.com/", "example.com", 443),
    (
        "HTTPS://Example.COM/Path?q=1&r=%20",
        "https://example.com/Path?q=1&r=%20",
        "example.com",
        443,
    ),
    ("https://example.com:443/", "https://example.com/", "example.com", 443),
    ("https://example.com:8443/a/@b:c", "https://example.com:8443/a/@b:c", "example.com", 8443),
    (
        "https://xn--e1afmkfd.xn--p1ai/",
        "https://xn--e1afmkfd.xn--p1ai/",
        "xn--e1afmkfd.xn--p1ai",
        443,
    ),
    ("https://a_b.example.com/", "https://a_b.example.com/", "a_b.example.com", 443),
    ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8", 443),
    ("https://[2606:4700:0:0::1111]/x", "https://[2606:4700::1111]/x", "2606:4700::1111", 443),
    ("https://1.example.com/", "https://1.example.com/", "1.example.com", 443),
    ("https://example.com?x=1", "https://example.com/?x=1", "example.com", 443),
    ("https://example.com/a%2Fb?c=%2f", "https://example.com/a%2Fb?c=%2f", "example.com", 443),
]

BAD = [
    "",
    "https://",
    "https:///path",
    "https:example.com",
    "//example.com/",
    "example.com",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "dict://example.com:11211/",
    "ldap://example.com/",
    "jar:https://example.com!/",
    "unix:///run/x.sock",
    "javascript:alert(1)",
    "data:text/html,x",
    "http+unix://example.com/",
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\@example.com/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment",
    "https://exa\tmple.com/",
    "https://exa\nmple.com/",
    "https://exa\rmple.com/",
    "https://example.com/\r\nX-Evil: 1",
    "https://example.com/\n",
    " https://example.com/",
    "https://example.com/ ",
    "https://exam ple.com/",
    "https://example.com/a b",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    "https://example.com/<x>",
    'https://example.com/"',
    "https://example.com/^`{|}",
    "https://example.com/%zz",
    "https://example.com/%",
    "https://example.com/\\..\\",
    "https://пример.рф/",
    "https://①②⑦.⓪.⓪.①/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://example.com/путь",
    "https://ｅxample.com/",
    "https://exa\u202emple.com/",
    "https://exa\u200bmple.com/",
    "https://example.com./",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://example-.com/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.256/",
    "https://127.0.0.1.1/",
    "https://a.127/",
    "https://1.2.3.0x4/",
    "https://[::1/",
    "https://::1/",
    "https://[::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::g]/",
    "https://[v1.x]/",
    "https://[127.0.0.1]/",
    "https://[::1]x/",
    "https://[[::1]]/",
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:+443/",
    "https://example.com:4_43/",
    "https://example.com:４４３/",
    "https://example.com:443:443/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:6379/",
    "https://example.com:5432/",
    "https://example.com:8080/",
    "http://example.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 127 + "com/",
    "https://example.com/" + "a" * URL_CHARS_MAX,
]


class TestParseUrl:
    @pytest.mark.parametrize(("text", "rebuilt", "host", "port"), GOOD)
    def test_reads_ordinary_urls(self, text: str, rebuilt: str, host: str, port: int) -> None:
        """An ordinary URL keeps its meaning and gets its one spelling."""
        target = parse_url(text, STRICT)
        assert (str(target.url), target.host, target.port) == (rebuilt, host, port)

    @pytest.mark.parametrize("text", BAD)
    def test_refuses_what_can_be_read_in_two_ways(self, text: str) -> None:
        """Unclear URLs, other schemes and other ports are refused as bad_url."""
        with pytest.raises(HttpFailure) as caught:
            parse_url(text, STRICT)
        assert caught.value.kind == "bad_url"

    def test_allows_http_and_ports_that_the_policy_names(self) -> None:
        """Plain http and further ports pass only where the policy says so."""
        assert parse_url("http://example.com/", PLAIN).port == 80
        assert parse_url("https://example.com:8080/", PLAIN).port == 8080
        with pytest.raises(HttpFailure):
            parse_url("https://example.com:8081/", PLAIN)

    def test_lets_exactly_the_allowed_pair_pass(self) -> None:
        """An allowed host and port needs no https and no usual port; its neighbours do."""
        policy = EgressPolicy(allowed=frozenset({("127.0.0.1", 18080)}))
        assert parse_url("http://127.0.0.1:18080/inbox", policy).is_address
        for text in (
            "http://127.0.0.1:18081/",
            "http://localhost:18080/",
            "http://127.0.0.2:18080/",
        ):
            with pytest.raises(HttpFailure):
                parse_url(text, policy)

    @given(st.text(max_size=60))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        """No text makes the reader fail in another way, and what passes has one host for every
        reader."""
        for candidate in (text, f"https://{text}", f"https://{text}/", f"https://a.test{text}"):
            with suppress(HttpFailure):
                target = parse_url(candidate, STRICT)
                assert target.url.raw_host == target.host


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", urls.NOT_HTTPS), ("example.com/hook", urls.NOT_HTTPS), ("http://example.com/", urls.NOT_HTTPS),
        ("ftp://example.com/", urls.NOT_HTTPS), ("mailto:a@example.com", urls.NOT_HTTPS), ("https:/example.com", urls.NOT_HTTPS),
        ("https://user:pa55word@example.com/", urls.HAS_CREDENTIALS), ("https://token@example.com/", urls.HAS_CREDENTIALS),
        ("https://user:@example.com:8443/", urls.HAS_CREDENTIALS), ("https://a:b@[::1]/", urls.HAS_CREDENTIALS),
        ("https://example.com/#part", urls.HAS_FRAGMENT), ("https://example.com#", urls.HAS_FRAGMENT),
        ("https://exämple.com/", urls.HOST_NOT_ASCII), ("https://пример.рф:8443/", urls.HOST_NOT_ASCII),
        ("https://example.com/süß", urls.NOT_ASCII), ("https://example.com/?q=ü", urls.NOT_ASCII),
        ("https://exa mple.com/", urls.HAS_SPACE), ("https://example.com/ ", urls.HAS_SPACE), ("https://example.com/\n", urls.HAS_SPACE),
        ("https://example.com/\x00", urls.HAS_SPACE), ("https://example.com/\u00a0", urls.HAS_SPACE),
        ("https://", urls.NO_HOST), ("https:///path", urls.NO_HOST), ("https://:443/", urls.NO_HOST), ("https://?a=b", urls.NO_HOST),
        ("https://example.com:/", urls.BAD_PORT), ("https://example.com:http/", urls.BAD_PORT), ("https://example.com:0/", urls.BAD_PORT),
        ("https://example.com:99999/", urls.BAD_PORT), ("https://example.com:123456/", urls.BAD_PORT),
        ("https://example.com:22/", "The URL's port 22 is not allowed; it must be one of 80, 443, 8443."),
        ("https://example..com/", urls.BAD_HOST), ("https://-example.com/", urls.BAD_HOST), ("https://exa*mple.com/", urls.BAD_HOST),
        ("https://[zz]/", urls.BAD_HOST), ("https://" + "a" * 254 + "/", urls.BAD_HOST),
        ("https://[::1::1]/", "The URL's host is not an IPv6 address."), ("https://1.2.3/", "The URL's host is not an IPv4 address."),
        ("https://example.com\\@127.0.0.1/", urls.HAS_BACKSLASH), ("https://example.com/a\\b", urls.HAS_BACKSLASH),
        ("https://example.com/<x>", urls.BAD_CHARACTER), ("https://example.com/%zz", urls.BAD_CHARACTER),
        ("https://example.com/" + "x" * URL_CHARS_MAX, f"The URL is longer than {URL_CHARS_MAX} characters."),
    ],
)  # fmt: skip
def test_names_the_reason(url: str, reason: str) -> None:
    """Each refusal says what is wrong with the URL, and repeats nothing that may be a secret."""
    with pytest.raises(HttpFailure) as caught:
        parse_url(url, STRICT)
    assert caught.value.text == reason
    assert "pa55word" not in str(caught.value)
