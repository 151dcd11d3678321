"""What the bench says while it works, on standard error."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

_ELSEWHERE_EVERY_S: Final = 10.0


class Progress:
    """Call it with a line. One that begins with a carriage return is a state: on a terminal it is overwritten by the next line,
    elsewhere only one every ten seconds is written."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._began = time.monotonic()
        self._terminal = out.isatty()
        self._open = False
        self._next_state = 0.0

    def __call__(self, line: str) -> None:
        elapsed = time.monotonic() - self._began
        text = f"[{elapsed:6.1f} s] {line.lstrip(chr(13))}"
        if not line.startswith("\r"):
            self._out.write(("\r\x1b[K" if self._open else "") + text + "\n")
            self._open = False
        elif self._terminal:
            self._out.write("\r\x1b[K" + text)
            self._open = True
        elif elapsed >= self._next_state:
            self._next_state = elapsed + _ELSEWHERE_EVERY_S
            self._out.write(text + "\n")
        self._out.flush()
