"""Signed reads of a balance a second over HTTP, against the same server answering constant bytes of
the same size."""

from __future__ import annotations

import hashlib
import hmac
import random
import socket
import time

from bench.support import constant
from bench.support.desk import Bench, started, tell
from bench.support.load import Result, run

PARTNERS = 200
#: Signatures of a partner in a round, at as many times: none is seen so often that remembering it
#: could help.
TIMES = 50
CONNECTIONS = 64
ROUNDS = 3
PATH = "/wallet/balance"

Keys = tuple[str, bytes]


def main() -> None:
    """Prints the ratio."""
    with started() as bench:
        partners = [_partner(bench) for _ in range(PARTNERS)]
        size = len(_body(bench, _signed(partners[0], int(time.time() * 1000))))
        with constant.started(size) as port:
            rounds = [(_reads(bench.port, partners), _reads(port, partners)) for _ in range(ROUNDS)]
        rounds.sort(key=lambda pair: pair[0].per_second / pair[1].per_second)
        ours, bare = rounds[len(rounds) // 2]
        print(
            f"  {ours.per_second:,.0f} reads/s (p99 {ours.percentile(0.99) * 1000:.1f} ms), "
            f"{size} constant bytes {bare.per_second:,.0f}/s",
            flush=True,
        )
        tell("balance_hmac", ours.per_second / bare.per_second, "0.40")


def _partner(bench: Bench) -> Keys:
    """Makes a customer who signs."""
    made = bench.call("POST", "/sandbox/v1/customers", {"dialect": "partner"})
    return str(made["api_key"]), str(made["secret_key"]).encode()


def _reads(port: int, partners: list[Keys]) -> Result:
    """Returns how a server fared.

    The requests are signed just before, so that the load generator only sends bytes.
    """
    now_ms = int(time.time() * 1000)
    requests = [_signed(keys, now_ms + off) for keys in partners for off in range(TIMES)]
    result = run(
        port, lambda: random.choice(requests), connections=CONNECTIONS, seconds=4, warm_up=1
    )
    assert result.refused == 0, f"{result.refused} reads were refused"
    return result


def _signed(keys: Keys, at_ms: int) -> bytes:
    """Returns a request as the vendor's sample sends it: the short path is signed, and the body of
    a GET is `null`."""
    key, secret = keys
    signature = hmac.new(secret, f"{at_ms}GET{PATH}{{}}".encode(), hashlib.sha256).hexdigest()
    head = (
        f"GET /api/v1{PATH} HTTP/1.1\r\nHost: desk\r\nX-Api-Key: {key}\r\nX-Signature: "
        f"{signature}\r\nX-Timestamp: {at_ms}\r\n"
        f"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"
    )
    return head.encode() + b"null"


def _body(bench: Bench, request: bytes) -> bytes:
    """Returns the body that a read is answered with."""
    with socket.create_connection(("127.0.0.1", bench.port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65_536).partition(b"\r\n\r\n")[2]


if __name__ == "__main__":
    main()
