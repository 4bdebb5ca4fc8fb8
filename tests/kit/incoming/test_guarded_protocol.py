"""Rules of the front door, spoken over raw sockets."""

import asyncio
import socket
from ipaddress import ip_network

import pytest
from tests.kit.front import GET, Front, guarded
from tests.kit.waiting import until

from numdesk.kit.incoming.guarded_protocol import LEAVING_MAX
from numdesk.kit.incoming.proxies import TrustedProxies


async def status_of(front: Front, request: bytes) -> int:
    """Send a request on a new connection.

    Return the status, or 0 when the connection just closes.
    """
    client = await front.dial()
    client.say(request)
    said = await client.rest()
    return int(said[9:12]) if said else 0


def head(*lines: bytes, start: bytes = b"POST / HTTP/1.1") -> bytes:
    """Return a request's head."""
    return b"\r\n".join([start, *lines, b"", b""])


class TestHonestClients:
    async def test_are_served_one_after_the_other_on_one_connection(self) -> None:
        """Requests with and without bodies, whole or in pieces, keep their connection."""
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            client.say(GET)
            assert await client.answer() == (200, b"")
            client.say(head(b"Host: a.test:8080", b"Content-Length: 5") + b"he")
            await front.reached.wait()
            client.say(b"llo")
            assert await client.answer() == (200, b"hello")
            client.say(
                head(b"Host: [::1]:80", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n"
            )
            assert await client.answer() == (200, b"abc")
            assert len(front.protocol.register.connections) == 1
            assert not front.protocol.register.refusals

    async def test_may_wait_for_their_answer_longer_than_any_limit(self) -> None:
        """A client whose request is whole waits for us, and no limit of its own runs."""
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            client.say(b"GET /wait HTTP/1.1\r\nHost: a.test\r\n\r\n")
            register = front.protocol.register
            await until(lambda: register.tick >= 20)
            front.go.set()
            assert (await client.answer())[0] == 200

    async def test_may_say_once_who_they_are_in_every_request(self) -> None:
        """Headers that say who asks may stand once each in every request of a connection, and
        others as often as liked."""
        said = (
            b"Authorization: a",
            b"Idempotency-Key: a",
            b"X-Api-Key: a",
            b"X-Signature: a",
            b"X-Timestamp: 1",
            b"X: 1",
            b"X: 2",
        )
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            for _ in range(2):
                client.say(head(b"Host: a", b"Content-Length: 1", *said) + b"x")
                assert await client.answer() == (200, b"x")

    async def test_may_pipeline(self) -> None:
        """Several requests in one packet are answered in order."""
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            client.say(
                b"".join(head(b"Host: a", b"Content-Length: 1") + b"%d" % n for n in range(10))
            )
            assert [(await client.answer())[1] for _ in range(10)] == [b"%d" % n for n in range(10)]

    async def test_may_read_a_large_answer_in_their_time(self) -> None:
        """A client that keeps reading is not cut off, however long the whole takes."""
        async with guarded(stall_s=0.3) as front:
            client = await front.dial()
            client.say(b"GET /big HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            assert len(await client.rest()) > 8_000_000

    async def test_may_offer_another_protocol(self) -> None:
        """An offer of HTTP/2 or WebSocket is passed over; body and connection stay whole."""
        offer = (
            b"Connection: Upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: AAMAAABk",
        )
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            for body in (b"first", b"second"):
                length = b"Content-Length: %d" % len(body)
                client.say(head(b"Host: a.test", length, *offer) + body)
                assert await client.answer() == (200, body)
            client.say(
                head(
                    b"Host: a.test",
                    b"Connection: Upgrade",
                    b"Upgrade: websocket",
                    start=b"GET / HTTP/1.1",
                )
            )
            assert (await client.answer())[0] == 200
            assert all(name != b"upgrade" for headers in front.headers for name, _ in headers)

    async def test_may_ask_before_sending_a_body(self) -> None:
        """Expect: 100-continue is answered when the application begins to read."""
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            client.say(head(b"Host: a", b"Expect: 100-continue", b"Content-Length: 2"))
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.say(b"ok")
            assert await client.answer() == (200, b"ok")

    @pytest.mark.parametrize("method", [b"GET", b"HEAD"])
    async def test_may_leave_the_host_out_in_the_version_that_does_not_know_it(
        self, method: bytes
    ) -> None:
        """HTTP/1.0, which load balancers speak, has no Host.

        It is answered and the connection ends.
        """
        async with guarded() as front:
            assert await status_of(front, head(start=method + b" /healthz HTTP/1.0")) == 200


class TestSlowClients:
    async def test_silent_connections_are_closed(self) -> None:
        """Who connects and says nothing is closed without a word."""
        async with guarded() as front:
            assert await (await front.dial()).rest() == b""

    @pytest.mark.parametrize(
        ("start", "byte"),
        [
            (b"", b"\r\n"),
            (b"", b"G"),
            (b"GET / HTTP/1.1\r\nX: ", b"a"),
            (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
            (head(b"Host: a", b"Content-Length: 100000"), b"x"),
            (head(b"Host: a", b"Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
            (head(b"Host: a", b"Transfer-Encoding: chunked"), b"0"),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"0\r\n", b"X: y\r\n"),
            (GET, b"\r\n"),
            (GET + GET, b"G"),
        ],
        ids=[
            "blank lines",
            "request line",
            "one header",
            "headers",
            "body",
            "chunks",
            "chunk size",
            "trailers",
            "blank lines after a request",
            "second request",
        ],
    )
    async def test_dripping_is_no_progress(self, start: bytes, byte: bytes) -> None:
        """One byte at a time does not extend the time of a head, a body or an idle connection."""
        async with guarded() as front:
            client = await front.dial()
            client.say(start)
            async with asyncio.timeout(60):
                await client.drip(byte)
            assert not front.requests or front.requests == [("/", b"")] * len(front.requests)

    async def test_the_application_learns_that_a_slow_body_is_over(self) -> None:
        """A body that does not end is answered 408, and the application sees its client go."""
        async with guarded() as front:
            assert await status_of(front, head(b"Host: a", b"Content-Length: 9") + b"1234") == 408
            assert front.gone == 1

    async def test_idle_connections_are_closed(self) -> None:
        """Between requests a connection lives for its idle time and no longer."""
        async with guarded() as front:
            client = await front.dial()
            client.say(GET)
            assert await client.answer() == (200, b"")
            assert await client.rest() == b""

    async def test_who_does_not_read_is_cut_off(self) -> None:
        """A full send buffer that nobody empties ends the connection by force."""
        async with guarded() as front:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", front.port))
                client.send(b"GET /big HTTP/1.1\r\nHost: a.test\r\n\r\n")
                await front.reached.wait()
                await until(lambda: not front.protocol.register.connections)
            assert front.protocol.register.refusals["slow_reader"]

    async def test_a_late_body_after_an_early_answer_is_bounded_too(self) -> None:
        """An answer given before the body came does not turn the body's time into idle time."""
        async with guarded(idle_s=60) as front:
            client = await front.dial()
            client.say(
                head(b"Host: a", b"Content-Length: 1000", start=b"POST /rude HTTP/1.1") + b"x"
            )
            assert (await client.answer())[0] == 200
            async with asyncio.timeout(60):
                await client.drip(b"x")

    async def test_the_timer_sleeps_when_nobody_is_there(self) -> None:
        """With no connection open the process is not woken up."""
        async with guarded() as front:
            await (await front.dial()).rest()
            register = front.protocol.register
            await until(lambda: not register.connections and not register.is_sweeping)


class TestMalformedRequests:
    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (
                head(b"Host: a", b"Content-Length: 3", b"Transfer-Encoding: chunked")
                + b"0\r\n\r\n",
                400,
            ),
            (
                head(b"Host: a", b"Transfer-Encoding: chunked", b"Content-Length: 3")
                + b"0\r\n\r\n",
                400,
            ),
            (head(b"Host: a", b"Content-Length: 3", b"Content-Length: 4") + b"abcd", 400),
            (head(b"Host: a", b"Content-Length: 3", b"content-length: 3") + b"abc", 400),
            (head(b"Host: a", b"Content-Length: 3, 3") + b"abc", 400),
            (head(b"Host: a", b"Content-Length: -1"), 400),
            (head(b"Host: a", b"Content-Length: +1") + b"a", 400),
            (head(b"Host: a", b"Content-Length: 0x1") + b"a", 400),
            (head(b"Host: a", b"Content-Length: 99999999999999999999999"), 400),
            (head(b"Host: a", b"Content-Length: 1000000000000"), 413),
            (head(b"Host: a", b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: xchunked") + b"0\r\n\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 400),
            (
                head(b"Host: a", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")
                + b"0\r\n\r\n",
                400,
            ),
            (head(b"Host: a", b"Transfer-Encoding : chunked") + b"0\r\n\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"-1\r\nx\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"FFFFFFFFFFFFFFFFF\r\nx\r\n", 400),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"zz\r\n", 400),
            (
                head(b"Host: a", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0")
                + b"0\r\n\r\n",
                400,
            ),
            (
                head(
                    b"Host: a",
                    b"Authorization: Bearer a",
                    b"Accept: */*",
                    b"authorization: Bearer b",
                ),
                400,
            ),
            (head(b"Host: a", b"Authorization: Bearer a", b"Authorization: Bearer a"), 400),
            (head(b"Host: a", b"Idempotency-Key: a", b"Idempotency-Key: b"), 400),
            (head(b"Host: a", b"X-Api-Key: a", b"X-API-Key: b"), 400),
            (head(b"Host: a", b"X-Signature: a", b"X-Signature: b"), 400),
            (head(b"Host: a", b"X-Timestamp: 1", b"X-Timestamp: 2"), 400),
            (head(b"Accept: */*"), 400),
            (head(b"Host: a", b"Host: b"), 400),
            (head(b"Host:"), 400),
            (head(b"Host: a b"), 400),
            (head(b"Host: a/../b"), 400),
            (head(b"Host: a@b"), 400),
            (head(b'Host: "><script>'), 400),
            (head(b"Host: a", b" folded: x"), 400),
            (head(b"Host: a", b": no name"), 400),
            (head(b"Host: a", b"Bad Name: x"), 400),
            (head(b"Host: a", b"X: a\x00b"), 400),
            (
                head(
                    b"Host: a",
                    b"Connection: close",
                    start=b"GET http://evil.test:99999999/ HTTP/1.1",
                ),
                400,
            ),
            (head(b"Host: a", start=b"CONNECT evil.test:443 HTTP/1.1"), 405),
            (head(b"Host: a", start=b"BREW / HTTP/1.1"), 405),
            (head(b"Host: a", start=b"get / HTTP/1.1"), 405),
            (head(b"Host: a", start=b"GETT / HTTP/1.1"), 405),
            (head(b"Host: a", start=b"G-T / HTTP/1.1"), 400),
            (head(b"Host: a", b"Host: b", start=b"GET / HTTP/1.1"), 400),
            (head(b"Host: a", start=b"GET / HTTP/9.9"), 400),
            (head(b"Host: a", start=b"GET / HTTP/0.9"), 505),
            (head(b"Host: a", start=b"GET / HTTP/2.0"), 505),
            (head(b"Host: a", start=b"A" * 10_000 + b" / HTTP/1.1"), 400),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            (b"GET /\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
            (b"\x00" * 100, 400),
        ],
    )
    async def test_are_refused(self, request_bytes: bytes, status: int) -> None:
        """What two servers could read differently is read by none, and the application never sees
        it."""
        async with guarded() as front:
            assert await status_of(front, request_bytes) == status
            assert [body for _, body in front.requests] == []

    @pytest.mark.parametrize(
        ("request_bytes", "status"),
        [
            (head(b"Host: a", b"X: " + b"y" * 1_000_000), 431),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1_000_000, 431),
            (head(b"Host: a", *(b"X-%d: y" % n for n in range(5000))), 431),
            (head(b"Host: a", *(b"X-%d: y" % n for n in range(100))), 431),
            (head(b"Host: a", b"X: " + b"y" * 33_000), 431),
            (head(b"Host: a", b"X: " + b"y" * 20_000, b"Y: " + b"y" * 20_000), 431),
            (head(b"Host: a", start=b"GET /" + b"y" * 9_000 + b" HTTP/1.1"), 414),
            (b"GET /" + b"y" * 1_000_000, 414),
            (b"GET /?" + b"y" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (head(b"Host: a", b"Content-Length: 300000") + b"x" * 300_000, 413),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"fffff\r\n" + b"x" * 300_000, 413),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"1;" + b"x" * 300_000, 413),
            (head(b"Host: a", b"Transfer-Encoding: chunked") + b"0\r\nX: " + b"x" * 300_000, 413),
        ],
        ids=[
            "1 MB header",
            "1 MB header without end",
            "5,000 headers",
            "101 headers",
            "33 kB header",
            "two 20 kB headers",
            "9 kB URL",
            "1 MB URL without end",
            "1 MB query",
            "long body",
            "long chunk",
            "long chunk extension",
            "long trailer",
        ],
    )
    async def test_too_large_is_told_what_was_too_large(
        self, request_bytes: bytes, status: int
    ) -> None:
        """Heads, URLs and messages have bounds, kept also when their end never comes."""
        async with guarded(message_bytes_max=100_000, linger_s=1) as front:
            assert await status_of(front, request_bytes) == status

    async def test_an_unknown_method_is_told_so(self) -> None:
        """A method in small letters is not called malformed HTTP: the sentence says what is wrong
        with it."""
        async with guarded() as front:
            client = await front.dial()
            client.say(head(b"Host: a", start=b"get / HTTP/1.1"))
            assert b"does not know this method; methods are in capitals" in await client.rest()

    async def test_a_head_just_within_its_bounds_passes(self) -> None:
        """One hundred headers and a URL of eight kilobytes are served."""
        async with guarded() as front:
            lines = [b"X-%d: y" % n for n in range(98)]
            start = b"GET /" + b"y" * 8_000 + b" HTTP/1.1"
            assert (
                await status_of(front, head(b"Host: a", b"Connection: close", *lines, start=start))
                == 200
            )

    async def test_trailers_do_not_become_headers(self) -> None:
        """What comes after the body cannot add to what the application was told before it."""
        async with guarded(idle_s=5) as front:
            client = await front.dial()
            client.say(
                head(b"Host: a", b"Transfer-Encoding: chunked")
                + b"1\r\na\r\n0\r\nAuthorization: b\r\n\r\n"
            )
            assert await client.answer() == (200, b"a")
            assert dict(front.headers[0]).keys() == {b"host", b"transfer-encoding"}

    async def test_a_bad_request_behind_a_waiting_one_answers_for_neither(self) -> None:
        """A refusal is never written where the client expects an earlier request's answer."""
        async with guarded() as front:
            client = await front.dial()
            client.say(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + head(b"Host: a", b"Host: b"))
            assert await client.rest() == b""

    async def test_pipelines_are_bounded(self) -> None:
        """Ten thousand requests in one packet do not become ten thousand requests in memory."""
        async with guarded(pipelined_max=8) as front:
            client = await front.dial()
            client.say(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + GET * 10_000)
            assert await client.rest() == b""
            assert len(front.headers) <= 1


class TestCaps:
    async def test_a_full_house_answers_503_at_once(self) -> None:
        """Where every connection has a request under way, the next is told so without waiting for
        its request."""
        async with guarded(connections_max=2, head_s=60) as front:
            guests = [await front.dial(), await front.dial()]
            for guest in guests:
                guest.say(GET.replace(b"GET /", b"GET /wait"))
            await self._until(front, 2)
            await until(lambda: not front.protocol.register.idle)
            said = await (await front.dial()).rest()
            assert said.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 1\r\n" in said
            front.go.set()
            assert [(await guest.answer())[0] for guest in guests] == [200, 200]
            assert (
                await status_of(front, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                == 200
            )

    async def test_an_idle_connection_makes_room_the_oldest_first(self) -> None:
        """Beyond the total the connection that has been idle for longest is closed, never one with
        a request under way."""
        async with guarded(connections_max=3, head_s=60, idle_s=60) as front:
            busy, old, new = [await front.dial() for _ in range(3)]
            busy.say(GET.replace(b"GET /", b"GET /wait"))
            for guest in (new, old, new):  # the last to ask is idle for the shortest time
                guest.say(GET)
                assert (await guest.answer())[0] == 200
            late = await front.dial()
            late.say(GET)
            assert (await late.answer())[0] == 200
            assert await old.rest() == b""
            new.say(GET)
            assert (await new.answer())[0] == 200
            front.go.set()
            assert (await busy.answer())[0] == 200
            assert front.protocol.register.refusals == {"idle_closed": 1}

    async def test_one_peer_cannot_take_the_house(self) -> None:
        """Connections are counted per peer, and a peer's count falls when it leaves."""
        async with guarded(connections_per_peer_max=1, uncounted_peers=frozenset()) as front:
            guest = await front.dial()
            guest.say(GET)
            assert (await guest.answer())[0] == 200
            assert b"from your address" in await (await front.dial()).rest()
            guest.writer.close()
            await self._until(front, 0)
            assert await status_of(front, GET) == 200

    async def test_refused_ones_that_stay_have_a_bound(self) -> None:
        """Of many refused clients that close nothing, few keep a descriptor, and all are told
        why."""
        async with guarded(
            connections_per_peer_max=1,
            uncounted_peers=frozenset(),
            head_s=60,
            idle_s=60,
            linger_s=60,
        ) as front:
            await front.dial()
            refused = [await front.dial() for _ in range(3 * LEAVING_MAX)]
            assert all([b"from your address" in await client.rest() for client in refused])
            await until(lambda: len(front.protocol.register.leaving) <= LEAVING_MAX + 1)
            assert len(front.protocol.register.connections) == 1

    async def test_loopback_is_not_counted(self) -> None:
        """Ourselves and the proxies in front of us are not one peer among others."""
        async with guarded(connections_per_peer_max=1) as front:
            clients = [await front.dial() for _ in range(5)]
            for client in clients:
                client.say(GET)
                assert (await client.answer())[0] == 200

    async def test_a_proxy_is_not_counted(self) -> None:
        """All callers of a proxy come from its address, so the limit of one peer does not hold for
        it."""
        proxies = TrustedProxies([ip_network("127.0.0.0/8")])
        async with guarded(
            connections_per_peer_max=1, uncounted_peers=frozenset(), proxies=proxies
        ) as front:
            clients = [await front.dial() for _ in range(3)]
            for client in clients:
                client.say(GET)
                assert (await client.answer())[0] == 200

    @staticmethod
    async def _until(front: Front, connections: int) -> None:
        """Wait until so many connections are left."""
        await until(lambda: len(front.protocol.register.connections) <= connections)
