"""Rules of the connection limits as shipped."""

from numdesk.kit.incoming import connection_limits as answers
from numdesk.kit.incoming.connection_limits import ConnectionLimits


class TestConnectionLimits:
    def test_counts_ticks_so_that_the_time_has_certainly_passed(self) -> None:
        """A deadline is kept to within two sweeps and is never early."""
        limits = ConnectionLimits(sweep_s=1.0)
        assert limits.ticks(10) == 11
        assert limits.ticks(0.5) == 2

    def test_ends_everything_within_fifteen_seconds(self) -> None:
        """With the limits as shipped a slow client is gone after fifteen seconds at the latest."""
        limits = ConnectionLimits()
        slowest = max(limits.head_s, limits.body_s, limits.stall_s)
        assert slowest + limits.linger_s + 3 * limits.sweep_s <= 15


class TestAnswers:
    def test_are_whole_and_end_the_connection(self) -> None:
        """Each ready-made answer has a true length and says that the connection closes."""
        ready = [
            value
            for name, value in vars(answers).items()
            if name.isupper() and isinstance(value, bytes)
        ]
        assert len(ready) == 10
        for answer in ready:
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 ")
            assert b"content-length: %d\r\n" % len(body) in head
            assert head.endswith(b"connection: close")
