"""Host names of the sandbox API: the listening address and the names of this machine."""

import pytest

from numdesk.sandbox.hosts import own_hosts


class TestOwnHosts:
    """The Host headers that are accepted."""

    @pytest.mark.parametrize(
        ("base_url", "accepted", "refused"),
        [
            ("http://127.0.0.1:8080", b"localhost:8080", b"localhost"),
            ("http://desk.test", b"desk.test", b"desk.test:8080"),
            ("http://DESK.test", b"desk.test:80", b"rebound.example"),
        ],
    )
    def test_have_the_port_unless_it_is_80(
        self, base_url: str, accepted: bytes, refused: bytes
    ) -> None:
        """Only the default port of http can be left out."""
        hosts = own_hosts(base_url)
        assert accepted in hosts
        assert refused not in hosts
