"""Metrics for what happens with every message: counted in plain lists, a tenth of what the client library's own counters take."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString


class Tally(Collector):
    """A counter of one thread's, by the values of one label, or without any. Count with `tally.counts[index] += 1`."""

    def __init__(
        self, name: str, text: str, label: str = "", values: Sequence[str] = ("",), *, registry: CollectorRegistry = REGISTRY
    ) -> None:
        """`values`: those of the label, by index; indexes whose value is "" are not told of when there is a label."""
        self.counts: Final = [0] * len(values)
        self._name = name
        self._text = text
        self._label = label
        self._values = values
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        if self._label:
            for value, count in zip(self._values, self.counts, strict=True):
                if value:
                    family.add_metric([value], count)
        else:
            family.add_metric([], self.counts[0])
        yield family

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._text, labels=[self._label] if self._label else None)


class Durations(Collector):
    """A histogram of seconds, of one thread's."""

    def __init__(self, name: str, text: str, buckets: Sequence[float], *, registry: CollectorRegistry = REGISTRY) -> None:
        self._name = name
        self._text = text
        self._buckets = tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._buckets, seconds)] += 1
        self._sum += seconds

    def describe(self) -> Iterable[Metric]:
        yield HistogramMetricFamily(self._name, self._text)

    def collect(self) -> Iterator[Metric]:
        bounds = [*map(floatToGoString, self._buckets), "+Inf"]
        yield HistogramMetricFamily(
            self._name, self._text, buckets=list(zip(bounds, accumulate(self._counts), strict=True)), sum_value=self._sum
        )
