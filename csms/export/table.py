"""What an export's rows are made of."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["text", "integer", "boolean", "decimal", "time"]


class Column(msgspec.Struct, frozen=True):
    """`scale`: the decimals of a decimal. Times are UTC. Any value may be missing (None)."""

    name: str
    kind: Kind = "text"
    scale: int = 4


class Table(msgspec.Struct, frozen=True):
    """`name` is used for files."""

    name: str
    columns: tuple[Column, ...]
