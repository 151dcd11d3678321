"""A PostgreSQL whose disk a test can fill, without a file system of its own (which takes root to mount)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

from csms.postgres.account import own_account
from csms.postgres.binaries import find_binaries
from csms.postgres.server import SHARED_BASE

_SOURCE = Path(__file__).with_name("enospc.c")


class FillableDisk:
    """Programs that run PostgreSQL with `enospc.c` preloaded; `fill` and `free` act on the running server at once.

    `folder` must be one that PostgreSQL's account may enter.
    """

    def __init__(self, folder: Path, bin_dir: Path | None) -> None:
        self.programs = folder / "programs"
        self._flag = folder / "disk"
        real = find_binaries(bin_dir, own_account(), SHARED_BASE).folder
        self.programs.mkdir()
        library = self.programs / "enospc.so"
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True)
        for name, preload in (("initdb", ""), ("postgres", f"LD_PRELOAD='{library}' CRASH_DISK_FLAG='{self._flag}' ")):
            program = self.programs / name
            program.write_text(f"#!/bin/sh\n{preload}exec '{real / name}' \"$@\"\n")
        for path in (self.programs, *self.programs.iterdir()):
            path.chmod(0o755)

    def fill(self, how: Literal["full", "dead"]) -> None:
        """`full`: nothing grows any more. `dead`: nothing can be written at all."""
        fresh = self._flag.with_suffix(".new")
        fresh.write_text(how)
        fresh.chmod(0o644)
        fresh.replace(self._flag)

    def free(self) -> None:
        self._flag.unlink(missing_ok=True)
