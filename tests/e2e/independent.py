"""Charge points of an independent implementation: the PyPI package `ocpp` on `websockets`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call as call21
from ocpp.v21 import call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

MAKE = {"model": "Model", "vendorName": "Vendor"}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Meter:
    """Counts whole Wh; every reading is remembered with its time."""

    def __init__(self, start_wh: int) -> None:
        self.register_wh = start_wh
        self.readings: list[tuple[str, int]] = []

    def read(self, consumed_wh: int) -> tuple[str, int]:
        self.register_wh += consumed_wh
        self.readings.append((now(), self.register_wh))
        return self.readings[-1]


class Station16(ChargePoint16):  # type: ignore[misc]  # the package has no types
    """OCPP 1.6: does one charge; stops when told so."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stop_ordered = asyncio.Event()
        self.transaction_id = 0

    @on("RemoteStopTransaction")
    def on_remote_stop(self, transaction_id: int) -> result16.RemoteStopTransaction:
        known = transaction_id == self.transaction_id
        if known:
            self.stop_ordered.set()
        return result16.RemoteStopTransaction("Accepted" if known else "Rejected")

    async def charge(self, meter: Meter, interval: float, charging: asyncio.Event) -> tuple[str, str]:
        """A whole charge, from the boot to the stop; gives the times of start and stop."""
        boot = await self.call(call16.BootNotification("Model", "Vendor"), suppress=False)
        assert boot.status == "Accepted"
        assert boot.interval > 0
        await self._status("Available")
        authorized = await self.call(call16.Authorize("TOKEN-16"), suppress=False)
        assert authorized.id_tag_info["status"] == "Accepted"
        await self._status("Preparing")
        started_at = now()
        started = await self.call(call16.StartTransaction(1, "TOKEN-16", meter.register_wh, started_at), suppress=False)
        assert started.id_tag_info["status"] == "Accepted"
        self.transaction_id = started.transaction_id
        await self._status("Charging")
        while not self.stop_ordered.is_set():
            timestamp, register = meter.read(7)
            await self.call(
                call16.MeterValues(
                    1,
                    [
                        {
                            "timestamp": timestamp,
                            "sampledValue": [
                                {"value": str(register), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                                {"value": "7000.5", "measurand": "Power.Active.Import", "unit": "W"},
                            ],
                        }
                    ],
                    self.transaction_id,
                ),
                suppress=False,
            )
            charging.set()
            await _pause(interval, self.stop_ordered)
        meter.register_wh += 3
        stopped_at = now()
        await self.call(call16.StopTransaction(meter.register_wh, stopped_at, self.transaction_id, reason="Remote"), suppress=False)
        await self._status("Available")
        return started_at, stopped_at

    async def _status(self, status: str) -> None:
        await self.call(call16.StatusNotification(1, "NoError", status, now()), suppress=False)


class Station2x:
    """OCPP 2.0.1 and 2.1: the same. A version gives the package's messages and its way to call."""

    TRANSACTION = "independent-1"
    messages: Any
    results: Any
    token: str
    call: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stop_ordered = asyncio.Event()
        self._seq_no = 0

    @on("RequestStopTransaction")
    def on_request_stop(self, transaction_id: str) -> Any:
        known = transaction_id == self.TRANSACTION
        if known:
            self.stop_ordered.set()
        return self.results.RequestStopTransaction("Accepted" if known else "Rejected")

    async def charge(self, meter: Meter, interval: float, charging: asyncio.Event) -> tuple[str, str]:
        boot = await self.call(self.messages.BootNotification(charging_station=MAKE, reason="PowerUp"), suppress=False)
        assert boot.status == "Accepted"
        assert boot.interval > 0
        await self._status("Available")
        token = {"idToken": self.token, "type": "ISO14443"}
        authorized = await self.call(self.messages.Authorize(id_token=token), suppress=False)
        assert authorized.id_token_info["status"] == "Accepted"
        await self._status("Occupied")
        started_at, register = meter.read(0)
        started = await self._event("Started", "Authorized", started_at, register, id_token=token, evse={"id": 1, "connectorId": 1})
        assert started.id_token_info["status"] == "Accepted"
        while not self.stop_ordered.is_set():
            await self._event("Updated", "MeterValuePeriodic", *meter.read(7))
            charging.set()
            await _pause(interval, self.stop_ordered)
        stopped_at, register = meter.read(3)
        await self._event("Ended", "RemoteStop", stopped_at, register, stopped_reason="Remote")
        await self._status("Available")
        return started_at, stopped_at

    async def _event(
        self, kind: str, trigger: str, timestamp: str, register: int, *, stopped_reason: str | None = None, **more: Any
    ) -> Any:
        self._seq_no += 1
        return await self.call(
            self.messages.TransactionEvent(
                event_type=kind,
                timestamp=timestamp,
                trigger_reason=trigger,
                seq_no=self._seq_no - 1,
                transaction_info={
                    "transactionId": self.TRANSACTION,
                    **({"stoppedReason": stopped_reason} if stopped_reason else {}),
                },
                meter_value=[
                    {
                        "timestamp": timestamp,
                        "sampledValue": [
                            {"value": register, "measurand": "Energy.Active.Import.Register"},
                            {"value": 7000.5, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
                        ],
                    }
                ],
                **more,
            ),
            suppress=False,
        )

    async def _status(self, status: str) -> None:
        await self.call(
            self.messages.StatusNotification(timestamp=now(), connector_status=status, evse_id=1, connector_id=1), suppress=False
        )


class Station201(Station2x, ChargePoint201):  # type: ignore[misc]  # the package has no types
    messages, results, token = call201, result201, "TOKEN-201"


class Station21(Station2x, ChargePoint21):  # type: ignore[misc]  # the package has no types
    messages, results, token = call21, result21, "TOKEN-21"


async def _pause(seconds: float, unless: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(unless.wait(), seconds)
    except TimeoutError:
        pass


STATIONS = {"ocpp1.6": Station16, "ocpp2.0.1": Station201, "ocpp2.1": Station21}


@asynccontextmanager
async def connected(url: str, identity: str, version: str, password: str | None = None) -> AsyncIterator[Station16 | Station2x]:
    """A station of the version, connected and listening."""
    address = url if password is None else url.replace("ws://", f"ws://{identity}:{password}@")
    async with connect(f"{address}/{identity}", subprotocols=[Subprotocol(version)]) as connection:
        assert connection.subprotocol == version
        station = STATIONS[version](identity, connection)
        listening = asyncio.create_task(station.start())
        try:
            yield station
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


__all__ = ["STATIONS", "ConnectionClosed", "Meter", "Station2x", "Station16", "connected", "now"]
