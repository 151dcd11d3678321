"""The simulator against the real server: what its stations saw is what the API has."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
import trio

from csms.clock import SystemClock, SystemIds
from csms.simulate import SimulateOptions, SimulateReport, simulate
from tests.e2e.running import Api, RunningServer


def _differences(api: Api, report: SimulateReport) -> list[str]:
    found = []
    for record in report.sessions:
        sessions = [s for s in api.sessions(record.charge_point_id) if s["transaction_id"] == record.transaction_id]
        if len(sessions) != 1:
            found.append(f"{record}: {len(sessions)} sessions")
            continue
        (session,) = sessions
        expected = {
            "status": "completed",
            "ocpp_version": record.ocpp_version,
            "connector_id": record.connector_id if record.ocpp_version == "ocpp1.6" else 1,
            "evse_id": record.connector_id,
            "id_tag": record.id_token,
            "start_meter_wh": record.start_meter_wh,
            "stop_meter_wh": record.stop_meter_wh,
            "energy_wh": record.energy_wh,
            "stop_reason": record.stop_reason,
        }
        found += [f"{name} of {record} is {session[name]}" for name, value in expected.items() if session[name] != value]
        samples = [s for s in api.samples(session["session_id"]) if s["measurand"] == "Energy.Active.Import.Register"]
        if len(samples) != record.samples:
            found.append(f"{record}: {len(samples)} samples")
    return found


@pytest.mark.slow
async def test_report_equals_the_api(running_server: RunningServer, api: Api) -> None:
    """Days of charging in seconds, both versions, with spells without network in between."""
    options = SimulateOptions(
        url=running_server.ws_url,
        stations=12,
        prefix="SIM-API",
        speed=1200,
        duration=12,
        sessions_per_day=60,
        offline_spells_per_day=20,
        backoff_minimum=0.1,
        backoff_random=0.2,
    )
    clock = SystemClock()
    report = await simulate(options, clock=clock, ids=SystemIds(clock))
    assert report.counters.station_failures == 0, report.errors
    assert report.undelivered == 0
    assert len(report.sessions) > 12
    assert {record.ocpp_version for record in report.sessions} == {"ocpp1.6", "ocpp2.0.1", "ocpp2.1"}
    assert report.counters.connections > 12, "no station was ever offline"
    assert [record for record in report.sessions if record.acknowledged != record.messages] == []
    assert await trio.to_thread.run_sync(_differences, api, report) == []
    assert report.errors == {}


async def _ordered(api: Api, identity: str, command: str, **parameters: object) -> Any:
    done = await trio.to_thread.run_sync(partial(api.command, identity, command, **parameters))
    assert done["status"] == "accepted", done
    return done["result"]


async def _session(api: Api, identity: str, wanted: Callable[[Any], bool]) -> Any:
    """The session of the station once it is as wanted."""
    with trio.fail_after(10):
        while True:
            for session in await trio.to_thread.run_sync(api.sessions, identity):
                if wanted(session):
                    return session
            await trio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_stations_obey(running_server: RunningServer, api: Api, version: Literal["1.6", "2.0.1", "2.1"]) -> None:
    """Remote start and stop, configuration, trigger, unlock, availability, reset: from the API to the station and back."""
    options = SimulateOptions(
        url=running_server.ws_url,
        stations=1,
        version=version,
        connectors=3,
        prefix=f"OBEY-{version}",
        sessions_per_day=0,
        offline_spells_per_day=0,
        backoff_minimum=0.1,
        backoff_random=0.1,
    )
    identity, clock, stop = options.identity(1), SystemClock(), trio.Event()
    reports: list[SimulateReport] = []

    async def run() -> None:
        reports.append(await simulate(options, clock=clock, ids=SystemIds(clock), stop=stop))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with trio.fail_after(10):
            while not any(
                point["charge_point_id"] == identity and point["registration"] == "accepted"
                for point in await trio.to_thread.run_sync(api.items, "/chargepoints")
            ):
                await trio.sleep(0.1)

        await _ordered(api, identity, "remote_start", id_token="REMOTE", evse_id=1)
        session = await _session(api, identity, lambda s: s["status"] == "active")
        assert (session["evse_id"], session["id_tag"]) == (1, "REMOTE")
        await _ordered(api, identity, "trigger_message", message="MeterValues", evse_id=1, connector_id=1)
        await _ordered(api, identity, "remote_stop", transaction_id=session["transaction_id"])
        session = await _session(api, identity, lambda s: s["status"] == "completed")
        assert session["stop_reason"] == "Remote"

        await _configure(api, identity, version)
        await _ordered(
            api, identity, "change_availability", type="inoperative", evse_id=2, connector_id=2 if version == "1.6" else 1
        )
        await _ordered(api, identity, "clear_cache")
        await _ordered(api, identity, "unlock_connector", evse_id=2, connector_id=2 if version == "1.6" else 1)

        await _ordered(api, identity, "remote_start", id_token="REMOTE", evse_id=3)
        await _session(api, identity, lambda s: s["status"] == "active")
        await _ordered(api, identity, "reset", type="hard")
        reset = await _session(api, identity, lambda s: s["stop_reason"] in ("HardReset", "ImmediateReset"))
        assert reset["status"] == "completed"
        stop.set()
    (report,) = reports
    assert len(report.sessions) == 2
    assert await trio.to_thread.run_sync(_differences, api, report) == []
    assert report.errors == {}


async def _configure(api: Api, identity: str, version: str) -> None:
    if version == "1.6":
        await _ordered(api, identity, "change_configuration", key="MeterValueSampleInterval", value="17")
        result = await _ordered(api, identity, "get_configuration", keys=["MeterValueSampleInterval", "Nonsense"])
        assert result["configurationKey"] == [{"key": "MeterValueSampleInterval", "readonly": False, "value": "17"}]
        assert result["unknownKey"] == ["Nonsense"]
        return
    name = {"component": "SampledDataCtrlr", "variable": "TxUpdatedInterval"}
    await _ordered(api, identity, "set_variables", variables=[{**name, "value": "17"}])
    result = await _ordered(api, identity, "get_variables", variables=[name])
    assert result["getVariableResult"][0]["attributeValue"] == "17"
    await _ordered(api, identity, "get_base_report")


@pytest.mark.slow
def test_ctrl_c_ends_with_a_report(running_server: RunningServer) -> None:
    """The command line: running transactions are finished and delivered, then the report is printed."""
    arguments = [
        "--url",
        running_server.ws_url,
        "--stations",
        "2",
        "--prefix",
        "SIM-CTRL-C",
        "--sessions-per-day",
        "10000",
        "--even",
    ]
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from csms.cli import main; sys.exit(main())",
            "simulate",
            *arguments,
            "--report",
            "json",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(6)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    report = json.loads(output)
    assert report["sessions"]
    assert all(session["acknowledged"] == session["messages"] > 0 for session in report["sessions"])
    assert report["undelivered"] == 0
