"""Rules of requests where the status line of the answer decides."""

import asyncio
import dataclasses
import errno
from collections.abc import AsyncIterator
from time import monotonic
from types import SimpleNamespace

import pytest
from tests.kit.answers import ODD
from tests.kit.names import FakeResolver
from tests.kit.receiver import OK, Receiver, receiving

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.http import BODY_WAIT_S, OutgoingHttp
from numdesk.kit.outgoing.policy import EgressPolicy, HttpAnswer, HttpFailure
from numdesk.kit.outgoing.status_line import status_of


@pytest.fixture
async def http() -> AsyncIterator[OutgoingHttp]:
    """Send requests; closed at the end."""
    http = OutgoingHttp(Clock(), resolver=FakeResolver(good_test=[["127.0.0.1"]]))
    yield http
    await http.close()


def by_status(receiver: Receiver, *hosts: str, total_timeout_s: float = 30.0) -> EgressPolicy:
    """Return the policy of a receiver whose status line decides."""
    return dataclasses.replace(
        receiver.policy(*hosts, total_timeout_s=total_timeout_s), needs_body=False
    )


async def post(http: OutgoingHttp, receiver: Receiver, **policy: float) -> HttpAnswer:
    """Post to the receiver."""
    return await http.post(
        receiver.url(), body=b"x", headers={}, policy=by_status(receiver, **policy)
    )


class TestStatusDecides:
    @pytest.mark.parametrize("ending", ["close", "reset", "stay"])
    @pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
    async def test_whatever_follows_the_status_line(
        self, odd: bytes, ending: str, http: OutgoingHttp
    ) -> None:
        """A success is one however its rest is broken, and however the connection ends."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(odd)
            await writer.drain()
            if ending == "close":
                writer.close()
            elif ending == "reset":
                await asyncio.sleep(0)
                writer.transport.abort()

        async with receiving(answer) as receiver:
            got = await post(http, receiver, total_timeout_s=0.5)
        assert 200 <= got.status <= 205
        assert len(receiver.requests) == 1

    @pytest.mark.parametrize("name", [name for name, odd in ODD.items() if b"1 200 OK" in odd])
    async def test_a_failure_stays_one(self, name: str, http: OutgoingHttp) -> None:
        """The status of a failure is known, too, and its endpoint is not told that it did not
        answer."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(ODD[name].replace(b"1 200 OK", b"1 500 No"))
            writer.close()

        async with receiving(answer) as receiver:
            assert (await post(http, receiver)).status == 500

    @pytest.mark.parametrize("drip", [b"", b"x"], ids=["nothing", "a byte at a time"])
    async def test_does_not_wait_for_a_slow_body(self, drip: bytes, http: OutgoingHttp) -> None:
        """What comes soon is kept for display.

        The rest is neither waited for nor counted as the host's time.
        """

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nbeginning")
            while True:
                await writer.drain()
                await asyncio.sleep(0.02)
                writer.write(drip)

        async with receiving(answer) as receiver:
            started = monotonic()
            got = await post(http, receiver, total_timeout_s=60)
            assert monotonic() - started < 30 + BODY_WAIT_S
        assert got.body_head.startswith(b"beginning")
        assert got.is_cut

    async def test_a_body_that_comes_late_spoils_no_other_answer(self, http: OutgoingHttp) -> None:
        """The body of a 204 may arrive when the next request was sent on the same connection
        already."""
        late, second_came = asyncio.Event(), asyncio.Event()

        async def answer(writer: asyncio.StreamWriter) -> None:
            if len(receiver.requests) == 1:
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                return
            writer.write(b"a body after all")
            await writer.drain()
            second_came.set()
            await late.wait()
            writer.write(b"and moreHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

        async with receiving(answer) as receiver:
            assert (await post(http, receiver)).status == 204
            second = asyncio.create_task(post(http, receiver))
            await second_came.wait()
            late.set()
            assert (await second).status == 201
            assert receiver.connections == 1

    async def test_keeps_what_a_refusal_asks(self, http: OutgoingHttp) -> None:
        """Retry-After counts although the answer's body is broken."""
        broken = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        async with receiving(broken) as receiver:
            got = await post(http, receiver)
        assert (got.status, got.retry_after) == (429, "7")

    @pytest.mark.parametrize(
        "silence", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 2", b"SSH-2.0-x\r\n\r\n"]
    )
    async def test_without_a_status_line_there_is_no_answer(
        self, silence: bytes, http: OutgoingHttp
    ) -> None:
        """Nothing, only interim answers, half a line or another protocol stay failures of the
        host."""
        async with receiving(silence) as receiver:
            with pytest.raises(HttpFailure) as caught:
                await post(http, receiver, total_timeout_s=0.2)
        assert caught.value.kind in {"timeout", "protocol"}
        assert not caught.value.ours

    async def test_a_needed_body_stays_decisive(self, http: OutgoingHttp) -> None:
        """Where the body is what was asked for, as with payment gateways, half of it is no
        answer."""
        async with receiving(ODD["bad chunk"]) as receiver:
            with pytest.raises(HttpFailure):
                await http.post(receiver.url(), body=b"", headers={}, policy=receiver.policy())


class TestWhoseFailure:
    @pytest.mark.parametrize(
        ("number", "ours"),
        [
            (number, True)
            for number in (
                errno.EMFILE,
                errno.ENFILE,
                errno.ENOBUFS,
                errno.ENOMEM,
                errno.EADDRNOTAVAIL,
            )
        ]
        + [
            (number, True)
            for number in (
                errno.ENETUNREACH,
                errno.EHOSTUNREACH,
                errno.ENETDOWN,
                errno.EACCES,
                errno.EPERM,
            )
        ]
        + [(number, False) for number in (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT)],
        ids=lambda value: (
            errno.errorcode.get(value, "")
            if value is not True and value is not False
            else str(value)
        ),
    )
    @pytest.mark.parametrize("addresses", [1, 2])
    async def test_is_told_by_the_system(
        self,
        number: int,
        ours: bool,
        addresses: int,
        http: OutgoingHttp,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """No route and what this machine ran out of are ours, a refusal is the host's."""

        def refuse(*_: object) -> None:
            raise OSError(number, "as the kernel says it")

        several = OutgoingHttp(
            Clock(), resolver=FakeResolver(b_test=[["127.0.0.1", "127.0.0.2"][:addresses]])
        )
        monkeypatch.setattr("numdesk.kit.outgoing.lane.socket", SimpleNamespace(socket=refuse))
        policy = EgressPolicy(allowed=frozenset({("b.test", 81)}), needs_body=False)
        with pytest.raises(HttpFailure) as caught:
            await several.post("http://b.test:81/", body=b"", headers={}, policy=policy)
        await several.close()
        assert caught.value.ours is ours

    async def test_one_address_that_refuses_is_the_hosts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without IPv6 here, a host that refuses by IPv4 has failed itself."""
        numbers = iter((errno.ENETUNREACH, errno.ECONNREFUSED))

        def refuse(*_: object) -> None:
            raise OSError(next(numbers), "as the kernel says it")

        http = OutgoingHttp(Clock(), resolver=FakeResolver(b_test=[["::1", "127.0.0.1"]]))
        monkeypatch.setattr("numdesk.kit.outgoing.lane.socket", SimpleNamespace(socket=refuse))
        policy = EgressPolicy(allowed=frozenset({("b.test", 81)}))
        with pytest.raises(HttpFailure) as caught:
            await http.post("http://b.test:81/", body=b"", headers={}, policy=policy)
        await http.close()
        assert (caught.value.kind, caught.value.ours) == ("connect", False)

    async def test_threads_and_memory_are_ours(
        self, http: OutgoingHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the interpreter cannot give is not the host's failure either."""
        for error in (RuntimeError("can't start new thread"), MemoryError()):

            def refuse(*_: object, error: Exception = error) -> None:
                raise error

            monkeypatch.setattr("numdesk.kit.outgoing.lane.socket", SimpleNamespace(socket=refuse))
            policy = EgressPolicy(allowed=frozenset({("127.0.0.1", 81)}))
            with pytest.raises(HttpFailure) as caught:
                await http.post("http://127.0.0.1:81/", body=b"", headers={}, policy=policy)
            assert caught.value.ours

    async def test_names_are_ours(self, http: OutgoingHttp) -> None:
        """A name that is not found says nothing about the host behind it."""
        with pytest.raises(HttpFailure) as caught:
            await http.post("https://nowhere.test/", body=b"", headers={}, policy=EgressPolicy())
        assert (caught.value.kind, caught.value.ours) == ("resolve", True)

    async def test_looking_a_name_up_is_not_the_hosts_time(self) -> None:
        """A host that answers at once is delivered to however long its name took, and its time
        begins after that."""
        asked = asyncio.Event()

        class Slow(FakeResolver):
            async def resolve(self, host: str, port: int) -> list[str]:
                asked.set()
                await asyncio.sleep(1.2)
                return ["127.0.0.1"]

        http = OutgoingHttp(Clock(), resolver=Slow())
        async with receiving(OK) as receiver:
            policy = dataclasses.replace(
                by_status(receiver, "slow.test", total_timeout_s=1.0), connect_timeout_s=9
            )
            got = await http.post(
                receiver.url(host="slow.test"), body=b"", headers={}, policy=policy
            )
        await http.close()
        assert asked.is_set()
        assert got.status == 200
        assert got.elapsed_ms < 1000

    async def test_a_hosts_share_is_ours(
        self, http: OutgoingHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A host with many requests under way gets the next when it has answered one.

        Other hosts wait for none of this.
        """
        monkeypatch.setattr("numdesk.kit.outgoing.lane.REQUESTS_PER_HOST_MAX", 3)
        open_up, busy = asyncio.Event(), asyncio.Event()

        async def hang(writer: asyncio.StreamWriter) -> None:
            if len(slow.requests) == 3:
                busy.set()
            await open_up.wait()
            writer.write(OK)

        async with receiving(hang) as slow, receiving(OK) as well:
            allowed = frozenset({("127.0.0.1", slow.port), ("good.test", well.port)})
            policy = EgressPolicy(
                allowed=allowed, needs_body=False, connect_timeout_s=30, total_timeout_s=30
            )
            sent = [
                asyncio.create_task(http.post(slow.url(), body=b"", headers={}, policy=policy))
                for _ in range(9)
            ]
            await busy.wait()
            assert (
                await http.post(well.url(host="good.test"), body=b"", headers={}, policy=policy)
            ).status == 200
            assert len(slow.requests) == 3
            open_up.set()
            assert {answer.status for answer in await asyncio.gather(*sent)} == {200}

    async def test_a_turn_that_never_comes_is_ours(
        self, http: OutgoingHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who waited in vain behind our own requests has not heard from the host at all."""
        monkeypatch.setattr("numdesk.kit.outgoing.lane.REQUESTS_PER_HOST_MAX", 1)

        async def hang(_: asyncio.StreamWriter) -> None:
            await asyncio.Event().wait()

        async with receiving(hang) as silent:
            policy = EgressPolicy(
                allowed=frozenset({("127.0.0.1", silent.port)}),
                needs_body=False,
                connect_timeout_s=0.05,
                total_timeout_s=30,
            )
            first = asyncio.create_task(
                http.post(silent.url(), body=b"", headers={}, policy=policy)
            )
            await asyncio.sleep(0)
            with pytest.raises(HttpFailure) as caught:
                await http.post(silent.url(), body=b"", headers={}, policy=policy)
            assert caught.value.ours
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)


class TestStatusOf:
    @pytest.mark.parametrize(
        ("beginning", "found"),
        [
            (b"", None),
            (b"HTTP/1.1 200", None),
            (b"HTTP/1.1 200 OK", None),
            (b"HTTP/1.1 200\r\n", (200, None)),
            (b"HTTP/1.1 101 Switching\r\n", (101, None)),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nretry-after:  9\r\n", (503, "9")),
            (b"HTTP/1.1 100 Continue\r\n", None),
            (b"HTTP/2 200 OK\r\n", None),
            (b"ICY 200 OK\r\n", None),
        ],
    )
    def test_reads_whole_lines_only(
        self, beginning: bytes, found: tuple[int, str | None] | None
    ) -> None:
        """A status counts when its line is whole; interim answers are passed over."""
        assert status_of(beginning) == found
