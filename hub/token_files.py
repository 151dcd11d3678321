"""Files of id tokens, as they are imported and exported: CSV and JSON.

A cell that begins with one of `= + - @ '`, a tab or a carriage return is written with an apostrophe before it, so that no
spreadsheet takes it for a formula; an apostrophe before one of those characters is taken off again when the file is read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from csms.domain.restrictions import Restrictions
from csms.store.queries.id_tokens import NAMES, IdToken
from hub.api.decoding import decode_body
from hub.api.problems import FieldError, Problem
from hub.endpoints.id_tokens import NewIdToken, type_of

COLUMNS: Final = ("id_token", "type", *NAMES)
MOST_LINES: Final = 100_000

_DANGEROUS: Final = frozenset("=+-@'\t\r")
_encode: Final = msgspec.json.Encoder(decimal_format="string").encode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Line(msgspec.Struct, frozen=True):
    """One token of a file. `number`: its line in a CSV, its place in a JSON file, from 1. `changes`: the fields that it names."""

    number: int
    id_token: str = ""
    type: str = ""
    changes: dict[str, Any] = {}
    errors: tuple[FieldError, ...] = ()


class _TokenFile(msgspec.Struct, forbid_unknown_fields=True):
    items: list[msgspec.Raw]
    next_cursor: str | None = None


def read_json(content: bytes) -> list[Line]:
    """A list of tokens, or an object with the list as `items`. Raises Problem for a file that is not one."""
    try:
        raw = msgspec.json.decode(content, type=list[msgspec.Raw] | _TokenFile)
    except msgspec.ValidationError as error:
        raise _bad_file(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(400, "malformed-body", "the body is not valid JSON") from None
    items = raw.items if isinstance(raw, _TokenFile) else raw
    _check_count(len(items))
    return [_line(number, bytes(item)) for number, item in enumerate(items, 1)]


def read_csv(content: bytes) -> list[Line]:
    """UTF-8 with a header; columns by name, separated by commas or semicolons. Raises Problem for a file that is not one."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad_file("is not UTF-8") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",", strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header)
        lines = []
        number = reader.line_num + 1
        for cells in reader:
            if cells:
                lines.append(_csv_line(number, header, cells))
                if len(lines) > MOST_LINES:
                    break
            number = reader.line_num + 1
    except csv.Error as error:
        raise _bad_file(f"cannot be read after line {reader.line_num}: {error}") from None
    _check_count(len(lines))
    return lines


def write_csv(tokens: Iterable[IdToken]) -> bytes:
    """As `read_csv` reads it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(token, name)) for name in COLUMNS] for token in tokens)
    return text.getvalue().encode()


def exported(token: IdToken) -> dict[str, Any]:
    """A token as `read_json` reads it."""
    return {name: getattr(token, name) for name in COLUMNS}


def _check_header(header: Sequence[str]) -> None:
    if "id_token" not in header:
        raise _bad_file("has no column id_token in its first line")
    for name in header:
        if name not in COLUMNS:
            raise _bad_file(f"has a column that is not known: {name[:100]!r}")
        if header.count(name) > 1:
            raise _bad_file(f"has two columns {name}")


def _check_count(count: int) -> None:
    if count > MOST_LINES:
        raise _bad_file(f"has more than {MOST_LINES} lines")


def _bad_file(what: str) -> Problem:
    return Problem(422, "invalid-input", "the file cannot be taken", errors=[FieldError("$", what[:500])])


def _csv_line(number: int, header: Sequence[str], cells: Sequence[str]) -> Line:
    if len(cells) != len(header):
        return Line(number, errors=(FieldError("$", f"has {len(cells)} cells, and the header has {len(header)}"),))
    members: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        text = cell[1:] if cell[:1] == "'" and cell[1:2] in _DANGEROUS and len(cell) > 1 else cell
        if name == "restrictions" and text:
            try:
                msgspec.json.decode(text)
            except msgspec.DecodeError:
                return Line(number, errors=(FieldError(name, "is not valid JSON"),))
            members[name] = msgspec.Raw(text.encode())
        elif name == "single_use" and text:
            members[name] = {"true": True, "false": False}.get(text.strip().lower(), text)
        elif text:
            members[name] = text
        elif name not in ("type", "status", "whitelist", "single_use"):  # without a value these have their default
            members[name] = None
    return _line(number, msgspec.json.encode(members))


def _line(number: int, content: bytes) -> Line:
    try:
        body = decode_body(content, "application/json", NewIdToken)
        token_type = type_of(body)
        names = _members(content).keys()
    except Problem as problem:
        errors = problem.errors or [FieldError("$", problem.detail)]
        return Line(number, errors=tuple(FieldError(error.field or "$", error.message) for error in errors))
    changes = {name: getattr(body, name) for name in NAMES if name in names}
    return Line(number, body.id_token, token_type, changes)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = _encode(value).decode() if isinstance(value, Restrictions) else str(value)
    return f"'{text}" if text[:1] in _DANGEROUS and text else text
