"""Collects the metrics of a process in short steps, adds those of several up, and writes them for
Prometheus."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    PROCESS_COLLECTOR,
    REGISTRY,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: So many lines are written before others get their turn: a millisecond's work.
LINES_PER_STEP = 100
#: Amounts that several processes have together. Of other gauges, such as ages, the largest counts.
SUMMED_GAUGES = frozenset(
    {
        "numdesk_connections",
        "numdesk_connections_max",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)

disable_created_metrics()
REGISTRY.unregister(PROCESS_COLLECTOR)  # it reads /proc, so `collect` asks it in a thread


async def collect() -> list[Metric]:
    """Return what this process has counted; the event loop is given free after each family."""
    found = await asyncio.to_thread(lambda: list(PROCESS_COLLECTOR.collect()))
    for family in REGISTRY.collect():
        found.append(family)
        await asyncio.sleep(0)
    return found


async def render(families: Iterable[Metric]) -> bytes:
    """Return the text that Prometheus reads; the event loop is given free after each step."""
    parts = []
    for family in families:
        for place in range(0, max(len(family.samples), 1), LINES_PER_STEP):
            samples = family.samples[place : place + LINES_PER_STEP]
            text = generate_latest(
                _Only(_family(family.name, family.documentation, family.type, samples))
            )
            parts.append(
                text if place == 0 else b"".join(text.splitlines(keepends=True)[2:])
            )  # HELP and TYPE stand once
            await asyncio.sleep(0)
    return b"".join(parts)


def pack(families: Iterable[Metric]) -> bytes:
    """Return families in a form that another process can `unpack`."""
    return msgspec.msgpack.encode(
        [
            (
                one.name,
                one.documentation,
                one.type,
                [(s.name, s.labels, s.value) for s in one.samples],
            )
            for one in families
        ]
    )


def unpack(data: bytes) -> list[Metric]:
    """Return the families that another process has packed."""
    return [
        _family(name, text, kind, [Sample(*sample) for sample in samples])
        for name, text, kind, samples in msgspec.msgpack.decode(data)
    ]


def add_up(processes: Iterable[Sequence[Metric]]) -> list[Metric]:
    """Return the metrics of several processes as one: counts and amounts are summed, of other
    gauges the largest is taken."""
    families: dict[str, tuple[Metric, dict[tuple[object, ...], Sample]]] = {}
    for family in (family for process in processes for family in process):
        _, samples = families.setdefault(family.name, (family, {}))
        takes_largest = (
            family.type not in ("counter", "histogram") and family.name not in SUMMED_GAUGES
        )
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            before = samples.get(key)
            if before is None:
                samples[key] = sample
            else:
                value = (
                    max(before.value, sample.value)
                    if takes_largest
                    else before.value + sample.value
                )
                samples[key] = sample._replace(value=value)
    return [
        _family(one.name, one.documentation, one.type, samples.values())
        for one, samples in families.values()
    ]


def counts_of(families: Iterable[Metric]) -> list[Metric]:
    """Return only counters, which outlive the process that counted it."""
    return [family for family in families if family.type in ("counter", "histogram")]


class _Only(Collector):
    """A registry of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]


def _family(name: str, text: str, kind: str, samples: Iterable[Sample]) -> Metric:
    family = Metric(name, text, kind)
    family.samples = list(samples)
    return family
