"""A caller's address is what trusted proxies say it is, and nobody else can say anything."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from numdesk.kit.incoming.proxies import ClientShares, TrustedProxies

PROXIES = TrustedProxies(
    [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"), ip_network("fe80::/10")]
)

ADDRESSES = st.ip_addresses().filter(
    lambda one: str(one) not in PROXIES and getattr(one, "ipv4_mapped", None) is None
)
HOPS = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="2001:db8:1::/48")
SPACE = st.text(" \t", max_size=3)


@st.composite
def words(
    draw: st.DrawFn, addresses: st.SearchStrategy[IPv4Address | IPv6Address]
) -> tuple[str, bytes]:
    """An address, and one of the ways in which a proxy writes it."""
    address = draw(addresses)
    port = draw(st.none() | st.integers(0, 65_535))
    text = (
        f"[{address}]"
        if address.version == 6 and (port is not None or draw(st.booleans()))
        else str(address)
    )
    text = text if port is None else f"{text}:{port}"
    return str(address), f"{draw(SPACE)}{text}{draw(SPACE)}".encode()


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
            ("fe80::1%eth0", [b"198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", [b"203.0.113.7:51234"], "203.0.113.7"),
            ("10.0.0.1", [b"[2001:db8:2::7]:443"], "2001:db8:2::7"),
            ("10.0.0.1", [b"[2001:db8:2::7]"], "2001:db8:2::7"),
            ("10.0.0.1", [b"[::ffff:203.0.113.7]:1"], "203.0.113.7"),
            (
                "10.0.0.1",
                [b"1.2.3.4, 203.0.113.7:1 ,\t10.9.9.9:80", b"[2001:db8:1::9]:8080"],
                "203.0.113.7",
            ),
            ("10.0.0.1", [b"203.0.113.7:"], "10.0.0.1"),
            ("10.0.0.1", [b"203.0.113.7:65536"], "10.0.0.1"),
            ("10.0.0.1", [b"203.0.113.7:8x"], "10.0.0.1"),
            ("10.0.0.1", [b"[203.0.113.7]:80"], "10.0.0.1"),
            ("10.0.0.1", [b"[2001:db8:2::7"], "10.0.0.1"),
            ("10.0.0.1", [b"[2001:db8:2::7%1]:80"], "10.0.0.1"),
            ("10.0.0.1", [b'"203.0.113.7"'], "10.0.0.1"),
        ],
    )
    def test_walks_from_the_right_past_proxies_only(
        self, peer: str, forwarded: list[bytes], client: str
    ) -> None:
        """What stands left of the first stranger is that stranger's claim, and garbage says nothing
        about anybody."""
        assert PROXIES.client_of(peer, forwarded) == client

    @given(
        st.lists(st.binary(max_size=30), max_size=3),
        words(ADDRESSES),
        st.lists(words(HOPS), max_size=5),
        st.data(),
    )
    def test_finds_the_first_that_is_not_a_proxy(
        self,
        claimed: list[bytes],
        client: tuple[str, bytes],
        hops: list[tuple[str, bytes]],
        data: st.DataObject,
    ) -> None:
        """However proxies write addresses and spread them over header lines, the client is found,
        and its own claims are not."""
        said = [*claimed, client[1], *(word for _, word in hops)]
        cut = data.draw(st.integers(0, len(said)))
        lines = [line for line in (b",".join(said[:cut]), b",".join(said[cut:])) if line]
        assert PROXIES.client_of("10.0.0.1", lines) == client[0]

    @given(
        st.lists(words(HOPS), max_size=4),
        st.binary(max_size=20).filter(lambda word: b"," not in word),
    )
    def test_stops_at_what_is_no_address(self, hops: list[tuple[str, bytes]], word: bytes) -> None:
        """A word that is no address leaves the last proxy that was named."""
        assume(PROXIES.client_of("10.255.255.255", [word]) == "10.255.255.255")
        seen = ["10.0.0.1", *(address for address, _ in reversed(hops))]
        assert (
            PROXIES.client_of("10.0.0.1", [b"203.0.113.7", word, *(one for _, one in hops)])
            == seen[-1]
        )

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


class TestClientShares:
    def test_count_what_is_under_way(self) -> None:
        """A client has its share of requests at one time, another client has its own, and what has
        ended no longer counts."""
        shares = ClientShares(each_max=2)
        with (
            shares.hold("one") as first,
            shares.hold("one") as second,
            shares.hold("one") as third,
            shares.hold("other") as other,
        ):
            assert (first, second, third, other) == (True, True, False, True)
        with shares.hold("one") as again:
            assert again
