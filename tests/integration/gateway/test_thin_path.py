"""A station connects, boots, and is served; what it says is in the database before it is told so."""

from __future__ import annotations

import pytest

from tests.integration.gateway.site import running


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_a_station_connects_boots_and_reports(database: str, version: str) -> None:
    async with running(database) as site, site.station("CP1", versions=[version]) as station:
        assert station.socket.subprotocol == version
        boot = await station.boot()
        assert boot[2]["interval"] == 300
        heartbeat = await station.call("Heartbeat", {})
        assert heartbeat[0] == 3
        assert heartbeat[2]["currentTime"].endswith("Z")
        status = (
            {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
            if version == "ocpp1.6"
            else {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        )
        assert (await station.call("StatusNotification", status))[2] == {}
        (row,) = await site.rows("SELECT * FROM stations")
        assert (row["identity"], row["registration"], row["connection_epoch"]) == ("CP1", "accepted", 1)
        assert row["connected_process"] == site.services.process_id
        (connector,) = await site.rows("SELECT * FROM connectors WHERE connector_id = 1")
        assert connector["status"] == "Available"


async def test_a_closed_connection_is_offline_in_the_database(database: str) -> None:
    async with running(database) as site:
        async with site.station("CP1") as station:
            await station.boot()
        site.shutdown.set()
        await site.stopped.wait()
        (row,) = await site.rows("SELECT * FROM stations")
        assert row["connected_process"] is None
        assert row["disconnected_at"] is not None
