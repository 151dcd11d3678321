"""Events as lines of JSON in a file: for other programs to follow, and for keeping."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from csms.outbox.sink import SinkUnavailable
from csms.store.queries.events import Event

_TAIL: Final = 64 * 1024
_encode = msgspec.json.Encoder().encode


class FileSink:
    """Appends one line per event and has them on disk before it returns.

    The file is renamed to `NAME.1` (that one to `NAME.2` …) when it is larger than `most_bytes`; `keep` old ones stay.
    """

    name = "file"
    takes = None
    chunk = 500

    def __init__(self, path: Path, *, most_bytes: int, keep: int) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._keep = keep
        self._whole = False

    async def publish(self, events: Sequence[Event]) -> None:
        lines = b"".join(_encode(event) + b"\n" for event in events)
        try:
            await trio.to_thread.run_sync(self._append, lines)
        except OSError as error:
            raise SinkUnavailable(f"cannot write {self._path}: {error.strerror}") from error

    def _append(self, lines: bytes) -> None:
        if not self._whole:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _cut_torn_line(self._path)
            self._whole = True
        if self._path.exists() and self._path.stat().st_size >= self._most_bytes:
            self._rotate()
        self._whole = False  # until all of it is there
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            written = 0
            while written < len(lines):
                written += os.write(file, lines[written:])
            os.fsync(file)
        finally:
            os.close(file)
        self._whole = True

    def _rotate(self) -> None:
        for number in range(self._keep, 0, -1):
            older = self._numbered(number)
            newer = self._path if number == 1 else self._numbered(number - 1)
            if newer.exists():
                newer.replace(older)
        if not self._keep:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _cut_torn_line(path: Path) -> None:
    """A process that was killed while it wrote leaves half a line; its event is written again."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end:
            start = max(0, end - _TAIL)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
            os.fsync(file.fileno())
