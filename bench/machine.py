"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from deploy.quickest_python import measured

_ROOT: Final = Path(__file__).parents[1]


def facts() -> dict[str, Any]:
    """Processor, memory, system and versions; nothing that names the machine or its user."""
    return {
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "python": f"CPython {platform.python_version()}",
        "python_build": f"{platform.python_build()[1]}, {platform.python_compiler()}",
        "python_ms": _python_ms(),
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _python_ms() -> float:
    """How quick this interpreter is; how it was built cannot be told from itself (docs/decisions/0033)."""
    return round(min(measured(sys.executable) for _ in range(5)) * 1000, 1)


def _commit() -> str | None:
    """The commit that is measured, with a + when files differ from it."""
    try:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
