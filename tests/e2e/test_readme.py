"""The README's first session, as a new user types it: its own commands, with this server's ports and password."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import ADMIN_EMAIL, ADMIN_PASSWORD, Api, RunningServer

ROOT = Path(__file__).parents[2]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _commands(section: str) -> list[str]:
    """The commands of a section's console blocks, continuation lines joined."""
    text = (ROOT / "README.md").read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found: list[str] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith("$ "):
                command = line.removeprefix("$ ")
                while command.endswith("\\"):
                    command += "\n" + next(lines)
                found.append(command)
    return found


def _here(command: str, server: RunningServer) -> str:
    """The command with this server's addresses and credentials in the place of the defaults."""
    csms = f"{sys.executable} -c 'import sys; from csms.cli import main; sys.exit(main())'"
    return (
        command.replace("localhost:8080", f"127.0.0.1:{server.http_port}")
        .replace("admin@localhost", ADMIN_EMAIL)
        .replace("<the password>", ADMIN_PASSWORD)
        .replace(".venv/bin/csms simulate", f"{csms} simulate --url {server.ws_url}")
    )


def _run(command: str, token: str = "") -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env={**os.environ, "TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def _in_background(command: str) -> Iterator[None]:
    with subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _active_session(api: Api) -> Any:
    deadline = time.monotonic() + 30
    while True:
        for session in api.items("/sessions", status="active", charge_point_id="SIM-00001"):
            return session
        assert time.monotonic() < deadline, "no session of the simulated station became active"
        time.sleep(0.2)


@pytest.mark.slow
def test_first_session(running_server: RunningServer, api: Api) -> None:
    simulate, sign_in, listing, ask, stop = (_here(command, running_server) for command in _commands("A first session"))
    with _in_background(simulate):
        session = _active_session(api)
        token = _run(f"{sign_in}\necho $TOKEN").strip()
        assert len(json.loads(_run(listing, token))["items"]) == 1
        asked = json.loads(_run(ask, token))
        assert asked["status"] == "accepted"
        assert asked["result"]["configurationKey"][0]["key"] == "HeartbeatInterval"
        (documented,) = _UUID.findall(stop)
        session = _active_session(api)
        stopped = json.loads(_run(stop.replace(documented, session["session_id"]), token))
        assert stopped.get("session"), stopped
        assert stopped["session"]["session_id"] == session["session_id"]
        assert stopped["command"]["status"] == "accepted"
