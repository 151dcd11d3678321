"""The simulator against the real server: what its stations saw is what the API has."""

from __future__ import annotations

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
    assert {record.ocpp_version for record in report.sessions} == {"ocpp1.6", "ocpp2.0.1"}
    assert report.counters.connections > 12, "no station was ever offline"
    assert [record for record in report.sessions if record.acknowledged != record.messages] == []
    assert await trio.to_thread.run_sync(_differences, api, report) == []
    assert report.errors == {}
