"""Rules of logging as it reaches the stream."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from numdesk.kit.log import accept_request_id, configure_logging, get_logger, request_id

CANARIES = {
    "token": "nd_live_5wq81",
    "authorization": "Bearer zzz",
    "psw": "psw-canary",
    "password": "password-canary",
    "secret": "secret-canary",
    "text": "Your code is 4711",
    "body": "body-canary",
    "api_key": "key-canary",
}


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(style: Any = "json") -> io.StringIO:
    """Set logging up on a stream of its own and return it."""
    stream = io.StringIO()
    get_logger(__name__, "order", "status", *CANARIES)
    configure_logging(style=style, stream=stream)
    return stream


def crash(text: str) -> None:
    """Log an exception with this text."""
    structlog.get_logger().error("crashed", exc_info=ValueError(text))


class TestConfigureLogging:
    def test_writes_one_json_object_a_record(self) -> None:
        """Level, time, logger and the known fields stand in one line."""
        stream = logged()
        structlog.get_logger("numdesk.orders").info("order created", order="ord_1", status=200)
        record = json.loads(stream.getvalue())
        assert record.pop("timestamp").endswith("Z")
        assert record == {
            "event": "order created",
            "level": "info",
            "logger": "numdesk.orders",
            "order": "ord_1",
            "status": 200,
        }

    @pytest.mark.parametrize("style", ["json", "text"])
    def test_canaries_do_not_reach_the_stream(self, style: str) -> None:
        """Planted secrets are in no line, whether given by name, in a traceback or by a library."""
        stream = logged(style)
        structlog.get_logger().warning("call", msisdn="+79161234567", **CANARIES)
        logging.getLogger("library").error("failed: psw=%s to %s", CANARIES["psw"], "79161234567")
        logging.getLogger("uvicorn.access").info('"GET /?psw=%s HTTP/1.1" 200', CANARIES["psw"])
        crash(f"password={CANARIES['password']}")
        written = stream.getvalue()
        assert "79161234567" not in written
        assert "7916***4567" in written
        for canary in CANARIES.values():
            assert canary not in written

    @pytest.mark.parametrize("style", ["json", "text"])
    def test_no_value_makes_a_line(self, style: str) -> None:
        """A record is one line whatever is in it, so nobody can forge another."""
        stream = logged(style)
        evil = "a\r\n2026 INFO forged\u2028\x1b[2J\u202e"
        structlog.get_logger().info(evil, order=evil)
        written = stream.getvalue()
        assert written.count("\n") == 1
        assert len(written.splitlines()) == 1
        assert not any(steering in written for steering in "\r\x1b\u2028\u202e")

    def test_indents_tracebacks_in_text(self) -> None:
        """The lines of a traceback cannot pass for records."""
        stream = logged("text")
        crash("one\n2026-01-01 info forged")
        first, *rest = stream.getvalue().splitlines()
        assert "crashed" in first
        assert all(line.startswith("    | ") for line in rest)

    def test_carries_the_request_id(self) -> None:
        """Every line written for a request says which, those of libraries too."""
        stream = logged()
        token = request_id.set("req-12345678")
        try:
            structlog.get_logger().info("ours")
            logging.getLogger("library").warning("theirs")
        finally:
            request_id.reset(token)
        structlog.get_logger().info("outside")
        ids = [json.loads(line).get("request_id") for line in stream.getvalue().splitlines()]
        assert ids == ["req-12345678", "req-12345678", None]

    def test_withholds_what_no_logger_declares(self) -> None:
        """A field is written once a logger declares it, also one that is made after logging was set
        up."""
        stream = logged()
        structlog.get_logger().info("before", novel_field="seen")
        get_logger("numdesk.late", "novel_field").info("after", novel_field="seen")
        values = [json.loads(line)["novel_field"] for line in stream.getvalue().splitlines()]
        assert values == ["[withheld]", "seen"]

    def test_leaves_out_what_is_below_the_level(self) -> None:
        """Records below the level cost nothing and say nothing."""
        stream = logged()
        structlog.get_logger().debug("detail")
        assert stream.getvalue() == ""


class TestAcceptRequestId:
    @pytest.mark.parametrize("offered", ["abcd-1234", "A" * 64])
    def test_takes_harmless_ids(self, offered: str) -> None:
        """A client's id is kept when it is short and plain."""
        assert accept_request_id(offered, new="new") == offered

    @pytest.mark.parametrize(
        "offered",
        [None, "", "short", "a" * 65, "abcd 1234", "abcd\n1234", "абвгдежз", "abcdefgh\n"],
    )
    def test_replaces_others(self, offered: str | None) -> None:
        """Anything else is replaced by an id of ours."""
        assert accept_request_id(offered, new="new") == "new"
