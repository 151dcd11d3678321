"""Counters in plain lists say to Prometheus what the client library's own would say."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from csms.tallies import Durations, Tally


def _without_creation_times(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_a_tally_reads_like_a_counter() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("frames_in_total", "What came in", "kind", ["", "call", "", "pong"], registry=ours)
    counter = Counter("frames_in_total", "What came in", ["kind"], registry=theirs)
    for index, kind in ((1, "call"), (1, "call"), (3, "pong")):
        tally.counts[index] += 1
        counter.labels(kind).inc()
    assert _without_creation_times(ours) == _without_creation_times(theirs)
    assert ours.get_sample_value("frames_in_total", {"kind": "call"}) == 2


def test_a_tally_without_a_label() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Tally("answered_total", "What was answered", registry=ours).counts[0] += 3
    Counter("answered_total", "What was answered", registry=theirs).inc(3)
    assert _without_creation_times(ours) == _without_creation_times(theirs)


def test_durations_read_like_a_histogram() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.001, 0.25, 1.0, 10.0)
    durations = Durations("took_seconds", "How long it took", bounds, registry=ours)
    histogram = Histogram("took_seconds", "How long it took", buckets=bounds, registry=theirs)
    for seconds in (0.0, 0.001, 0.0011, 0.3, 1.0, 9.5, 10.5, 1000.0):
        durations.observe(seconds)
        histogram.observe(seconds)
    assert _without_creation_times(ours) == _without_creation_times(theirs)
