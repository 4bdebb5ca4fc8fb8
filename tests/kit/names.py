"""Names for tests: a resolver whose answers a test writes, and a name server on loopback."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import DNSHandler, DNSServer


class FakeResolver:
    """Answers from a script; the last answer of a name is repeated."""

    def __init__(self, **names: list[list[str]]) -> None:
        """Know the names; underscores in a keyword stand for dots."""
        self._answers = {name.replace("_", "."): deque(answers) for name, answers in names.items()}
        self.asked: defaultdict[str, int] = defaultdict(int)

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the next answer for `host`.

        An unknown name raises OSError as the system's resolver does.
        """
        self.asked[host] += 1
        answers = self._answers.get(host)
        if answers is None:
            raise OSError(f"{host} is not known")
        return answers.popleft() if len(answers) > 1 else answers[0]

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""


class HangingResolver(FakeResolver):
    """Never answers for a name below hanging.test."""

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the next answer for `host`, or nothing for ever."""
        if host.endswith("hanging.test"):
            self.asked[host] += 1
            await asyncio.Event().wait()
        return await super().resolve(host, port)


class _Names:
    """Knows good.test, never answers below hanging.test, and knows nothing else."""

    def resolve(self, request: DNSRecord, _handler: DNSHandler) -> DNSRecord | None:
        """Return the answer, or None to stay silent."""
        reply, name = request.reply(), str(request.q.qname).rstrip(".")
        if name.endswith("hanging.test"):
            return None
        if name != "good.test":
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A("8.8.8.8"), ttl=1))
        return reply


class _Handler(DNSHandler):
    """Sends nothing where there is no answer."""

    def get_reply(self, data: bytes) -> bytes:
        """Return the bytes of an answer."""
        reply = self.server.resolver.resolve(DNSRecord.parse(data), self)
        return b"" if reply is None else reply.pack()


@contextmanager
def name_server() -> Iterator[str]:
    """Answer for the length of the block; gives HOST:PORT."""
    server = DNSServer(_Names(), address="127.0.0.1", port=0, handler=_Handler)
    server.start_thread()
    try:
        yield f"127.0.0.1:{server.server.server_address[1]}"
    finally:
        server.stop()
        server.server.server_close()
