"""`csms bench run` from end to end: a system of its own, a fleet, results; and what an interrupt leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

_SCENARIO = """
title = "Small"
about = "All that a scenario can have, in small."

[system]
gateways = 2
hub = true
redis = true
password = true

[fleet]
stations = 40
processes = 2
groups = [
    { name = "1.6", version = "ocpp1.6", behaviour = "turnover", share = 2, changes = { meter_values_s = 0.5, session_s = 2.0 } },
    { name = "2.0.1", version = "ocpp2.0.1", behaviour = "highway", changes = { meter_values_s = 0.5 } },
    { name = "2.1", version = "ocpp2.1", behaviour = "charging", changes = { meter_values_s = 0.5 } },
]

[[fleet.http]]
name = "command"
method = "POST"
path = "/api/v1/chargepoints/{station}/commands?wait=10"
body = '{"command": "clear_cache"}'
per_second = 5.0
expect = [200]

[[steps]]
do = "hold"
name = "hold"
seconds = 1.0

[[steps]]
do = "run"
name = "run"
seconds = 4.0

[[steps]]
do = "run"
name = "restart"
seconds = 12.0
events = [
    { at_s = 1.0, do = "cut", fraction = 0.5 },
    { at_s = 3.0, do = "restart-gateways" },
    { at_s = 5.0, do = "stall", what = "postgresql", for_s = 0.5, times = 1 },
]

[[aims]]
figure = "*/run/errors"
most = 0

[[charts]]
kind = "over-time"
title = "Time"
"""

_TLS = """
title = "TLS"
about = "Stations with client certificates."
[system]
tls = "mutual"
[fleet]
stations = 20
groups = [{ name = "all", behaviour = "charging", changes = { meter_values_s = 0.5 } }]
[[steps]]
do = "run"
name = "run"
seconds = 3.0
"""


def _start(folder: Path, text: str, fleet: Path) -> subprocess.Popen[str]:
    scenario = folder / "small.toml"
    scenario.write_text(text)
    arguments = [sys.executable, "-m", "bench", "run", str(scenario), "--fleet", str(fleet), "--out", str(folder)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def _result(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "small" / "result.json").read_text())
    return loaded


def test_a_scenario_is_played_to_its_end(fleet: Path, tmp_path: Path) -> None:
    with _start(tmp_path, _SCENARIO, fleet) as bench:
        out, err = bench.communicate(timeout=150)
    assert bench.returncode == 0, out + err
    result = _result(tmp_path)
    assert not result["partial"]
    assert not result["failed"]
    (case,) = result["cases"]
    assert case["ready"]["accepted"] == 40
    found = result["figures"]
    assert found["all/hold/kb_per_connection"] > 0
    for step in ("run", "restart"):
        assert found[f"all/{step}/errors"] == 0
        assert found[f"all/{step}/unanswered"] == 0
    run, restart = (step for step in case["steps"] if step["do"] == "run")
    # 40 stations, of which 50 connectors with a reading each half second and short charges of 1.6: some 80 messages a second
    assert 150 < run["answered"] < 1000
    assert {"MeterValues", "StartTransaction", "StopTransaction"} <= run["latency"].keys()
    assert run["http"]["command"]["answered"] == pytest.approx(20, abs=3)
    assert run["http"]["command"]["errors"] == {}
    assert run["commands_answered"] == pytest.approx(20, abs=3)
    assert restart["reconnects"] >= 40, "half were cut, and every gateway was restarted"
    assert {"gateway", "hub", "postgresql", "redis", "fleet"} <= run["cpu"].keys()
    assert all(seconds > 0 for role, seconds in run["cpu"].items() if role != "redis")
    assert (tmp_path / "small" / "report.html").exists()
    assert "held" in out


def test_with_client_certificates(fleet: Path, tmp_path: Path) -> None:
    with _start(tmp_path, _TLS, fleet) as bench:
        out, err = bench.communicate(timeout=90)
    assert bench.returncode == 0, out + err
    assert _result(tmp_path)["figures"]["all/run/messages"] > 60


def test_an_interrupt_leaves_a_valid_result(fleet: Path, tmp_path: Path) -> None:
    text = _SCENARIO.replace("seconds = 4.0", "seconds = 600.0")
    with _start(tmp_path, text, fleet) as bench:
        assert bench.stderr is not None
        deadline = time.monotonic() + 90
        for line in bench.stderr:
            assert time.monotonic() < deadline
            if "running" in line:
                break
        time.sleep(2)
        os.kill(bench.pid, signal.SIGINT)
        began = time.monotonic()
        bench.communicate(timeout=60)
    assert bench.returncode == 130
    assert time.monotonic() - began < 40
    result = _result(tmp_path)
    assert result["partial"]
    run = result["cases"][0]["steps"][-1]
    assert run["name"] == "run"
    assert run["partial"]
    assert run["answered"] > 0
    assert 1 < run["seconds"] < 60
    assert result["figures"]["all/run/p99_ms"] > 0


def test_what_cannot_be_done_is_one_line(fleet: Path, tmp_path: Path) -> None:
    with _start(tmp_path, 'title = "t"\nabout = "a"\nsteps = [{ do = "jump" }]', fleet) as bench:
        _, err = bench.communicate(timeout=30)
    assert bench.returncode == 1
    assert err.startswith("error: small.toml: ")
    assert err.count("\n") == 1
