#!/usr/bin/env python3
"""Name the Python that the virtual environment is made with: the quickest suitable one of this machine (docs/decisions/0033).

Prints how it is called and, after a blank, why it was taken; nothing when none is suitable. Runs before any package is installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

DEFAULT: Final = "python3"
NAMES: Final = (DEFAULT, "python3.11", "python3.12", "python3.13", "python3.14")
FOLDERS: Final = ("/usr/local/bin", "/usr/bin")

# another Python is taken when it is at least so many times as quick as the default one: equals do not change places
MARGIN: Final = 1.1
TURNS: Final = 7
PROBE_S: Final = 10.0
MEASURE_S: Final = 60.0

# What a Python must have, asked of itself. A build for debugging is slow, one without the GIL has no stable ABI for the codec.
PROBE: Final = """
import os, sys, sysconfig
import ctypes, ensurepip, ssl, venv, zlib
suitable = (
    sys.implementation.name == "cpython"
    and sys.version_info >= (3, 11)
    and not hasattr(sys, "gettotalrefcount")
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)
if not suitable:
    sys.exit(1)
print(sys._base_executable)
print(os.path.realpath(sys._base_executable))
print("%d.%d.%d" % sys.version_info[:3])
"""


class Python(NamedTuple):
    """A suitable Python. `name`: how make is to call it; `executable`: what that is in the end, the same for all its names."""

    name: str
    executable: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} ({'.'.join(map(str, self.version))})"


def names_to_try(folders: tuple[str, ...] = FOLDERS) -> Iterator[str]:
    """The default one first, as it is called; of the others the paths."""
    yield DEFAULT
    for name in NAMES[1:] + NAMES[:1]:  # a path with its version is known to stay what it is
        yield from filter(None, (shutil.which(name, path=folder) for folder in (None, *folders)))


def probe(name: str) -> Python | None:
    """The Python of this name; None when there is none, it is not suitable, or make or the shell would take its path apart.

    Any but the default one is called by its own path, not by that of a virtual environment or of a version manager's shim.
    """
    try:
        told = subprocess.run(
            [name, "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=PROBE_S,
            check=True,
        ).stdout
        path, executable, version = told.splitlines()
        version_info = tuple(int(part) for part in version.split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if name == DEFAULT:
        return Python(name, executable, version_info)
    return Python(path, executable, version_info) if re.fullmatch(r"[\w./+@-]+", path) else None


def suitable(names: Iterable[str], ask: Callable[[str], Python | None] = probe) -> list[Python]:
    """Every suitable Python once, under its first name."""
    found: dict[str, Python] = {}
    for name in dict.fromkeys(names):
        python = ask(name)
        if python is not None:
            found.setdefault(python.executable, python)
    return list(found.values())


def rivals(found: list[Python]) -> list[Python]:
    """The default one (of those that are not called so the oldest), then all that are not of a newer minor version than it.

    A newer one may lack packages that are ready built; who wants it names it.
    """
    default = min(found, key=lambda python: (python.name != DEFAULT, python.version[:2]))
    return [default, *(python for python in found if python is not default and python.version[:2] <= default.version[:2])]


def choose(found: list[Python], measure: Callable[[str], float]) -> tuple[Python, str]:
    """The one to take and why. `measure`: the seconds that an executable needs for the same work; one alone is not measured."""
    pythons = rivals(found)
    default = pythons[0]
    reason = "" if default.name == DEFAULT else f"{DEFAULT} is not suitable"
    if len(pythons) == 1:
        return default, reason
    # In turns, each compared by itself: a shared machine may be twice as slow for some seconds as before and after.
    turns = [{python: measure(python.executable) for python in pythons} for _ in range(TURNS)]
    times = {python: median(turn[default] / turn[python] for turn in turns) for python in pythons}
    quickest = max(pythons, key=lambda python: times[python])
    ratio = times[quickest]
    if ratio < MARGIN:
        return default, reason or "no other one here is much quicker"
    return quickest, f"{ratio:.1f} times as quick as {default}"


class _Meter:
    """Something for `work` to call and to read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.total = 0

    def add(self, value: int) -> int:
        if not isinstance(value, int):
            raise TypeError(value)
        self.total += value
        return self.total


def work(rounds: int = 120_000) -> float:
    """Seconds of CPU for some of everything that the interpreter does all day; about 0.1 on a machine of 2023."""
    begun = time.process_time()
    meters: dict[str, _Meter] = {}
    for number in range(rounds):
        name = f"meter-{number % 100}"
        try:
            meter = meters[name]
        except KeyError:
            meter = meters[name] = _Meter(number)
        reading = {"meter": name, "value": meter.add(number), "parts": [number, meter.number]}
        if reading["value"] is None or len(reading) != 3:
            raise ValueError(name)
        sum(part for part in (meter.number, meter.total) if part)
    return time.process_time() - begun


def measured(executable: str) -> float:
    """Seconds that `work` takes in a fresh process of this Python.

    Raises: OSError, subprocess.SubprocessError, ValueError when it cannot be measured.
    """
    told = subprocess.run(
        [executable, "-I", "-S", str(Path(__file__).resolve()), "--measure"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MEASURE_S,
        check=True,
    ).stdout
    return float(told)


def main(arguments: list[str]) -> int:
    """What is printed is for make; see the module."""
    if arguments == ["--measure"]:
        print(work())
        return 0
    found = suitable(names_to_try())
    if not found:
        return 0
    try:
        python, reason = choose(found, measured)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        python, reason = rivals(found)[0], f"measuring failed with {type(error).__name__}"
    print(python.name, reason)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
