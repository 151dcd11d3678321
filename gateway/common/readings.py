"""From sampled values to readings: which numbers are taken as such, and the interned shapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from csms.domain.metering import CONTEXT_NUMBER, Channel, Reading
from csms.domain.operations import StationTime

MAX_NUMBER_LENGTH: Final = 40
MAX_EXPONENT: Final = 15
"""Beyond these a number is kept as text: no meter means it, and it would break every sum."""

Group = tuple[int, tuple[Channel, ...], tuple[int, ...]]
"""A context's number, its channels, and where their values are among the samples."""

# together they bound what hostile shapes can make us remember to a few megabytes
_LAYOUTS: Final = 1024
MAX_CACHED_SAMPLES: Final = 48

Sample = TypeVar("Sample", bound=tuple[object, ...])

_number: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2}))?").fullmatch


def decimal_text(value: str) -> str | None:
    """`value` if it is a finite decimal of sane size, without blanks around it; None otherwise."""
    if len(value) > MAX_NUMBER_LENGTH:
        return None
    found = _number(value)
    if found is None:
        bare = value.strip(" \t\r\n")
        return decimal_text(bare) if bare != value else None
    exponent = found[1]
    return value if exponent is None or -MAX_EXPONENT <= int(exponent) <= MAX_EXPONENT else None


def group(samples: Sequence[tuple[str | None, Channel]]) -> tuple[Group, ...]:
    """Sort the samples of one meterValue by context, in order of appearance; an absent one is Sample.Periodic."""
    intern = _interned if len(samples) <= MAX_CACHED_SAMPLES else _interned.__wrapped__
    positions: dict[int, list[int]] = {}
    for position, (context, _) in enumerate(samples):
        positions.setdefault(0 if context is None else CONTEXT_NUMBER[context], []).append(position)
    return tuple(
        (context, intern(tuple(samples[position][1] for position in found)), tuple(found)) for context, found in positions.items()
    )


@lru_cache(maxsize=_LAYOUTS)
def _interned(shape: tuple[Channel, ...]) -> tuple[Channel, ...]:
    return shape


def remember_layouts(
    build: Callable[[tuple[Sample, ...]], tuple[Group, ...]],
) -> Callable[[tuple[Sample, ...]], tuple[Group, ...]]:
    """Wrap `build`, which groups the samples of one meterValue, so that repeated ones are looked up.

    A `Sample` is a tuple of all that the version's sampled value says about a value.
    """
    cached = lru_cache(maxsize=_LAYOUTS)(build)

    def layout(samples: tuple[Sample, ...]) -> tuple[Group, ...]:
        return cached(samples) if len(samples) <= MAX_CACHED_SAMPLES else build(samples)

    return layout


def reading(time: StationTime, group: Group, values: list[str], texts: list[str | None] | None) -> Reading:
    """The reading of one group; `values` and `texts` are those of all samples of the meterValue."""
    context, shape, positions = group
    if len(positions) != len(values):  # else they are all of them, in their order
        values = [values[position] for position in positions]
        texts = None if texts is None else [texts[position] for position in positions]
    ts_text = time.text if time.ts is None else None
    return Reading(time.ts, ts_text, context, shape, values, None if texts is None else _texts(texts))


def _texts(texts: list[str | None]) -> list[str | None] | None:
    return texts if any(text is not None for text in texts) else None
