"""Rows to bytes, piece by piece: what is written is given out, and nothing of it is kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

import msgspec

from csms.export.table import Column, Table

Format: TypeAlias = Literal["csv", "json", "jsonl", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""
_ROWS_PER_GROUP: Final = 5_000
_PRECISION: Final = 38
_context: Final = Context(prec=_PRECISION + 10, rounding=ROUND_HALF_EVEN)


class RowWriter(Protocol):
    """Gives the bytes that are due after some rows, and after the last."""

    def write(self, rows: Sequence[Sequence[Any]]) -> bytes: ...

    def end(self) -> bytes: ...


class ParquetMissing(Exception):
    """pyarrow is not installed (`pip install open-csms[export]`)."""


def make_writer(form: Format, table: Table) -> RowWriter:
    """Raises ParquetMissing."""
    if form == "csv":
        return _Csv(table)
    if form == "parquet":
        return _parquet(table)
    return _Json(table, lines=form == "jsonl")


class _Csv:
    """RFC 4180 with a header, in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe before it."""

    def __init__(self, table: Table) -> None:
        self._text = [column.kind == "text" for column in table.columns]
        self._pending = _csv_line([[column.name for column in table.columns]])

    def write(self, rows: Sequence[Sequence[Any]]) -> bytes:
        begun, self._pending = self._pending, b""
        return begun + _csv_line([self._cell(value, text) for value, text in zip(row, self._text, strict=True)] for row in rows)

    def end(self) -> bytes:
        begun, self._pending = self._pending, b""
        return begun

    def _cell(self, value: Any, text: bool) -> str:
        shown = _shown(value)
        return f"'{shown}" if text and shown.startswith(_FORMULAS) else shown


def _csv_line(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


class _Json:
    """An object for each row: one after the other in an array, or each on a line of its own. Decimals are numbers."""

    def __init__(self, table: Table, *, lines: bool) -> None:
        self._names = [column.name for column in table.columns]
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._lines = lines
        self._before = b"" if lines else b"[\n"

    def write(self, rows: Sequence[Sequence[Any]]) -> bytes:
        if not rows:
            return b""
        objects = [self._encode(dict(zip(self._names, row, strict=True))) for row in rows]
        if self._lines:
            return b"\n".join(objects) + b"\n"
        before, self._before = self._before, b",\n"
        return before + b",\n".join(objects)

    def end(self) -> bytes:
        if self._lines:
            return b""
        return b"[]\n" if self._before == b"[\n" else b"\n]\n"


def _parquet(table: Table) -> RowWriter:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ParquetMissing from None

    def kind(column: Column) -> Any:
        return {
            "text": pyarrow.string(),
            "integer": pyarrow.int64(),
            "boolean": pyarrow.bool_(),
            "decimal": pyarrow.decimal128(_PRECISION, column.scale),
            "time": pyarrow.timestamp("us", tz="UTC"),
        }[column.kind]

    schema = pyarrow.schema([pyarrow.field(column.name, kind(column)) for column in table.columns])

    class Parquet:
        """Groups of rows, each given out when it is full. Decimals are exact: Decimal128."""

        def __init__(self) -> None:
            self._sink = _Sink()
            self._writer = pyarrow.parquet.ParquetWriter(self._sink, schema, compression="zstd")
            self._rows: list[Sequence[Any]] = []

        def write(self, rows: Sequence[Sequence[Any]]) -> bytes:
            self._rows.extend(rows)
            while len(self._rows) >= _ROWS_PER_GROUP:
                self._group(self._rows[:_ROWS_PER_GROUP])
                del self._rows[:_ROWS_PER_GROUP]
            return self._sink.take()

        def end(self) -> bytes:
            if self._rows:
                self._group(self._rows)
                self._rows = []
            self._writer.close()
            return self._sink.take()

        def _group(self, rows: Sequence[Sequence[Any]]) -> None:
            arrays = [
                pyarrow.array([_exact(row[place], column) for row in rows], type=field.type)
                for place, (column, field) in enumerate(zip(table.columns, schema, strict=True))
            ]
            self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), row_group_size=_ROWS_PER_GROUP)

    return Parquet()


def _exact(value: Any, column: Column) -> Any:
    """What pyarrow takes for a column of this kind."""
    if value is None:
        return None
    if column.kind == "decimal":
        # a station may report a register that no meter has: then the cell is empty, and the export goes on
        fits = value.is_finite() and value.adjusted() < _PRECISION - column.scale
        return _context.quantize(value, Decimal(1).scaleb(-column.scale)) if fits else None
    return str(value) if column.kind == "text" else value


class _Sink(io.RawIOBase):
    """A file that is only written to, and from which what was written is taken out."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
