"""What a server says when it is ready."""

import socket

import pytest

from numdesk.cli import banner
from numdesk.config import Address, Settings
from numdesk.sandbox.seed import Credential


class TestShow:
    def test_breaks_no_url(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the output is a file of 80 columns, an address longer than that still is one word
        on one line."""
        settings = Settings(
            listen=Address("a-name-that-is-rather-long-for-a-machine.example.com", 8080)
        )
        banner.show(
            settings, [Credential("smscode", 1, "nd_test_x", None)], ops=None, as_json=False
        )
        said = capsys.readouterr().out
        base = "http://a-name-that-is-rather-long-for-a-machine.example.com:8080"
        assert f"Health        {base}/healthz   {base}/readyz\n" in said
        assert f"API smscode   {base}\n  token       nd_test_x\n" in said

    def test_says_where_operators_look(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The operators' listener is named with the port that it really has, and only when there is
        one."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            banner.show(Settings(), None, ops=listener, as_json=False)
            ops_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert f"Operators   {ops_url}/metrics   {ops_url}/readyz\n" in capsys.readouterr().out
        banner.show(Settings(), None, ops=None, as_json=False)
        assert "metrics" not in capsys.readouterr().out
