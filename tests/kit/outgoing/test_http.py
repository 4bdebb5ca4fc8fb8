"""Rules of outgoing HTTP.

What counts is whether a listening socket saw a connection, not what the error says.
"""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.kit.certificates import Authority
from tests.kit.names import FakeResolver, HangingResolver
from tests.kit.receiver import Receiver, receiving

from numdesk.kit.clock import Clock
from numdesk.kit.outgoing.http import POLICIES_MAX, OutgoingHttp
from numdesk.kit.outgoing.network import NetworkForbidden, forbid_network
from numdesk.kit.outgoing.policy import FAILURE_KINDS, EgressPolicy, HttpFailure

#: Hosts that some resolver or some kernel takes for this machine.
SPELLINGS_OF_US = [
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "0", "00.0.0.0", "0x7f000001",
    "0.0.0.0",  # noqa: S104 - an address to aim at, not to listen on

    "0x7f.0.0.1", "0x7F.1", "2130706433", "017700000001", "0177.0.0.1", "0177.1", "127.0.0.1.", "127.000.000.001",
    "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127｡0｡0｡1", "localhost", "LOCALHOST", "localhost.", "LocalHost",
    "ip6-localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::127.0.0.1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::FFFF:7F00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0.0.0.0]", "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25lo]",
    "%31%32%37.0.0.1", "127.0.0.1%00", "127.0.0.1%2f", "example.com@127.0.0.1", "example.com:80@127.0.0.1",
    "example.com\\@127.0.0.1", "127.0.0.1\\", "127.0.0.1\t", "\t127.0.0.1", "127.0.\t0.1", "127.0.0.1\r\n",
    "127.0.\n0.1", " 127.0.0.1", "127.0.0.1 ", "example.com#@127.0.0.1", "example.com?@127.0.0.1",
]  # fmt: skip

#: Sets of addresses a name may resolve to; each has one that must not be connected to.
POISONED_SETS = [
    ["127.0.0.1"],
    ["::1"],
    ["::ffff:127.0.0.1"],
    ["64:ff9b::7f00:1"],
    ["10.0.0.1"],
    ["169.254.169.254"],
    ["100.100.100.200"],
    ["192.0.2.1", "127.0.0.1"],
    ["8.8.8.8", "127.0.0.1"],
    ["127.0.0.1", "8.8.8.8"],
    ["2606:4700::1111", "::1"],
    ["8.8.8.8", "8.8.4.4", "fe80::1%1"],
    [f"8.8.{n // 250}.{n % 250}" for n in range(1000)] + ["127.0.0.1"],
    ["localhost"],
    ["0"],
]

Sender = Callable[..., OutgoingHttp]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """Make senders that are closed at the end."""
    made: list[OutgoingHttp] = []

    def make(
        resolver: FakeResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> OutgoingHttp:
        made.append(OutgoingHttp(Clock(), resolver=resolver, tls=tls))
        return made[-1]

    yield make
    for http in made:
        await http.close()


async def failure_of(attempt: Awaitable[object]) -> str:
    """Return the kind of failure that an attempt ends with."""
    with pytest.raises(HttpFailure) as caught:
        await attempt
    assert caught.value.kind in FAILURE_KINDS
    return caught.value.kind


def open_door(receiver: Receiver) -> EgressPolicy:
    """Return a policy that lets scheme and port pass, so that only the address guard stands in the
    way."""
    return EgressPolicy(
        allow_http=True,
        extra_ports=frozenset({receiver.port}),
        total_timeout_s=30,
        connect_timeout_s=30,
    )


class TestAddressGuard:
    @pytest.mark.parametrize("host", SPELLINGS_OF_US)
    async def test_never_connects_to_us_however_we_are_spelled(
        self, host: str, sender: Sender
    ) -> None:
        """With the system's own resolver, no spelling of this machine reaches its socket."""
        async with receiving() as receiver:
            url = f"http://{host}:{receiver.port}/"
            kind = await failure_of(
                sender().post(url, body=b"", headers={}, policy=open_door(receiver))
            )
            assert kind in {"bad_url", "forbidden_address", "resolve"}
            assert receiver.connections == 0

    @pytest.mark.parametrize(
        "addresses", POISONED_SETS, ids=lambda found: f"{len(found)}:{found[-1]}"
    )
    async def test_one_bad_address_spoils_the_name(
        self, addresses: list[str], sender: Sender
    ) -> None:
        """A name with any forbidden address among its answers is not connected to, not even at the
        good ones."""
        async with receiving() as receiver:
            http = sender(FakeResolver(evil_test=[addresses]))
            url, policy = receiver.url(host="evil.test"), open_door(receiver)
            assert (
                await failure_of(http.post(url, body=b"", headers={}, policy=policy))
                == "forbidden_address"
            )
            assert await failure_of(http.validate_url(url, policy=policy)) == "forbidden_address"
            assert receiver.connections == 0

    async def test_judges_a_name_anew_for_each_connection(self, sender: Sender) -> None:
        """A name that was good when registered and turns to us afterwards is refused when sent
        to."""
        async with receiving() as receiver:
            resolver = FakeResolver(rebind_test=[["8.8.8.8"], ["127.0.0.1"]])
            http, policy, url = (
                sender(resolver),
                open_door(receiver),
                receiver.url(host="rebind.test"),
            )
            await http.validate_url(url, policy=policy)
            assert (
                await failure_of(http.post(url, body=b"", headers={}, policy=policy))
                == "forbidden_address"
            )
            assert resolver.asked["rebind.test"] == 2
            assert receiver.connections == 0

    async def test_connects_to_the_judged_answer_without_a_second_look(
        self, sender: Sender
    ) -> None:
        """One connection asks for the name once, so a second answer has no chance to be used."""
        async with receiving() as receiver:
            resolver = FakeResolver(inbox_test=[["127.0.0.1"], ["127.0.0.9"]])
            http, policy = sender(resolver), receiver.policy("inbox.test")
            await http.post(receiver.url(host="inbox.test"), body=b"x", headers={}, policy=policy)
            assert resolver.asked["inbox.test"] == 1
            assert receiver.requests[0].startswith(b"POST /hook HTTP/1.1\r\nHost: inbox.test:")

    async def test_does_not_lend_one_policys_connection_to_another(self, sender: Sender) -> None:
        """An idle connection made under a permission is not used by a policy that lacks it."""
        async with receiving() as receiver:
            http = sender()
            await http.post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
            kind = await failure_of(
                http.post(receiver.url(), body=b"", headers={}, policy=open_door(receiver))
            )
            assert kind == "forbidden_address"
            assert len(receiver.requests) == 1

    async def test_a_strangers_name_cannot_borrow_an_allowed_address(self, sender: Sender) -> None:
        """The permission is the name's and not the address's: another name that leads there is
        refused."""
        async with receiving() as receiver:
            policy = EgressPolicy(
                allow_http=True,
                extra_ports=frozenset({receiver.port}),
                allowed=frozenset({("127.0.0.1", receiver.port)}),
            )
            http = sender(FakeResolver(evil_test=[["127.0.0.1"]]))
            kind = await failure_of(
                http.post(receiver.url(host="evil.test"), body=b"", headers={}, policy=policy)
            )
            assert kind == "forbidden_address"
            assert receiver.connections == 0

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_does_not_follow_redirects(self, status: int, sender: Sender) -> None:
        """A redirect is an answer; the place it names is not visited."""
        async with receiving() as victim:
            location = (
                f"HTTP/1.1 {status} Go\r\nLocation: {victim.url()}\r\nContent-Length: 0\r\n\r\n"
            )
            async with receiving(location.encode()) as receiver:
                policy = EgressPolicy(
                    allowed=frozenset({("127.0.0.1", receiver.port), ("127.0.0.1", victim.port)})
                )
                answer = await sender().get(receiver.url(), headers={}, policy=policy)
            assert answer.status == status
            assert victim.connections == 0

    async def test_ignores_proxies_of_the_environment(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A proxy variable does not send our requests elsewhere."""
        async with receiving() as proxy, receiving() as receiver:
            monkeypatch.setenv("http_proxy", proxy.url())
            monkeypatch.setenv("all_proxy", proxy.url())
            await sender().post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
            assert (proxy.connections, receiver.connections) == (0, 1)


class TestNames:
    async def test_unknown_names_are_resolve_failures(self, sender: Sender) -> None:
        """A name that nobody knows, or that has no address, is told as such, at registration and
        when sending."""
        http = sender(FakeResolver(empty_test=[[]]))
        for url in ("https://unknown.test/", "https://empty.test/"):
            assert (
                await failure_of(http.post(url, body=b"", headers={}, policy=EgressPolicy()))
                == "resolve"
            )
            assert await failure_of(http.validate_url(url, policy=EgressPolicy())) == "resolve"

    async def test_slow_name_servers_hold_nobody(self, sender: Sender) -> None:
        """A look-up ends with the policy's connect time, at registration and when sending, and is
        told as what it is."""
        http, policy = (
            sender(HangingResolver()),
            EgressPolicy(connect_timeout_s=0.05, total_timeout_s=0.05),
        )
        assert (
            await failure_of(http.validate_url("https://a.hanging.test/", policy=policy))
            == "resolve"
        )
        assert (
            await failure_of(http.get("https://a.hanging.test/", headers={}, policy=policy))
            == "resolve"
        )

    async def test_accepts_a_public_name_and_a_public_address(self, sender: Sender) -> None:
        """Registration takes names whose addresses are all public, and public addresses
        themselves."""
        http = sender(FakeResolver(good_test=[["8.8.8.8", "2606:4700::1111"]]))
        await http.validate_url("https://good.test/hook", policy=EgressPolicy())
        await http.validate_url("https://8.8.8.8/hook", policy=EgressPolicy())
        assert (
            await failure_of(http.validate_url("https://10.1.2.3/", policy=EgressPolicy()))
            == "forbidden_address"
        )


class TestExchange:
    async def test_sends_the_bytes_and_returns_the_answer(self, sender: Sender) -> None:
        """Body and headers arrive as given.

        Nothing is added that would invite a compressed answer.
        """
        async with receiving() as receiver:
            headers = {"Content-Type": "application/json", "X-Signature": "sha256=00"}
            answer = await sender().post(
                receiver.url("/a?b=%20"), body=b"{}", headers=headers, policy=receiver.policy()
            )
            request = receiver.requests[0]
        assert (answer.status, answer.body_head, answer.is_cut) == (200, b"ok", False)
        assert answer.elapsed_ms >= 0
        assert request.startswith(b"POST /a?b=%20 HTTP/1.1\r\n")
        assert request.endswith(b"\r\n\r\n{}")
        assert b"X-Signature: sha256=00\r\n" in request
        assert b"Accept-Encoding: identity\r\n" in request
        assert b"Cookie" not in request

    async def test_keeps_the_connection(self, sender: Sender) -> None:
        """Requests one after the other share one connection, and the name is asked for once."""
        async with receiving() as receiver:
            resolver = FakeResolver(inbox_test=[["127.0.0.1"]])
            http, policy = sender(resolver), receiver.policy("inbox.test")
            for _ in range(5):
                await http.post(
                    receiver.url(host="inbox.test"), body=b"x", headers={}, policy=policy
                )
            assert receiver.connections == 1
            assert len(receiver.requests) == 5
            assert resolver.asked["inbox.test"] == 1

    async def test_sends_no_cookies_back(self, sender: Sender) -> None:
        """A cookie that one answer sets is not in the next request."""
        async with receiving(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        ) as receiver:
            http = sender()
            for _ in range(2):
                await http.post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
            assert b"ookie" not in receiver.requests[1]

    async def test_refuses_inside_a_transaction(self, sender: Sender) -> None:
        """Where the network is forbidden nothing is sent, resolved or judged."""
        async with receiving() as receiver:
            http = sender()
            with forbid_network("orders.create"):
                with pytest.raises(NetworkForbidden):
                    await http.post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
                with pytest.raises(NetworkForbidden):
                    await http.validate_url(receiver.url(), policy=receiver.policy())
            assert receiver.connections == 0

    @pytest.mark.parametrize(
        "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "X\r\nY"]
    )
    async def test_keeps_the_framing_headers_to_itself(self, name: str, sender: Sender) -> None:
        """A caller cannot say where a message ends or whom it is for."""
        with pytest.raises(ValueError, match="header"):
            await sender().post(
                "https://8.8.8.8/", body=b"", headers={name: "x"}, policy=EgressPolicy()
            )

    async def test_refuses_line_breaks_in_values(self, sender: Sender) -> None:
        """A header's value cannot begin another header."""
        with pytest.raises(ValueError, match="line break"):
            await sender().post(
                "https://8.8.8.8/", body=b"", headers={"X": "a\r\nY: b"}, policy=EgressPolicy()
            )

    async def test_refuses_policies_made_per_request(self, sender: Sender) -> None:
        """Each policy holds connections, so their number is bounded."""
        http = sender(FakeResolver())
        for n in range(POLICIES_MAX):
            policy = EgressPolicy(total_timeout_s=n + 1)
            assert (
                await failure_of(http.get("https://a.test/", headers={}, policy=policy))
                == "resolve"
            )
        with pytest.raises(RuntimeError, match="made at start"):
            await http.get("https://a.test/", headers={}, policy=EgressPolicy(total_timeout_s=0.5))


class TestHostileReceiver:
    async def test_cuts_an_endless_body(self, sender: Sender) -> None:
        """Of a gigabyte two kilobytes are kept; the status stands, the connection does not."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async with receiving(answer) as receiver:
            http = sender()
            for _ in range(2):
                got = await http.post(
                    receiver.url(), body=b"", headers={}, policy=receiver.policy()
                )
                assert (got.status, len(got.body_head), got.is_cut) == (200, 2048, True)
            assert receiver.connections == 2

    async def test_does_not_inflate(self, sender: Sender) -> None:
        """A compressed answer stays compressed, however large it would become."""
        bomb = gzip.compress(b"\0" * 10_000_000)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
        async with receiving(head + bomb) as receiver:
            got = await sender().post(
                receiver.url(), body=b"", headers={}, policy=receiver.policy()
            )
            assert got.body_head == bomb[:2048]

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (
                b"HTTP/1.1 200 OK\r\n"
                + b"".join(b"X-%d: y\r\n" % n for n in range(5000))
                + b"\r\n",
                "too_large",
            ),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", "too_large"),
            (b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n\r\n", "too_large"),
            (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol"),
            (b"\x16\x03\x01\x00\x00", "protocol"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "protocol"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "protocol"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "protocol"),
        ],
        ids=[
            "many headers",
            "long header",
            "long reason",
            "ssh",
            "tls",
            "two lengths",
            "negative length",
            "bad chunk",
        ],
    )
    async def test_names_broken_answers(self, answer: bytes, kind: str, sender: Sender) -> None:
        """Heads beyond their bound and answers that are not HTTP end the exchange."""
        async with receiving(answer) as receiver:
            attempt = sender().post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
            assert await failure_of(attempt) == kind

    @pytest.mark.parametrize(
        ("start", "drip"),
        [
            (b"", b""),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b""),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        ids=["silent", "hangs after the head", "drips a body", "drips headers", "1xx for ever"],
    )
    async def test_ends_in_time_whatever_drips(
        self, start: bytes, drip: bytes, sender: Sender
    ) -> None:
        """The total time is kept against receivers that keep just alive."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            while True:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(0.005)

        async with receiving(answer) as receiver:
            attempt = sender().post(
                receiver.url(), body=b"", headers={}, policy=receiver.policy(total_timeout_s=0.2)
            )
            async with asyncio.timeout(60):
                assert await failure_of(attempt) in {"timeout", "too_large"}

    async def test_names_a_reset(self, sender: Sender) -> None:
        """A connection that breaks before the answer is whole is a protocol failure."""

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
            await writer.drain()
            writer.transport.abort()
            raise ConnectionResetError

        async with receiving(answer) as receiver:
            attempt = sender().post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
            assert await failure_of(attempt) == "protocol"

    async def test_names_a_closed_port(self, sender: Sender) -> None:
        """Where nobody listens the failure is one of connecting."""
        async with receiving() as receiver:
            pass
        attempt = sender().post(receiver.url(), body=b"", headers={}, policy=receiver.policy())
        assert await failure_of(attempt) == "connect"


class TestTls:
    async def test_speaks_tls_to_the_name_at_the_judged_address(
        self, sender: Sender, tmp_path: Path
    ) -> None:
        """The certificate is checked against the name although the connection goes to an
        address."""
        authority = Authority.create()
        async with receiving(tls=authority.server_context("inbox.test", tmp_path)) as receiver:
            http = sender(FakeResolver(inbox_test=[["127.0.0.1"]]), authority.client_context())
            url = receiver.url(host="inbox.test", scheme="https")
            answer = await http.post(
                url, body=b"", headers={}, policy=receiver.policy("inbox.test")
            )
            assert answer.status == 200

    @pytest.mark.parametrize("fault", ["self-signed", "wrong name", "expired", "plain text"])
    async def test_refuses_bad_certificates(
        self, fault: str, sender: Sender, tmp_path: Path
    ) -> None:
        """A certificate that does not prove the name ends the exchange before the request is
        sent."""
        authority = Authority.create()
        name = "other.test" if fault == "wrong name" else "inbox.test"
        until = (
            datetime(2021, 1, 1, tzinfo=UTC)
            if fault == "expired"
            else datetime(2100, 1, 1, tzinfo=UTC)
        )
        tls = (
            None if fault == "plain text" else authority.server_context(name, tmp_path, until=until)
        )
        trust = (Authority.create() if fault == "self-signed" else authority).client_context()
        async with receiving(tls=tls) as receiver:
            http = sender(FakeResolver(inbox_test=[["127.0.0.1"]]), trust)
            policy = receiver.policy(
                "inbox.test", total_timeout_s=0.5 if fault == "plain text" else 10
            )
            url = receiver.url(host="inbox.test", scheme="https")
            kind = await failure_of(http.post(url, body=b"secret", headers={}, policy=policy))
            assert kind == ("timeout" if fault == "plain text" else "tls")
            assert not any(b"secret" in request for request in receiver.requests)
