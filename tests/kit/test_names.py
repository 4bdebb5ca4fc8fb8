"""The fake resolver behaves as the tests that lean on it assume."""

import asyncio

import pytest
from tests.kit.names import FakeResolver, HangingResolver


class TestFakeResolver:
    async def test_answers_in_the_order_of_its_script(self) -> None:
        """A rebinding name gives its first answer first and repeats its last."""
        resolver = FakeResolver(a_test=[["192.0.2.1"], ["127.0.0.1"]])
        answers = [await resolver.resolve("a.test", 443) for _ in range(3)]
        assert answers == [["192.0.2.1"], ["127.0.0.1"], ["127.0.0.1"]]
        assert resolver.asked["a.test"] == 3

    async def test_does_not_know_other_names(self) -> None:
        """An unknown name is an OSError, as from the operating system."""
        with pytest.raises(OSError, match="not known"):
            await FakeResolver().resolve("b.test", 443)


async def test_the_hanging_resolver_hangs_below_one_domain_only() -> None:
    """Other names are answered by the script."""
    resolver = HangingResolver(a_test=[["8.8.8.8"]])
    hanging = asyncio.create_task(resolver.resolve("a.hanging.test", 443))
    assert await resolver.resolve("a.test", 443) == ["8.8.8.8"]
    assert not hanging.done()
    hanging.cancel()
