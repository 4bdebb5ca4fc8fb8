"""Rules of resolving names before a connection."""

import asyncio
import socket
import threading

import pytest
from tests.kit.names import FakeResolver, name_server

from numdesk.kit.outgoing import resolver as resolver_module
from numdesk.kit.outgoing.policy import EgressPolicy, HttpFailure
from numdesk.kit.outgoing.resolver import ADDRESSES_TRIED_MAX, CheckedResolver, SystemResolver


class TestSystemResolver:
    async def test_asks_the_operating_system(self) -> None:
        """The system's name for this machine leads to this machine, each address once."""
        resolver = SystemResolver()
        found = await resolver.resolve("localhost", 80)
        await resolver.close()
        assert set(found) <= {"127.0.0.1", "::1"}
        assert len(found) == len(set(found)) > 0

    async def test_asks_the_name_servers(self) -> None:
        """What name servers say is what is found.

        A name that does not exist is an OSError like any other.
        """
        with name_server() as server:
            resolver = SystemResolver([server])
            assert await resolver.resolve("good.test", 443) == ["8.8.8.8"]
            with pytest.raises(OSError, match=r"missing\.test was not found"):
                await resolver.resolve("missing.test", 443)
            await resolver.close()

    async def test_hanging_names_hold_up_no_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With hundreds of look-ups that no name server answers, another name is found meanwhile,
        and no thread is held."""
        monkeypatch.setattr(
            resolver_module, "NAME_SERVER_TRIES", 50
        )  # the fake may lose some of so many questions on a busy machine
        with name_server() as server:
            resolver = SystemResolver([server])
            hanging = [
                asyncio.create_task(resolver.resolve(f"h{n}.hanging.test", 443)) for n in range(440)
            ]
            await asyncio.sleep(0)
            assert await resolver.resolve("good.test", 443) == ["8.8.8.8"]
            assert not any(task.done() for task in hanging)
            assert threading.active_count() < 16
            await resolver.close()
            failures = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(failure, OSError) for failure in failures)

    async def test_names_that_are_no_names_are_not_found(self) -> None:
        """What no name server can be asked for is refused as a name that is not there."""
        resolver = SystemResolver(["127.0.0.1:1"])
        for host in ("x" * 64 + ".test", "a..test", "\ud800.test"):
            with pytest.raises((OSError, UnicodeError)):
                await resolver.resolve(host, 443)
        await resolver.close()


class TestCheckedResolver:
    async def test_hands_on_numbers_only(self) -> None:
        """What is connected to is an address in digits, so nothing is looked up a second time."""
        checked = CheckedResolver(
            FakeResolver(a_test=[["8.8.8.8", "2606:4700::1111"]]), EgressPolicy()
        )
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
        """The last look before a connection knows the addresses of allowed names, on their port
        alone."""
        policy = EgressPolicy(allowed=frozenset({("inbox.test", 8080)}))
        checked = CheckedResolver(FakeResolver(inbox_test=[["127.0.0.1"]]), policy)
        with pytest.raises(HttpFailure):
            checked.check_address("127.0.0.1", 8080)
        await checked.resolve("inbox.test", 8080)
        checked.check_address("127.0.0.1", 8080)
        with pytest.raises(HttpFailure):
            checked.check_address("127.0.0.1", 8081)
