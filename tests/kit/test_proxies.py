"""A caller's address is what trusted proxies say it is, and nobody else can say anything."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.proxies import TrustedProxies

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")])


class TestClientOf:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("203.0.113.9", [b"198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", [b"1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", [b"1.2.3.4", b"198.51.100.1 , 10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", [b"198.51.100.1, 10.9.9.9", b"10.8.8.8"], "198.51.100.1"),
            ("::ffff:10.0.0.1", [b"::ffff:198.51.100.1"], "198.51.100.1"),
            ("2001:db8:1::5", [b"2001:DB8:2:0::7"], "2001:db8:2::7"),
            ("10.0.0.1", [b"198.51.100.1, unknown, 10.9.9.9"], "10.9.9.9"),
            ("10.0.0.1", [b"198.51.100.1, "], "10.0.0.1"),
            ("10.0.0.1", [b"\xff\xfe"], "10.0.0.1"),
            ("10.0.0.1", [b"fe80::1%eth0"], "10.0.0.1"),
            ("10.0.0.1", [b"198.51.100.1," + b"10.1.1.1," * 5000 + b"10.2.2.2"], "10.1.1.1"),
            ("", [b"198.51.100.1"], ""),
        ],
    )
    def test_walks_from_the_right_past_proxies_only(self, peer: str, forwarded: list[bytes], client: str) -> None:
        """What stands left of the first stranger is that stranger's claim, and garbage says nothing about anybody."""
        assert PROXIES.client_of(peer, forwarded) == client

    @given(st.lists(st.binary(max_size=60), max_size=4))
    def test_bears_any_bytes(self, forwarded: list[bytes]) -> None:
        """No header makes a fault, and a stranger's header changes nothing."""
        assert PROXIES.client_of("10.0.0.1", forwarded)
        assert PROXIES.client_of("203.0.113.9", forwarded) == "203.0.113.9"


class TestContains:
    def test_knows_the_proxies(self) -> None:
        """A proxy is one by its network, however its address is written."""
        assert "10.200.0.1" in PROXIES
        assert "::ffff:10.0.0.1" in PROXIES
        assert not any(address in PROXIES for address in ("11.0.0.1", "", "x", None))
