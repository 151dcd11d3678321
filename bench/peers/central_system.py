"""A central system of the PyPI package `ocpp` on `websockets`, as the package documents it, on plain asyncio.

A process of its own: `python -m bench.peers.central_system PORT` serves until its standard input closes.
"""

# `ocpp` has no types: its ChargePoint is Any and its decorators are untyped
# mypy: disallow-subclassing-any=False, disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

import ocpp.messages
import ocpp.v16
import ocpp.v201
import websockets
from ocpp.routing import on
from ocpp.v16 import call_result as answer16
from ocpp.v201 import call_result as answer201
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

_INTERVAL: Final = 300  # seconds between Heartbeats
_transaction_ids = itertools.count(1)


def _now() -> str:
    return datetime.now(UTC).isoformat()


class ChargePoint(ocpp.v16.ChargePoint):
    """A station of OCPP 1.6."""

    @on("BootNotification")
    def on_boot_notification(self, **_: Any) -> answer16.BootNotification:
        return answer16.BootNotification(_now(), _INTERVAL, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: Any) -> answer16.Heartbeat:
        return answer16.Heartbeat(_now())

    @on("StatusNotification")
    def on_status_notification(self, **_: Any) -> answer16.StatusNotification:
        return answer16.StatusNotification()

    @on("Authorize")
    def on_authorize(self, **_: Any) -> answer16.Authorize:
        return answer16.Authorize({"status": "Accepted"})

    @on("StartTransaction")
    def on_start_transaction(self, **_: Any) -> answer16.StartTransaction:
        return answer16.StartTransaction(next(_transaction_ids), {"status": "Accepted"})

    @on("MeterValues")
    def on_meter_values(self, **_: Any) -> answer16.MeterValues:
        return answer16.MeterValues()

    @on("StopTransaction")
    def on_stop_transaction(self, **_: Any) -> answer16.StopTransaction:
        return answer16.StopTransaction()


class ChargingStation(ocpp.v201.ChargePoint):
    """A station of OCPP 2.0.1."""

    @on("BootNotification")
    def on_boot_notification(self, **_: Any) -> answer201.BootNotification:
        return answer201.BootNotification(_now(), _INTERVAL, "Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: Any) -> answer201.Heartbeat:
        return answer201.Heartbeat(_now())

    @on("StatusNotification")
    def on_status_notification(self, **_: Any) -> answer201.StatusNotification:
        return answer201.StatusNotification()

    @on("Authorize")
    def on_authorize(self, **_: Any) -> answer201.Authorize:
        return answer201.Authorize({"status": "Accepted"})

    @on("TransactionEvent")
    def on_transaction_event(self, **_: Any) -> answer201.TransactionEvent:
        return answer201.TransactionEvent()

    @on("MeterValues")
    def on_meter_values(self, **_: Any) -> answer201.MeterValues:
        return answer201.MeterValues()


async def _serve_station(connection: ServerConnection) -> None:
    station = ChargingStation if connection.subprotocol == "ocpp2.0.1" else ChargePoint
    path = connection.request.path if connection.request else ""
    try:
        await station(path.rpartition("/")[2], connection).start()
    except websockets.ConnectionClosed:
        pass


async def main(port: int) -> None:
    # the package logs every message at level INFO, and validates in a thread pool unless told not to: the faster way
    logging.disable(logging.CRITICAL)
    ocpp.messages.ASYNC_VALIDATION = False
    async with serve(_serve_station, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]):
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
