"""Counts answered requests and how long they took, by dialect and call.

Cheaper than a metric object each, since it is on every path.

The counts of one process are plain numbers that only its event loop changes; Prometheus reads them
when it asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
_NAMES = (*(str(bound) for bound in _BOUNDS_S), "+Inf")


class Tally:
    """The answers to one call: how many by status, how many within each bound of time, and the time
    of all."""

    __slots__ = ("_answered", "_seconds", "_within")

    def __init__(self) -> None:
        """Begin at nothing."""
        self._answered: dict[int, int] = {}
        self._within = [0] * len(_NAMES)
        self._seconds = 0.0

    def note(self, status: int, seconds: float) -> None:
        """Count one answer."""
        self._answered[status] = self._answered.get(status, 0) + 1
        self._within[bisect_left(_BOUNDS_S, seconds)] += 1
        self._seconds += seconds

    @property
    def is_used(self) -> bool:
        """Return whether anything was counted. A call that nobody makes is not shown: its dozen
        lines would fill the page."""
        return bool(self._answered)

    def tell(
        self, labels: list[str], *, requests: CounterMetricFamily, seconds: HistogramMetricFamily
    ) -> None:
        """Add the counts to the two metrics."""
        for status, count in self._answered.items():
            requests.add_metric([*labels, str(status)], count)
        total, buckets = 0, []
        for name, count in zip(_NAMES, self._within, strict=True):
            total += count
            buckets.append((name, total))
        seconds.add_metric(labels, buckets, self._seconds)


_tallies: dict[tuple[str, str], Tally] = {}


def tally_of(dialect: str, operation: str) -> Tally:
    """Return this process's tally of a call; `operation` is its name in a key's list of methods."""
    return _tallies.setdefault((dialect, operation), Tally())


class _Tallies(Collector):
    """Shows all tallies as two metrics."""

    def collect(self) -> Iterator[Metric]:
        """Yield the counter and the histogram."""
        requests = CounterMetricFamily(
            "numdesk_http_requests", "Answered requests", labels=["dialect", "operation", "status"]
        )
        seconds = HistogramMetricFamily(
            "numdesk_http_request_seconds",
            "Time from the head of a request to its answer",
            labels=["dialect", "operation"],
        )
        for (dialect, operation), tally in sorted(_tallies.items()):
            if tally.is_used:
                tally.tell([dialect, operation], requests=requests, seconds=seconds)
        yield requests
        yield seconds


REGISTRY.register(_Tallies())
