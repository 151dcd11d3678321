"""Where the embedded database lives, and the lock that keeps it to one launcher.

A home is a folder owned by the user that runs us. PostgreSQL's own files are below it and belong to the account
PostgreSQL runs as; the launcher, root perhaps, never writes inside those. The home is `postgres` in the data folder;
only when we are root and PostgreSQL's account cannot reach that (a checkout below a 0700 folder) it lies below
`/var/lib/open-csms/clusters` and the file `postgres.location` in the data folder names it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from csms.postgres.account import Account, own_account
from csms.postgres.errors import DataFolderInUse, PostgresError

# sockaddr_un holds 108 bytes with the closing NUL on Linux, 104 elsewhere
_LONGEST_SOCKET_PATH = 103
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._ -]+")

PORT = 5432  # part of the socket's file name only; nothing listens on TCP


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one embedded database and what lies in it."""

    folder: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.folder / "cluster"

    @property
    def unfinished_cluster(self) -> Path:
        """PGDATA while it is being made; renamed to `cluster` as the last step, so it never holds anyone's data."""
        return self.folder / "cluster.new"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def settings(self) -> Path:
        return self.folder / "postgresql.conf"

    @property
    def access_rules(self) -> Path:
        return self.folder / "pg_hba.conf"

    @property
    def user_map(self) -> Path:
        return self.folder / "pg_ident.conf"

    def make_socket_folder(self) -> Path:
        """A folder for the socket that only PostgreSQL's account may write to.

        Its path is short enough for a socket and plain enough for every driver's URL parser (a comma separates hosts).
        """
        folder = self.folder / "run"
        short = len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _LONGEST_SOCKET_PATH
        if short and _PLAIN_PATH.fullmatch(str(folder)):
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            folder = Path(tempfile.mkdtemp(prefix="csms-", dir="/tmp"))
        give(folder, self.account)
        return folder


class HomeLock:
    """Keeps a home to one launcher. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, home: Home) -> None:
        self._path = home.folder / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Raises DataFolderInUse when another launcher has it."""
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
            os.close(file)
            raise DataFolderInUse(
                f"another csms (process {holder or 'unknown'}) runs on the database in {self._path.parent}: "
                "stop it, or set CSMS_DATA_DIR to another folder"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def find_home(data_dir: Path, shared_base: Path) -> Home | None:
    """The home that this data folder has, None when it has none yet.

    Raises PostgresError when it is not usable by the user that runs us.
    """
    data_dir = data_dir.absolute()
    try:
        folder = _pointed_to(data_dir, shared_base) or data_dir / "postgres"
        owner = folder.lstat()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise PostgresError(f"{data_dir} belongs to another user: start csms as the user that made it") from None
    if owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode):
        raise PostgresError(f"{folder} belongs to user id {owner.st_uid}: start csms as that user")
    home = Home(folder, _account_of(folder / "cluster"))
    if not home.account.can_enter(folder):
        raise PostgresError(
            f"user id {home.account.uid}, which PostgreSQL runs as, cannot enter {folder}: "
            "make every folder above it enterable for others (chmod o+x)"
        )
    return home


def make_home(data_dir: Path, shared_base: Path) -> Home:
    """Make the folder of a new database. Raises PostgresError when that is not possible."""
    data_dir = data_dir.absolute()
    account = own_account()
    try:
        data_dir.mkdir(mode=0o711 if account.switch else 0o700, parents=True, exist_ok=True)
        if account.can_enter(data_dir):
            folder = data_dir / "postgres"
            folder.mkdir(exist_ok=True)
        else:
            folder = _make_shared_folder(data_dir, shared_base)
        folder.chmod(0o711 if account.switch else 0o700)
    except OSError as error:
        raise PostgresError(f"cannot make {error.filename or data_dir}: {error.strerror}") from error
    return Home(folder, account)


def prepare_shared_base(shared_base: Path) -> None:
    """Make the folder that root keeps programs and databases in, and refuse one that others could tamper with."""
    try:
        shared_base.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise PostgresError(
            f"cannot make {shared_base}: {error.strerror}; set CSMS_DATA_DIR to a folder that other users can enter"
        ) from error
    state = shared_base.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o022:
        raise PostgresError(f"{shared_base} must be a folder of root's that no one else can write to")


def give(path: Path, account: Account) -> None:
    """Make the account the owner of one file or folder (of a link itself, not of what it points to)."""
    if account.switch:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _make_shared_folder(data_dir: Path, shared_base: Path) -> Path:
    prepare_shared_base(shared_base)
    clusters = shared_base / "clusters"
    clusters.mkdir(mode=0o755, exist_ok=True)
    # A name of its own each time: a new checkout at an old path must not find a database whose secret is gone
    label = re.sub(r"[^a-z0-9]+", "-", f"{data_dir.parent.name}-{data_dir.name}".lower()).strip("-")[:40]
    folder = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=clusters))
    (folder / "made-for").write_text(f"{data_dir}\n")
    _pointer(data_dir).write_text(f"{folder}\n")
    return folder


def _pointed_to(data_dir: Path, shared_base: Path) -> Path | None:
    """The folder that the data folder's pointer names, None when there is no pointer."""
    pointer = _pointer(data_dir)
    try:
        folder = Path(pointer.read_text().strip())
    except FileNotFoundError:
        return None
    if not folder.is_dir() or folder.parent != shared_base / "clusters":
        raise PostgresError(
            f"{pointer} names {folder}, which is no database of ours: put it back, "
            f"or remove {pointer.name} to begin with an empty database"
        )
    return folder


def _pointer(data_dir: Path) -> Path:
    return data_dir / "postgres.location"


def _account_of(cluster: Path) -> Account:
    """The account that owns an existing cluster; our own when it is not made yet (a start that was cut short)."""
    try:
        owner = cluster.stat()
    except FileNotFoundError:
        return own_account()
    if os.geteuid() != 0:
        return own_account()
    if owner.st_uid == 0:
        raise PostgresError(f"{cluster} belongs to root, as whom PostgreSQL does not run: give it to another user id (chown -R)")
    return Account(owner.st_uid, owner.st_gid, switch=True)
