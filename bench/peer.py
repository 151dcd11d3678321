"""The peer: a CSMS of the PyPI package `ocpp` on `websockets`, which answers without storing anything.

A process of its own: `python -m bench.peer`; writes the line `{"port": …}` and serves until its standard input closes.
The event loop is plain asyncio, as the package documents it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import ocpp.messages
import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol


class Peer(ChargePoint):
    """Answers what the load consists of."""

    @on("BootNotification")
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        return call_result.BootNotification(datetime.now(UTC).isoformat(), 300, RegistrationStatus.accepted)

    @on("StartTransaction")
    def on_start(self, **_: Any) -> call_result.StartTransaction:
        return call_result.StartTransaction(1, IdTagInfo(AuthorizationStatus.accepted))

    @on("MeterValues")
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        return call_result.MeterValues()


async def _serve_station(connection: ServerConnection) -> None:
    try:
        await Peer("peer", connection).start()
    except websockets.ConnectionClosed:
        pass


async def main() -> None:
    # the package logs every message at level INFO, and validates in a thread pool unless told not to: the faster way
    logging.disable(logging.CRITICAL)
    ocpp.messages.ASYNC_VALIDATION = False
    async with serve(_serve_station, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(json.dumps({"port": port}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
