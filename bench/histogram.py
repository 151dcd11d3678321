"""Latencies as the fleet counts them: buckets of microseconds that several processes' counts are added up in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


class Histogram:
    """Counts by value in microseconds, at the resolution of the HDR histograms that they come from (three digits)."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    @classmethod
    def merged(cls, parts: Iterable[Mapping[str, Any]]) -> Histogram:
        """The sum of histograms in the form that the fleet writes."""
        result = cls()
        for part in parts:
            for value, count in part["buckets"]:
                result.counts[value] = result.counts.get(value, 0) + count
        return result

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def quantile_ms(self, share: float) -> float | None:
        """The time that this share of all took at most, in milliseconds; None without a count."""
        left = share * self.count
        for value in sorted(self.counts):
            left -= self.counts[value]
            if left <= 0:
                return value / 1000
        return None

    def summary(self) -> dict[str, float | int | None]:
        """Count, quantiles and the longest, in milliseconds."""
        quantiles = {f"{name}_ms": self.quantile_ms(share) for name, share in QUANTILES.items()}
        longest = max(self.counts, default=None)
        return {"count": self.count, **quantiles, "longest_ms": None if longest is None else longest / 1000}

    def to_json(self) -> dict[str, Any]:
        return {**self.summary(), "buckets": sorted(self.counts.items())}
