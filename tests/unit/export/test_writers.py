"""Rows to files, in pieces of any size."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.export import FORMATS, Column, Format, Table, make_writer, writers

TABLE = Table(
    "things",
    (Column("number", "integer"), Column("text"), Column("credit", "boolean"), Column("amount", "decimal"), Column("at", "time")),
)
_rows = st.lists(
    st.tuples(
        st.integers(-(2**62), 2**62),
        st.none() | st.text(max_size=30) | st.sampled_from(["=1+1", "+49", "-1", "@x", "\tx", "\r=x", 'a"b,c\n', "'="]),
        st.none() | st.booleans(),
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
        st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    ),
    max_size=30,
)


def _written(form: Format, rows: Sequence[Sequence[Any]], pieces: int) -> bytes:
    writer = make_writer(form, TABLE)
    out = b""
    for begin in range(0, len(rows), pieces):
        out += writer.write(rows[begin : begin + pieces])
    return out + writer.end()


@given(_rows, st.integers(1, 10))
def test_every_format_brings_back_what_went_in(rows: list[tuple[Any, ...]], pieces: int) -> None:
    if any(row[1] is not None and not row[1].isprintable() and "\x00" in row[1] for row in rows):
        return  # PostgreSQL has no text with NUL
    names = [column.name for column in TABLE.columns]
    lines = _written("jsonl", rows, pieces).decode().splitlines() if rows else []
    array = json.loads(_written("json", rows, pieces), parse_float=Decimal, parse_int=Decimal)
    found = csv.reader(io.StringIO(_written("csv", rows, pieces).decode(), newline=""))
    typed = pyarrow.parquet.read_table(io.BytesIO(_written("parquet", rows, pieces)))
    assert next(found) == names == typed.schema.names
    assert [tuple(row.values()) for row in typed.to_pylist()] == rows
    assert len(array) == len(rows)
    for row, object_, cells in zip(rows, array, found, strict=True):
        number, text, credit, amount, at = row
        assert [object_[name] for name in names[:4]] == [number, text, credit, amount]
        assert object_["at"] == (None if at is None else at.isoformat().replace("+00:00", "Z"))
        assert cells[0] == str(number)
        assert cells[1].removeprefix("'" if (text or "").startswith(("=", "+", "-", "@", "\t", "\r")) else "") == (text or "")
        assert not cells[1].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert (cells[2], cells[3] and Decimal(cells[3])) == (
            {None: "", True: "true", False: "false"}[credit],
            "" if amount is None else amount,
        )
    assert len(lines) >= len(rows)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_of_what_was_written_is_kept(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet gives out a group of rows as soon as it is full; all others give out everything at once."""
    monkeypatch.setattr(writers, "_ROWS_PER_GROUP", 100)
    writer = make_writer(form, TABLE)
    row = (1, "x" * 50, True, Decimal("1.5"), datetime(2026, 3, 1, tzinfo=UTC))
    sizes = [len(writer.write([row] * 250)) for _ in range(4)]
    assert all(sizes)
    whole = b"".join([make_writer(form, TABLE).write([row] * 10)])
    assert len(whole) < 250 * 200
    if form == "parquet":
        writer = make_writer(form, TABLE)
        data = b"".join([writer.write([row] * 250) for _ in range(4)]) + writer.end()
        assert pyarrow.parquet.ParquetFile(io.BytesIO(data)).num_row_groups == 10


def test_times_are_utc_and_a_register_that_no_meter_has_breaks_nothing() -> None:
    berlin = timezone(timedelta(hours=2))
    row = (1, None, None, Decimal("9E+40"), datetime(2026, 7, 1, 2, tzinfo=berlin))
    assert _written("csv", [row], 1).splitlines()[1] == b"1,,,9" + b"0" * 40 + b",2026-07-01T00:00:00Z"
    (typed,) = pyarrow.parquet.read_table(io.BytesIO(_written("parquet", [row], 1))).to_pylist()
    assert (typed["amount"], typed["at"]) == (None, datetime(2026, 7, 1, tzinfo=UTC))
