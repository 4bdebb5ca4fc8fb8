"""What a server says when it is ready."""

import pytest

from numdesk.cli import banner
from numdesk.config import Address, Settings
from numdesk.sandbox.seed import Credential


class TestShow:
    def test_breaks_no_url(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the output is a file of 80 columns, an address longer than that still is one word on one line."""
        settings = Settings(listen=Address("a-name-that-is-rather-long-for-a-machine.example.com", 8080))
        banner.show(settings, [Credential("smscode", 1, "nd_test_x", None)], as_json=False)
        said = capsys.readouterr().out
        base = "http://a-name-that-is-rather-long-for-a-machine.example.com:8080"
        assert f"Health        {base}/healthz   {base}/readyz   {base}/metrics\n" in said
        assert f"API smscode   {base}\n  token       nd_test_x\n" in said
