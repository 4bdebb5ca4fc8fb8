"""Rules of the list of forbidden addresses."""

import ipaddress
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdesk.kit.outgoing.addresses import (
    CARRIERS_OF_V4,
    FORBIDDEN_V4,
    FORBIDDEN_V6,
    is_public,
    peer_group,
)

#: Ranges that published lists of others forbid; ours must forbid every one of them.
RANGES_OTHERS_FORBID = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
    "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "255.255.255.255/32", "::1/128", "::/128", "::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32",
    "2001::/23", "2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48",
    "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip

FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - addresses to judge, not to listen on
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
    "127.255.255.254", "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
    "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:100.100.100.200", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::1", "2620:4f:8000::1", "3fff::1", "4000::1", "5f00::1", "8000::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff01::1", "ff02::1", "ff0e::1",
]  # fmt: skip

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
    "168.63.129.15", "169.253.255.255", "169.255.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255",
    "198.17.255.255", "198.20.0.1", "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111",
    "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip

NO_ADDRESS = [
    "",
    "localhost",
    "127.1",
    "0177.0.0.1",
    "0x7f.1",
    "2130706433",
    "8.8.8.8 ",
    "8.8.8.8\n",
    "[2606:4700::1]",
]


class TestIsPublic:
    @pytest.mark.parametrize("address", FORBIDDEN)
    def test_refuses_what_is_not_the_internet(self, address: str) -> None:
        """Loopback, private, metadata, multicast and reserved addresses are refused in each of
        their clothes."""
        assert not is_public(address)

    @pytest.mark.parametrize("address", PUBLIC)
    def test_lets_the_internet_through(self, address: str) -> None:
        """Addresses just outside the forbidden ranges are public."""
        assert is_public(address)

    @pytest.mark.parametrize("text", NO_ADDRESS)
    def test_refuses_what_is_no_plain_address(self, text: str) -> None:
        """Text that only some readers take for an address is not public."""
        assert not is_public(text)

    @pytest.mark.parametrize("text", RANGES_OTHERS_FORBID)
    def test_forbids_all_that_published_lists_forbid(self, text: str) -> None:
        """The first, the middle and the last address of each range others forbid are refused."""
        network = ipaddress.ip_network(text)
        for index in (0, network.num_addresses // 2, -1):
            assert not is_public(str(network[index]))

    @given(st.ip_addresses(v=4))
    def test_judges_an_ipv4_address_alike_in_ipv6_clothes(
        self, address: ipaddress.IPv4Address
    ) -> None:
        """A v4-mapped or NAT64 address is as public as the IPv4 address that will be connected
        to."""
        for network in CARRIERS_OF_V4:
            dressed = ipaddress.IPv6Address(int(network.network_address) | int(address))
            assert is_public(str(dressed)) == is_public(str(address))

    @given(st.ip_addresses(v=4))
    def test_never_lets_ipv4_ride_in_other_carriers(self, address: ipaddress.IPv4Address) -> None:
        """6to4, Teredo and v4-compatible addresses are refused whatever they carry."""
        number = int(address)
        for carrier in (
            0x2002 << 112 | number << 80,
            0x2001 << 112 | (number ^ 0xFFFFFFFF),
            number,
        ):
            assert not is_public(str(ipaddress.IPv6Address(carrier)))

    @given(st.ip_addresses(v=6))
    def test_lets_only_global_unicast_through(self, address: ipaddress.IPv6Address) -> None:
        """Outside 2000::/3 an IPv6 address is public only as the clothes of a public IPv4 one."""
        if int(address) >> 125 != 1 and not any(address in network for network in CARRIERS_OF_V4):
            assert not is_public(str(address))

    def test_lists_do_not_repeat_themselves(self) -> None:
        """No range lies inside another, so each line says something."""
        for network, other in permutations((*FORBIDDEN_V4, *FORBIDDEN_V6), 2):
            assert network.version != other.version or not network.overlaps(other)


class TestPeerGroup:
    @pytest.mark.parametrize(
        ("address", "group"),
        [
            ("8.8.8.8", "8.8.8.8"),
            ("2606:4700:1:2:3:4:5:6", "2606:4700:1:2::/64"),
            ("2606:4700:1:2:ffff::", "2606:4700:1:2::/64"),
            ("::ffff:8.8.8.8", "8.8.8.8"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
            ("not:an:address", "not:an:address"),
        ],
    )
    def test_counts_an_ipv6_network_as_one_peer(self, address: str, group: str) -> None:
        """One customer has a whole /64, so that is what is counted.

        IPv4 in IPv6 clothes counts as IPv4.
        """
        assert peer_group(address) == group
