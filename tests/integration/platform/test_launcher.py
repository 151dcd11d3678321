"""`csms …` as real processes: starting, stopping, being killed, and what it says when it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from csms.secret import RootSecret

pytestmark = pytest.mark.slow

CSMS = [sys.executable, "-c", "import sys; from csms.cli import main; sys.exit(main())"]


@dataclass
class Running:
    """A started `csms serve`, `gateway` or `hub`."""

    process: subprocess.Popen[str]
    told: str
    errors: Path

    @property
    def http(self) -> str:
        return self._url("http")

    @property
    def ocpp(self) -> str:
        return self._url("ws")

    @property
    def admin_password(self) -> str | None:
        found = re.search(r"first administrator (\S+), password (\S+)", self.told)
        return found.group(2) if found else None

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.http + path, timeout=10) as answer:
            return json.loads(answer.read())

    def sign_in(self, password: str) -> int:
        """The HTTP status of signing in as the first administrator."""
        body = json.dumps({"email": "admin@localhost", "password": password}).encode()
        request = urllib.request.Request(self.http + "/api/v1/auth/login", body, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self, number: int = signal.SIGINT, *, within: float = 20.0) -> int:
        """Send a signal as a terminal does, to the whole process group, and wait for the end."""
        os.killpg(self.process.pid, number)
        return self.process.wait(within)

    def _url(self, scheme: str) -> str:
        found = re.search(rf"{scheme}://\S+", self.told)
        assert found is not None, self.told
        return found.group()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter, which pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="csms-test-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    """Settings of a try-out installation of its own on free ports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
    if "CSMS_POSTGRES_BIN" in os.environ:
        kept["CSMS_POSTGRES_BIN"] = os.environ["CSMS_POSTGRES_BIN"]
    ours = {"CSMS_DATA_DIR": str(folder / "data"), "CSMS_OCPP_PORT": "0", "CSMS_HTTP_PORT": "0", "CSMS_DRAIN_S": "5"}
    return {**kept, **ours, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def launch(environ: dict[str, str], folder: Path) -> Iterator[Callable[..., Running]]:
    """Starts `csms COMMAND` and waits until it says that it runs; whatever it is, it is gone at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str = "serve", **settings: str) -> Running:
        errors = folder / f"errors-{len(started)}"
        with errors.open("w") as stream:
            process = subprocess.Popen(
                [*CSMS, command],
                env={**environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if len(lines) > 2 and not line.strip():
                return Running(process, "".join(lines), errors)
        raise AssertionError(f"ended with {process.wait(5)}: {errors.read_text()}")

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
    pid_file = folder / "data" / "postgres" / "cluster" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError):
        postmaster = int(pid_file.read_text().split("\n", 1)[0])
        with contextlib.suppress(ProcessLookupError):
            os.kill(postmaster, signal.SIGINT)
            wait_until(lambda: not pid_file.exists())


def run(environ: dict[str, str], *arguments: str, text_in: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run([*CSMS, *arguments], env=environ, input=text_in, capture_output=True, text=True, timeout=60, check=False)


def wait_until(condition: Callable[[], bool], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def postmaster_pid(folder: Path) -> int:
    return int((folder / "data" / "postgres" / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_start_and_stop(launch: Callable[..., Running], folder: Path, number: int) -> None:
    first = launch(CSMS_TRY="1")
    assert first.get("/health")["status"] == "ok"
    password = first.admin_password
    assert password is not None
    assert first.sign_in(password) == 200
    host, port = first.ocpp.removeprefix("ws://").split("/")[0].split(":")
    socket.create_connection((host, int(port)), 5).close()
    assert first.stop(number) == 0
    assert not (folder / "data" / "postgres" / "cluster" / "postmaster.pid").exists()
    events = [json.loads(line) for line in first.errors.read_text().splitlines()]
    assert events[0]["event"] == "try_out_mode"
    assert events[-1]["event"] == "stopped"
    assert password not in first.errors.read_text()


def test_the_password_is_shown_once_and_data_stays(launch: Callable[..., Running]) -> None:
    first = launch()
    password = first.admin_password
    assert password is not None
    first.stop()
    second = launch()
    assert second.admin_password is None
    assert second.sign_in(password) == 200


@pytest.mark.serial
def test_later_starts_are_quick(launch: Callable[..., Running]) -> None:
    launch().stop()
    began = time.monotonic()
    launch()
    assert time.monotonic() - began < 5


def test_a_given_password_is_taken_and_not_shown(launch: Callable[..., Running]) -> None:
    serve = launch(CSMS_ADMIN_PASSWORD="correct horse battery")
    assert "correct horse" not in serve.told + serve.errors.read_text()
    assert serve.sign_in("correct horse battery") == 200


def test_killed_and_started_again(launch: Callable[..., Running], folder: Path) -> None:
    first = launch()
    password = first.admin_password
    assert password is not None
    postmaster = postmaster_pid(folder)
    first.process.kill()
    first.process.wait(5)
    second = launch()
    assert second.sign_in(password) == 200
    assert postmaster_pid(folder) == postmaster, "the running server is taken over"
    assert second.stop() == 0
    assert not Path(f"/proc/{postmaster}/cwd").exists()


def test_a_killed_database_comes_back_by_itself(launch: Callable[..., Running], folder: Path) -> None:
    serve = launch()
    password = serve.admin_password
    assert password is not None
    before = postmaster_pid(folder)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: "postgresql.restarted" in serve.errors.read_text())
    assert postmaster_pid(folder) != before
    wait_until(lambda: serve.get("/health")["status"] == "ok")
    assert serve.sign_in(password) == 200
    assert serve.stop() == 0


def test_a_second_start_on_the_same_data_is_refused(launch: Callable[..., Running], environ: dict[str, str]) -> None:
    serve = launch()
    refused = run(environ, "serve")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: another csms (process {serve.process.pid}) runs on the database in ")
    assert serve.get("/health")["status"] == "ok"


def test_commands_that_do_one_thing_while_it_runs(launch: Callable[..., Running], environ: dict[str, str]) -> None:
    serve = launch()
    changed = run(environ, "user", "set-password", "admin@localhost", text_in="new password\n")
    assert (changed.returncode, changed.stderr) == (0, "the password is set\n")
    assert serve.sign_in("new password") == 200
    generated = run(environ, "user", "set-password", "ADMIN@localhost", "--generate")
    assert serve.sign_in(generated.stdout.strip()) == 200
    assert run(environ, "migrate").stdout == "the schema is up to date\n"
    asked = run(environ, "database", "psql", "-Atc", "SELECT slug FROM tenants")
    if asked.returncode == 0:  # a PostgreSQL installation may come without psql
        assert asked.stdout == "default\n"
    assert serve.get("/health")["status"] == "ok"


@pytest.mark.parametrize(
    ("settings", "arguments", "status", "line"),
    [
        ({"CSMS_OCPP_PROT": "1"}, ["serve"], 2, "unknown setting CSMS_OCPP_PROT: did you mean CSMS_OCPP_PORT?"),
        ({"CSMS_TRY": "2"}, ["serve"], 2, "CSMS_TRY is neither 1 nor 0 (it is '2')"),
        ({"CSMS_POSTGRES_BIN": "/nowhere"}, ["serve"], 1, "/nowhere holds no `initdb`: CSMS_POSTGRES_BIN names the"),
        ({}, ["gateway"], 1, "`csms gateway` runs one part of several and needs CSMS_DATABASE_URL"),
        ({}, ["hub"], 1, "`csms hub` runs one part of several and needs CSMS_DATABASE_URL"),
        ({}, ["user", "set-password", "a@b.org"], 1, "a password has "),
        ({}, ["database"], 1, "name a program, for example: csms database psql"),
        (
            {"CSMS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "CSMS_SECRET_FILE": "/nowhere/secret"},
            ["gateway"],
            1,
            "no root secret at /nowhere/secret: restore it from the backup",
        ),
    ],
)
def test_what_cannot_be_done_is_one_line(
    environ: dict[str, str], settings: dict[str, str], arguments: list[str], status: int, line: str
) -> None:
    refused = run({**environ, **settings}, *arguments)
    assert refused.returncode == status
    errors = [text for text in refused.stderr.splitlines() if not text.startswith("{")]  # beside log lines
    assert len(errors) == 1, refused.stderr
    assert errors[0].startswith(f"error: {line}")


def test_an_occupied_port_is_one_line_and_leaves_nothing_running(environ: dict[str, str], folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run({**environ, "CSMS_HTTP_PORT": str(port)}, "serve")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert refused.stderr.splitlines()[-1] == f"error: Address already in use: 127.0.0.1:{port}"
    assert not (folder / "data" / "postgres" / "cluster" / "postmaster.pid").exists()


def test_another_secret_is_refused(environ: dict[str, str], folder: Path) -> None:
    assert run(environ, "migrate").returncode == 0
    (folder / "data" / "secret").unlink()
    refused = run(environ, "migrate")
    assert refused.returncode == 1
    assert "the root secret is not the one of this database" in refused.stderr.splitlines()[-1]


@pytest.fixture
def shared(database: str, root_secret: RootSecret, folder: Path) -> dict[str, str]:
    """Settings of processes that share a migrated database."""
    path = folder / "shared-secret"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    assert RootSecret.load(path, create=False).fingerprint() == root_secret.fingerprint()
    return {"CSMS_DATABASE_URL": database, "CSMS_SECRET_FILE": str(path)}


def test_gateway_and_hub_as_processes_of_their_own(launch: Callable[..., Running], shared: dict[str, str], redis_url: str) -> None:
    gateway = launch("gateway", **shared, CSMS_REDIS_URL=redis_url)
    hub = launch("hub", **shared, CSMS_REDIS_URL=redis_url)
    assert hub.get("/health")["status"] == "ok"
    assert gateway.ocpp
    assert gateway.stop() == 0
    assert hub.stop() == 0


def test_without_redis_processes_warn(launch: Callable[..., Running], shared: dict[str, str]) -> None:
    gateway = launch("gateway", **shared)
    assert '"no_redis"' in gateway.errors.read_text()


def test_a_schema_that_is_behind_is_refused(empty_database: str, shared: dict[str, str], environ: dict[str, str]) -> None:
    refused = run({**environ, **shared, "CSMS_DATABASE_URL": empty_database}, "serve")
    assert refused.returncode == 1
    assert "run 'csms migrate' first" in refused.stderr.splitlines()[-1]


def test_a_client_that_stops_reading_does_not_hold_up_the_end(launch: Callable[..., Running]) -> None:
    serve = launch()
    host, port = serve.http.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect((host, int(port)))
        with contextlib.suppress(BlockingIOError):
            deaf.setblocking(False)
            for _ in range(2000):  # asks again and again for the largest answer, and never reads one
                deaf.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        assert serve.stop(within=40) == 0


@pytest.mark.serial
def test_help_is_quick(environ: dict[str, str]) -> None:
    began = time.monotonic()
    run(environ, "--help")
    assert time.monotonic() - began < 1


def test_help_names_every_command(environ: dict[str, str]) -> None:
    told = run(environ, "--help")
    assert told.returncode == 0
    for command in ("serve", "gateway", "hub", "migrate", "simulate", "bench", "user", "database"):
        assert re.search(rf"^ +{command} ", told.stdout, flags=re.MULTILINE), command
