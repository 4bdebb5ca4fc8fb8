"""Rules of metrics: how they are added up, and what they cost the event loop."""

import asyncio

import pytest
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from numdesk.kit import metrics


def counter(name: str, **values: float) -> Metric:
    """Return a counter with a label."""
    family = CounterMetricFamily(name, "Some things", labels=["kind"])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family


def gauge(name: str, value: float) -> Metric:
    """Return a gauge."""
    return GaugeMetricFamily(name, "Some state", value=value)


class TestAddUp:
    async def test_sums_counts_label_by_label(self) -> None:
        """A count of several processes is the sum of theirs, and one that only one of them has is
        kept."""
        both = metrics.add_up([[counter("jobs", done=2, failed=1)], [counter("jobs", done=5)]])
        lines = (await metrics.render(both)).decode().splitlines()
        assert lines[1:] == [
            "# TYPE jobs_total counter",
            'jobs_total{kind="done"} 7.0',
            'jobs_total{kind="failed"} 1.0',
        ]

    @pytest.mark.parametrize(
        ("name", "value"), [("numdesk_ledger_imbalance", 3), ("process_resident_memory_bytes", 4)]
    )
    def test_takes_the_largest_of_states_and_the_sum_of_amounts(
        self, name: str, value: float
    ) -> None:
        """What each process says of the whole desk counts once.

        Memory and the like are added up.
        """
        [family] = metrics.add_up([[gauge(name, 3)], [gauge(name, 1)]])
        assert [sample.value for sample in family.samples] == [value]

    def test_is_the_same_after_the_way_between_processes(self) -> None:
        """Packed and unpacked, metrics are what they were, numbers beyond all others included."""
        families = [counter("jobs", done=2, failed=float("inf"))]
        again = metrics.unpack(metrics.pack(families))
        assert [(one.name, one.type, one.documentation, one.samples) for one in again] == [
            (one.name, one.type, one.documentation, one.samples) for one in families
        ]


class TestRender:
    async def test_writes_what_the_library_writes(self) -> None:
        """In steps or at once, the text is the same, with one head for each family."""
        many = counter(
            "jobs", **{f"kind{number}": number for number in range(metrics.LINES_PER_STEP * 3 + 1)}
        )

        class All(Collector):
            def collect(self) -> list[Metric]:
                return [many, gauge("state", 1)]

        assert await metrics.render(All().collect()) == generate_latest(All())

    async def test_never_holds_the_event_loop(self) -> None:
        """Others get their turn many times while a large page of metrics is written."""
        many = counter(
            "jobs", **{f"kind{number}": number for number in range(metrics.LINES_PER_STEP * 20)}
        )
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.ensure_future(others())
        await metrics.render([many])
        task.cancel()
        assert turns >= 20
