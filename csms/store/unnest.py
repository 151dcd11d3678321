"""Set-based statements from lists of rows: one array parameter per column, unnested by the server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


def transpose(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Columns of rows; `width` gives the number of columns when there are no rows."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


@dataclass(frozen=True, slots=True)
class RowType:
    """Names and SQL types of the columns of one kind of row, in order."""

    columns: tuple[tuple[str, str], ...]
    _sources: dict[tuple[str, int], str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def source(self, alias: str, first_parameter: int = 1) -> str:
        """`unnest(…) AS alias(…)` over one array parameter per column."""
        source = self._sources.get((alias, first_parameter))
        if source is None:
            arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(self.columns, first_parameter))
            source = f"unnest({arrays}) AS {alias}({', '.join(name for name, _ in self.columns)})"
            self._sources[alias, first_parameter] = source
        return source

    def parameters(self, rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
        return transpose(rows, len(self.columns))


def array_literal(values: Sequence[str]) -> str:
    """A PostgreSQL array of numbers; "" is NULL. Arrays of different lengths cannot be unnested as a two-dimensional one."""
    return "{" + ",".join([value or "NULL" for value in values]) + "}"
