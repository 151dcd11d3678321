"""The real server as a process of its own, and a client of its HTTP API."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx

from bench.processes import free_port

ADMIN_EMAIL = "admin@example.test"
ADMIN_PASSWORD = "a password for tests"
TRUST: Final = ssl.create_default_context()
"""For clients of HTTP without TLS, too: each makes one of its own otherwise, which takes a tenth of a second."""
_START = "import sys; from csms.cli import main; sys.exit(main())"


class RunningServer:
    """`csms serve` (or another command) with ports of its own; started again after a stop or kill it keeps them."""

    def __init__(self, folder: Path, environment: Mapping[str, str], command: str = "serve") -> None:
        self.folder = folder
        self.command = command
        self.ocpp_port = free_port()
        self.tls_port = free_port()
        self.http_port = free_port()
        self.http_url = f"http://127.0.0.1:{self.http_port}"
        self.ws_url = f"ws://127.0.0.1:{self.ocpp_port}/ocpp"
        self.log = folder / f"{command}.log"
        self._environment = {
            "CSMS_TRY": "1",
            "CSMS_DATA_DIR": str(folder / "data"),
            "CSMS_OCPP_PORT": str(self.ocpp_port),
            "CSMS_OCPP_TLS_PORT": str(self.tls_port),
            "CSMS_HTTP_PORT": str(self.http_port),
            "CSMS_ADMIN_EMAIL": ADMIN_EMAIL,
            "CSMS_ADMIN_PASSWORD": ADMIN_PASSWORD,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def start(self, timeout: float = 60.0) -> Self:
        """Start it and wait until it is healthy."""
        self.launch()
        self.wait_until_healthy(timeout)
        return self

    def launch(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CSMS_")}
        if bin_dir := os.environ.get("CSMS_POSTGRES_BIN"):
            inherited["CSMS_POSTGRES_BIN"] = bin_dir
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, self.command],
                env=inherited | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_healthy(self, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while True:
            if self.exit_status is not None:
                raise AssertionError(f"the server ended with status {self.exit_status}:\n{self.tail()}")
            try:
                if self.health()["status"] == "ok":
                    return
            except (httpx.TransportError, ValueError):
                pass
            if time.monotonic() > deadline:
                raise AssertionError(f"the server is not healthy after {timeout} s:\n{self.tail()}")
            time.sleep(0.05)

    def health(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.http_url}/health", timeout=5.0, verify=TRUST)
        body: dict[str, Any] = answer.json()
        return body

    def memory(self) -> int:
        """The process's resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self.pid, signal.SIGINT)

    def wait(self, timeout: float) -> int:
        assert self._process is not None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {timeout} s:\n{self.tail()}") from None

    def stop(self, timeout: float = 30.0) -> int:
        """Ctrl-C, and wait for the end. Gives the exit status."""
        if self.exit_status is None:
            self.interrupt()
        return self.wait(timeout)

    def kill(self) -> None:
        """kill -9: nothing of it gets a chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def ensure_gone(self) -> None:
        """For the end of a test: stop it, or kill it when it does not want to."""
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self.stop(20)
        except AssertionError:
            self.kill()
            raise

    def tail(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def api(self, tenant: str | None = None) -> Api:
        return Api(self.http_url, ADMIN_EMAIL, ADMIN_PASSWORD, tenant)


class Api:
    """The HTTP API as an administrator; an unexpected status fails the test with the answer's text."""

    def __init__(self, url: str, email: str, password: str, tenant: str | None = None) -> None:
        self._client = httpx.Client(base_url=url, timeout=40.0, verify=TRUST)
        self._credentials = {"email": email, "password": password}
        self._tenant = tenant

    def __enter__(self) -> Self:
        self.sign_in()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def sign_in(self) -> None:
        answer = self._client.post("/api/v1/auth/login", json=self._credentials)
        assert answer.status_code == 200, answer.text
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        if self._tenant is not None:
            self._client.headers["X-CSMS-Tenant"] = self._tenant

    def call(
        self, method: str, path: str, body: object = None, *, expect: tuple[int, ...] = (200, 201, 202, 204), **query: Any
    ) -> Any:
        answer = self._client.request(method, f"/api/v1{path}", json=body, params=query)
        assert answer.status_code in expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: object) -> Any:
        return self.call("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        return self.call("PUT", path, body)

    def items(self, path: str, **query: Any) -> list[Any]:
        """All pages of a list."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def sessions(self, identity: str) -> list[Any]:
        return self.items("/sessions", charge_point_id=identity)

    def samples(self, session_id: str) -> list[Any]:
        return self.items(f"/sessions/{session_id}/samples")

    def raw(self, identity: str, action: str, payload: dict[str, Any]) -> Any:
        """Order an OCPP action as it stands and wait for its end."""
        return self.post(f"/chargepoints/{identity}/commands", {"action": action, "payload": payload})

    def command(self, identity: str, command: str, /, **parameters: Any) -> Any:
        """Order a command and wait for its end."""
        return self.post(f"/chargepoints/{identity}/commands", {"command": command, "parameters": parameters})
