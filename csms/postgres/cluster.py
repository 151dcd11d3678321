"""Making a database cluster, and reading what PostgreSQL leaves in one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from csms.postgres.account import Account, named_account
from csms.postgres.binaries import Binaries
from csms.postgres.configuration import DATABASE, OWNER, SUPERUSER
from csms.postgres.errors import PostgresError
from csms.postgres.home import Home, give

_INITDB_TIMEOUT = 120.0

# Statements of single-user mode are one line each. CREATEROLE: migrations make the lesser roles.
_FIRST_STATEMENTS = f"CREATE ROLE {OWNER} LOGIN CREATEROLE;\nCREATE DATABASE {DATABASE} OWNER {OWNER};\n"
# Since version 16 who makes a role must also be let take it on; before, CREATEROLE meant that.
_SELF_GRANT = f"ALTER ROLE {OWNER} SET createrole_self_grant = 'set, inherit';\n"
_SELF_GRANT_SINCE = 16


def make_cluster(home: Home, binaries: Binaries) -> None:
    """Make an empty cluster with our role and database. Cut short at any point it leaves no `cluster` behind.

    Raises PostgresError with PostgreSQL's own words.
    """
    fresh = home.unfinished_cluster
    shutil.rmtree(fresh, ignore_errors=True)
    maker = named_account()
    fresh.mkdir(mode=0o700)
    give(fresh, maker)
    # The C collation sorts by code point on every machine, so a cluster can be carried from one to another
    _run(
        maker,
        [
            binaries.initdb,
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            "--auth-local=peer",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--no-locale",
            "--data-checksums",
            "--no-instructions",
        ],
    )
    statements = _FIRST_STATEMENTS + (_SELF_GRANT if binaries.major >= _SELF_GRANT_SINCE else "")
    _run(maker, [binaries.postgres, "--single", "-D", fresh, "postgres"], text_in=statements)
    _give_tree(fresh, home.account)
    fresh.rename(home.cluster)


def check_version(home: Home, binaries: Binaries) -> None:
    """Raises PostgresError when another major version of PostgreSQL made the cluster."""
    try:
        made_by = (home.cluster / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise PostgresError(f"{home.cluster} holds no database that can be read: {error.strerror} (PG_VERSION)") from error
    if made_by != str(binaries.major):
        raise PostgresError(
            f"the database in {home.cluster} was made by PostgreSQL {made_by}, but {binaries.folder} is version "
            f"{binaries.version}: set CSMS_POSTGRES_BIN to the bin folder of a PostgreSQL {made_by}, "
            "or dump and restore it (docs/operations/embedded-postgresql.md)"
        )


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What postmaster.pid tells of the server that wrote it; that server may be long dead."""

    pid: int
    socket_folder: Path
    status: str  # starting, ready, stopping, standby


def read_postmaster(home: Home) -> Postmaster | None:
    """The server that runs on this cluster, None when none does."""
    try:
        lines = (home.cluster / "postmaster.pid").read_text().splitlines()
        postmaster = Postmaster(int(lines[0]), Path(lines[4]), lines[7].strip())
    except (OSError, ValueError, IndexError):
        return None  # no server, or one that has not yet written all of it
    return postmaster if is_postmaster(postmaster.pid, home) else None


def is_postmaster(pid: int, home: Home) -> bool:
    """Whether this process is the server of this cluster, and not one that was given the same number later."""
    process = Path("/proc") / str(pid)
    if process.parent.joinpath("self").exists():
        try:
            # a postmaster works inside its data folder; a finished one that nobody waited for has no folder
            return process.stat().st_uid == home.account.uid and process.joinpath("cwd").readlink() == home.cluster.resolve()
        except OSError:
            return False
    listing = subprocess.run(["/bin/ps", "-ww", "-o", "uid=,command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    owner, _, command = listing.stdout.strip().partition(" ")
    return owner == str(home.account.uid) and str(home.cluster) in command


def forget_dead_postmaster(home: Home) -> None:
    """Remove the postmaster.pid of a server that died, when its process number now belongs to another program.

    PostgreSQL itself clears up after a dead server, but not if a process with that number is alive.
    """
    path = home.cluster / "postmaster.pid"
    try:
        pid = int(path.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return
    if not is_postmaster(pid, home):
        path.unlink(missing_ok=True)


def _run(account: Account, arguments: list[str | Path], *, text_in: str = "") -> None:
    program = Path(arguments[0]).name
    try:
        result = account.run(arguments, text_in=text_in, timeout=_INITDB_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise PostgresError(f"{program} did not finish within {_INITDB_TIMEOUT:.0f} s") from None
    complaints = [line for line in result.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line or "error:" in line]
    if result.returncode != 0 or complaints:
        told = complaints or result.stderr.strip().splitlines()[-3:] or [f"exit code {result.returncode}"]
        raise PostgresError(f"{program} failed: {' / '.join(told)}")


def _give_tree(folder: Path, account: Account) -> None:
    """Hand a tree over to another account, top first, so that its maker cannot reach in meanwhile."""
    give(folder, account)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            give(Path(parent) / name, account)
