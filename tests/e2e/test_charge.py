"""A whole charge by an independent implementation, steered and seen through the API."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.independent import STATIONS, Meter, connected
from tests.e2e.running import Api, RunningServer

METER_START_WH = 1_234_567
INTERVAL = float(os.environ.get("CSMS_E2E_METER_INTERVAL", "0.1"))  # seconds
READINGS = 5  # at least so many before the API orders the stop


@pytest.mark.parametrize("version", STATIONS)
def test_charge(running_server: RunningServer, api: Api, version: str) -> None:
    identity = f"INDEPENDENT-{version}"
    password = api.post("/chargepoints", {"charge_point_id": identity, "generate_password": True})["password"]
    meter = Meter(METER_START_WH)
    started_at, stopped_at = asyncio.run(_charge(running_server, api, identity, version, password, meter))

    (session,) = api.sessions(identity)
    assert session["status"] == "completed"
    assert session["ocpp_version"] == version
    assert session["evse_id"] == session["connector_id"] == 1
    assert session["id_tag"] == {"ocpp1.6": "TOKEN-16", "ocpp2.0.1": "TOKEN-201", "ocpp2.1": "TOKEN-21"}[version]
    assert session["stop_reason"] == "Remote"
    assert session["start_meter_wh"] == METER_START_WH
    assert session["stop_meter_wh"] == meter.register_wh
    assert session["energy_wh"] == meter.register_wh - METER_START_WH
    assert _moment(session["start_time"]) == _moment(started_at)
    assert _moment(session["stop_time"]) == _moment(stopped_at)

    samples = api.samples(session["session_id"])
    energy = [s for s in samples if s["measurand"] == "Energy.Active.Import.Register"]
    power = [s for s in samples if s["measurand"] == "Power.Active.Import"]
    assert [(_moment(s["timestamp"]), s["value"]) for s in energy] == [(_moment(t), wh) for t, wh in meter.readings]
    assert [s["value"] for s in power] == [7000.5] * len(meter.readings)
    assert len(samples) == 2 * len(meter.readings)
    assert len(meter.readings) >= READINGS


async def _charge(server: RunningServer, api: Api, identity: str, version: str, password: str, meter: Meter) -> tuple[str, str]:
    async with connected(server.ws_url, identity, version, password) as station:
        charging = asyncio.Event()
        charge = asyncio.create_task(station.charge(meter, INTERVAL, charging))
        await asyncio.wait_for(charging.wait(), 10)
        while len(meter.readings) < READINGS:
            await asyncio.sleep(INTERVAL)
        (live,) = await asyncio.to_thread(api.sessions, identity)
        assert live["status"] == "active"
        stopped = await asyncio.to_thread(_stop, api, live)
        assert stopped["command"]["status"] == "accepted"
        return await asyncio.wait_for(charge, 10)


def _stop(api: Api, session: Any) -> Any:
    return api.post(f"/sessions/{session['session_id']}/stop", {})


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
