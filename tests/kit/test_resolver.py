"""Rules of resolving names before a connection."""

import socket

import pytest
from tests.kit.names import FakeResolver

from numdesk.kit.egress import EgressPolicy, HttpFailure
from numdesk.kit.resolver import ADDRESSES_TRIED_MAX, CheckedResolver, SystemResolver


class TestSystemResolver:
    async def test_asks_the_operating_system(self) -> None:
        """The system's name for this machine leads to this machine, each address once."""
        resolver = SystemResolver()
        found = await resolver.resolve("localhost", 80)
        await resolver.close()
        assert set(found) <= {"127.0.0.1", "::1"}
        assert len(found) == len(set(found)) > 0


class TestCheckedResolver:
    async def test_hands_on_numbers_only(self) -> None:
        """What is connected to is an address in digits, so nothing is looked up a second time."""
        checked = CheckedResolver(FakeResolver(a_test=[["8.8.8.8", "2606:4700::1111"]]), EgressPolicy())
        results = await checked.resolve("a.test", 443)
        assert [(found["host"], found["family"]) for found in results] == [
            ("8.8.8.8", socket.AF_INET),
            ("2606:4700::1111", socket.AF_INET6),
        ]
        assert all(found["hostname"] == "a.test" for found in results)

    async def test_tries_only_a_few_of_many(self) -> None:
        """A thousand addresses are all judged and a few are tried."""
        many = [f"8.8.{n // 250}.{n % 250}" for n in range(1000)]
        checked = CheckedResolver(FakeResolver(a_test=[many]), EgressPolicy())
        assert len(await checked.resolve("a.test", 443)) == ADDRESSES_TRIED_MAX
        assert len(await checked.addresses_of("a.test", 443)) == 1000

    async def test_excuses_only_what_an_allowed_name_led_to(self) -> None:
        """The last look before a connection knows the addresses of allowed names, on their port alone."""
        policy = EgressPolicy(allowed=frozenset({("inbox.test", 8080)}))
        checked = CheckedResolver(FakeResolver(inbox_test=[["127.0.0.1"]]), policy)
        with pytest.raises(HttpFailure):
            checked.check_address("127.0.0.1", 8080)
        await checked.resolve("inbox.test", 8080)
        checked.check_address("127.0.0.1", 8080)
        with pytest.raises(HttpFailure):
            checked.check_address("127.0.0.1", 8081)
