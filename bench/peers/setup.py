"""Getting a peer: tools of the machine, and copies in the cache in which packages are installed and sources built."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.peers.peer import PeerUnavailable

NPM_INSTALL: Final = ("npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
"""What the lock file holds, no more; no package runs code while it is installed."""

_COMMAND_TIMEOUT: Final = 600.0
_STAMP: Final = ".prepared"
_BUILT: Final = "target"
_NOT_THEIRS: Final = shutil.ignore_patterns("*.py", "__pycache__", "node_modules", _BUILT)


def require(peer: str, *tools: str) -> None:
    """PeerUnavailable unless all these commands exist."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise PeerUnavailable(f"{peer} is left out: {' and '.join(missing)} not found on this machine")


def prepared(peer: str, source: Path, cache: Path, *commands: Sequence[str]) -> None:
    """Copy `source` to `place(cache, source)` and run `commands` there, unless that was done for exactly these."""
    target = place(cache, source)
    stamp = target / _STAMP
    digest = _digest(source, commands)
    if stamp.is_file() and stamp.read_text() == digest:
        return
    _clear(target)
    shutil.copytree(source, target, ignore=_NOT_THEIRS, dirs_exist_ok=True)
    for command in commands:
        sys.stderr.write(f"{peer}: {' '.join(command)}\n")
        sys.stderr.flush()
        try:
            status = subprocess.run(
                command, cwd=target, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=_COMMAND_TIMEOUT, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            raise PeerUnavailable(f"{peer} is left out: `{command[0]}` took more than {_COMMAND_TIMEOUT:.0f} s") from None
        if status:
            raise PeerUnavailable(f"{peer} is left out: `{' '.join(command)}` ended with status {status}")
    stamp.write_text(digest)


def place(cache: Path, source: Path) -> Path:
    """Where the copy of `source` is."""
    return cache / source.name


def npm_version(source: Path, package: str) -> str:
    """The version of `package` that the lock file in `source` pins."""
    lock = json.loads((source / "package-lock.json").read_text())
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def pinned(file: Path, pattern: str) -> str:
    """The one group of `pattern` in `file`, where the version that is built stands."""
    found = re.search(pattern, file.read_text())
    if found is None:
        raise ValueError(f"{file.name} pins no version ({pattern})")
    return found[1]


def _clear(target: Path) -> None:
    """Take away what an earlier source left, but not what Cargo and Maven build on."""
    for entry in target.iterdir() if target.is_dir() else ():
        if entry.name == _BUILT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _digest(source: Path, commands: Sequence[Sequence[str]]) -> str:
    content = hashlib.sha256(json.dumps(commands).encode())
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.suffix not in (".py", ".pyc"):
            content.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes())
    return content.hexdigest()
