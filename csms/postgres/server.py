"""The embedded server: start, watch, stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import structlog

from csms.postgres import cluster
from csms.postgres.binaries import Binaries, find_binaries
from csms.postgres.cluster import Postmaster
from csms.postgres.configuration import DATABASE, OWNER, write_configuration
from csms.postgres.errors import PostgresError
from csms.postgres.home import PORT, Home, HomeLock, find_home, make_home

SHARED_BASE = Path("/var/lib/open-csms")

_POLL = 0.02  # seconds between two looks at a process
_LOG_LIMIT = 8 * 1024 * 1024  # bytes; a longer log is put aside at the next start
_FAST_STOP_TIMEOUT = 20.0
_IMMEDIATE_STOP_TIMEOUT = 5.0
# A server that was killed leaves children behind for a moment; until they are gone a new one refuses to start
_ORPHAN_PATIENCE = 15.0
_ORPHAN_SIGNS = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')

log = structlog.get_logger()


class EmbeddedPostgres:
    """One PostgreSQL server on one data folder.

    `start` makes the database if there is none, takes over a server that an earlier, killed launcher left running, or
    starts one. The methods block: call them in a thread. Not for use by two threads at once.
    """

    def __init__(
        self,
        data_dir: Path,
        bin_dir: Path | None = None,
        *,
        shared_base: Path = SHARED_BASE,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._bin_dir = bin_dir
        self._shared_base = shared_base
        self._options = dict(options or {})
        self._home: Home | None = None
        self._lock: HomeLock | None = None
        self._binaries: Binaries | None = None
        self._child: subprocess.Popen[str] | None = None
        self._pid: int | None = None
        self._socket_folder: Path | None = None

    def start(self, *, timeout: float = 300.0, checkpoint: Callable[[], None] = lambda: None) -> str:
        """Start the server, or take over a running one, and return the URL of our database once it takes connections.

        `timeout`: seconds; recovery after a crash can be long. `checkpoint` is called many times a second while waiting
        and may raise to give up. Raises DataFolderInUse, PostgresError.
        """
        home = find_home(self._data_dir, self._shared_base) or make_home(self._data_dir, self._shared_base)
        self._home = home
        self._lock = self._lock or HomeLock(home)
        self._lock.acquire()
        try:
            self._binaries = find_binaries(self._bin_dir, home.account, self._shared_base)
            if not home.cluster.exists():
                log.info("postgres.new_database", folder=str(home.folder), version=self._binaries.version)
                cluster.make_cluster(home, self._binaries)
            cluster.check_version(home, self._binaries)
            write_configuration(home)
            self._bring_up(home, self._binaries, timeout, checkpoint)
        except BaseException:
            self._lock.release()
            raise
        return self.url()

    def restart(self, *, timeout: float = 300.0, checkpoint: Callable[[], None] = lambda: None) -> None:
        """Start the server again after it died; the URL stays the same. Raises PostgresError."""
        home, binaries = self._started()
        self._bring_up(home, binaries, timeout, checkpoint)

    def alive(self) -> bool:
        """Whether the server's main process is there."""
        if self._child is not None:
            return self._child.poll() is None
        return self._pid is not None and self._home is not None and cluster.is_postmaster(self._pid, self._home)

    def stop(self) -> None:
        """Stop the server and let go of the data folder. Harmless when nothing runs.

        Clients are cut off, what was committed stays. Raises PostgresError when the server does not end.
        """
        try:
            if self._home is not None and self._pid is not None:
                self._stop_process(self._home, self._pid)
        finally:
            self._child = self._pid = None
            if self._socket_folder is not None and self._home is not None and self._socket_folder.parent != self._home.folder:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None
            if self._lock is not None:
                self._lock.release()

    def url(self, database: str = DATABASE, user: str = OWNER) -> str:
        """The URL of a database of the running server, for the user that runs us (others are not let in)."""
        if self._socket_folder is None:
            raise PostgresError("the embedded PostgreSQL is not running")
        return _url(self._socket_folder, database, user)

    @property
    def version(self) -> str:
        """The server's version, such as "18.4"; known once started."""
        return self._started()[1].version

    @property
    def pid(self) -> int | None:
        """The number of the server's main process, None when none was started."""
        return self._pid

    @property
    def folder(self) -> Path:
        """Where the database and its log lie; known once started."""
        return self._started()[0].folder

    def _started(self) -> tuple[Home, Binaries]:
        if self._home is None or self._binaries is None:
            raise PostgresError("the embedded PostgreSQL was not started")
        return self._home, self._binaries

    def _bring_up(self, home: Home, binaries: Binaries, timeout: float, checkpoint: Callable[[], None]) -> None:
        deadline = time.monotonic() + timeout
        if self._take_over(home, deadline, checkpoint):
            return
        patience = time.monotonic() + _ORPHAN_PATIENCE
        while True:
            cluster.forget_dead_postmaster(home)
            try:
                self._spawn(home, binaries, deadline, checkpoint)
                return
            except PostgresError as error:
                if time.monotonic() > patience or not any(sign in str(error) for sign in _ORPHAN_SIGNS):
                    raise
                _pause(checkpoint)

    def _take_over(self, home: Home, deadline: float, checkpoint: Callable[[], None]) -> bool:
        """Adopt a server that already runs on the cluster; False when there is none to adopt."""
        while (running := cluster.read_postmaster(home)) is not None:
            if running.status == "ready" and (running.socket_folder / f".s.PGSQL.{PORT}").exists():
                if running.pid != self._pid:
                    log.info("postgres.found_running", pid=running.pid)
                self._child, self._pid, self._socket_folder = None, running.pid, running.socket_folder
                return True
            if running.status == "ready":  # its socket was removed: nobody can reach it any more
                self._stop_process(home, running.pid)
            elif time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL (process {running.pid}) is still {running.status}; its log: {home.log}")
            else:
                _pause(checkpoint)
        return False

    def _spawn(self, home: Home, binaries: Binaries, deadline: float, checkpoint: Callable[[], None]) -> None:
        if self._socket_folder is None or not self._socket_folder.is_dir():
            self._socket_folder = home.make_socket_folder()
        options = {
            "config_file": str(home.settings),
            "hba_file": str(home.access_rules),
            "ident_file": str(home.user_map),
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": '"' + str(self._socket_folder).replace('"', '""') + '"',
            **self._options,
        }
        arguments: list[str | Path] = [binaries.postgres, "-D", home.cluster]
        for name, value in options.items():
            arguments += ["-c", f"{name}={value}"]
        log_start = _open_log(home.log)
        with home.log.open("ab") as output:
            child = home.account.popen(arguments, stdout=output.fileno(), stderr=output.fileno())
        self._child, self._pid = child, child.pid
        try:
            while not _is_ready(cluster.read_postmaster(home), child.pid):
                if child.poll() is not None:
                    raise PostgresError(f"PostgreSQL did not start: {_last_words(home.log, log_start)}; its log: {home.log}")
                if time.monotonic() > deadline:
                    raise PostgresError(f"PostgreSQL did not become ready in time; its log: {home.log}")
                _pause(checkpoint)
        except BaseException:
            self._stop_process(home, child.pid)
            self._child = self._pid = None
            raise

    def _stop_process(self, home: Home, pid: int) -> None:
        for signal_number, timeout in ((signal.SIGINT, _FAST_STOP_TIMEOUT), (signal.SIGQUIT, _IMMEDIATE_STOP_TIMEOUT)):
            if not self._runs(home, pid):
                return
            os.kill(pid, signal_number)
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                if not self._runs(home, pid):
                    return
                time.sleep(_POLL)
        raise PostgresError(f"PostgreSQL (process {pid}) does not stop; its log: {home.log}")

    def _runs(self, home: Home, pid: int) -> bool:
        if self._child is not None and self._child.pid == pid:
            return self._child.poll() is None
        return cluster.is_postmaster(pid, home)


def running_url(data_dir: Path, *, shared_base: Path = SHARED_BASE) -> str | None:
    """The URL of our database if a server runs on this data folder now, whoever started it; None otherwise.

    For commands that do one thing while `csms serve` runs. Raises PostgresError when the folder is not ours.
    """
    home = find_home(data_dir, shared_base)
    running = cluster.read_postmaster(home) if home is not None else None
    if running is None or running.status != "ready":
        return None
    return _url(running.socket_folder, DATABASE, OWNER)


def _url(socket_folder: Path, database: str, user: str) -> str:
    return f"postgresql://{user}@/{database}?host={quote(str(socket_folder), safe='/')}&port={PORT}"


def _is_ready(postmaster: Postmaster | None, pid: int) -> bool:
    return postmaster is not None and postmaster.pid == pid and postmaster.status == "ready"


def _pause(checkpoint: Callable[[], None]) -> None:
    checkpoint()
    time.sleep(_POLL)


def _open_log(path: Path) -> int:
    """Make the log ready for a start; returns its length, from where the new server's words begin."""
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        path.touch(mode=0o600)
        return 0
    if length > _LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
        path.touch(mode=0o600)
        return 0
    return length


def _last_words(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read(65536).decode("utf-8", "replace").splitlines()
    telling = [line for line in lines if "FATAL:" in line or "PANIC:" in line] or lines
    return telling[-1].strip() if telling else "no word from it"
