"""Rules of the words of outgoing HTTP."""

from numdesk.kit.outgoing.policy import FAILURE_KINDS, EgressPolicy, HttpFailure


class TestHttpFailure:
    def test_kinds_are_a_closed_list(self) -> None:
        """Those who map failures to words of their own can be sure that there are no others."""
        assert {
            "bad_url",
            "connect",
            "forbidden_address",
            "protocol",
            "resolve",
            "timeout",
            "tls",
            "too_large",
        } == FAILURE_KINDS

    def test_says_its_kind_and_sentence(self) -> None:
        """The text of the exception begins with the kind."""
        assert str(HttpFailure("timeout", "The host did not answer in time.")).startswith(
            "timeout: "
        )


class TestEgressPolicy:
    def test_is_strict_unless_told_otherwise(self) -> None:
        """The policy nobody thought about is the safe one."""
        policy = EgressPolicy()
        assert not policy.allow_http
        assert not policy.extra_ports
        assert not policy.allowed

    def test_equal_policies_are_one_key(self) -> None:
        """Policies written twice share their connections."""
        assert len({EgressPolicy(), EgressPolicy()}) == 1
