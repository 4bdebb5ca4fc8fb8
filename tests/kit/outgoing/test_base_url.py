"""An operator's address for an upstream opens one door and no other."""

import pytest

from numdesk.kit.outgoing.base_url import check_base_url, policy_for
from numdesk.kit.outgoing.policy import HttpFailure
from numdesk.kit.outgoing.urls import parse_url


class TestCheckBaseUrl:
    """Which addresses may be written into the settings."""

    @pytest.mark.parametrize(
        "url",
        [
            "https://api.example.com",
            "https://api.example.com:8443/v1",
            "http://127.0.0.1:8080/sandbox/x",
            "http://[::1]:1",
            "http://localhost:80/a",
            "http://10.0.0.5:8080",
        ],
    )
    def test_takes_tls_and_addresses_of_our_own(self, url: str) -> None:
        """Keys travel over TLS, or never leave the machine and its own network."""
        check_base_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "api.example.com",
            "http://api.example.com",
            "http://8.8.8.8",
            "http://[2606:4700::1111]",
            "http://127.1",
            "ftp://127.0.0.1",
            "https://api.example.com/",
            "https://a:b@c.test",
            "https://api.example.com?x=1",
            "https://api.example.com#x",
            "https://",
            "http://127.0.0.1:99999",
            "http://127.0.0.1.evil.test",
        ],
    )
    def test_refuses_the_rest(self, url: str) -> None:
        """Plain http elsewhere, credentials in the URL and what nothing can be added to are refused
        before they are used."""
        with pytest.raises(ValueError, match=r"base_url|[Pp]ort"):
            check_base_url(url)


class TestPolicyFor:
    """Where calls may go."""

    def test_lets_calls_reach_this_machine_at_that_port_only(self) -> None:
        """A base URL on loopback excuses its own host and port, and no other."""
        policy = policy_for("http://127.0.0.1:8080/sandbox", timeout_s=2, answer_bytes_max=100)
        assert policy.allowed == {("127.0.0.1", 8080)}
        assert parse_url("http://127.0.0.1:8080/sandbox/v1", policy).port == 8080
        with pytest.raises(HttpFailure):
            parse_url("http://127.0.0.1:8081/", policy)
        with pytest.raises(HttpFailure):
            parse_url("http://localhost:8080/", policy)

    def test_excuses_no_public_name_that_leads_inside(self) -> None:
        """A public company's name is judged like any other, wherever its name server points."""
        policy = policy_for("https://api.example.com:9443", timeout_s=2, answer_bytes_max=100)
        assert policy.allowed == frozenset()
        assert parse_url("https://api.example.com:9443/v1", policy).port == 9443

    def test_keeps_the_whole_of_an_answer_up_to_its_bound(self) -> None:
        """What is read is also handed on, since it is a document and no head."""
        policy = policy_for("https://api.example.com", timeout_s=2, answer_bytes_max=100)
        assert (
            policy.answer_read_max,
            policy.answer_keep_max,
            policy.total_timeout_s,
            policy.connect_timeout_s,
        ) == (100, 100, 2, 2)
