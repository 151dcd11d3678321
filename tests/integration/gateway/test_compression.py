"""permessage-deflate with a client that is not ours (rule C8)."""

from __future__ import annotations

import json

import trio
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.integration.gateway.site import BOOT_201, running


async def test_a_station_that_compresses(database: str) -> None:
    async with running(database) as site:

        def charge() -> None:
            with connect(
                f"ws://127.0.0.1:{site.port}/ocpp/CP1",
                subprotocols=[Subprotocol("ocpp2.0.1")],
                extensions=[ClientPerMessageDeflateFactory()],
                compression=None,
                proxy=None,
            ) as socket:
                assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]

                def call(message_id: str, action: str, payload: object) -> object:
                    socket.send(json.dumps([2, message_id, action, payload]))
                    answer = json.loads(socket.recv(5))
                    assert answer[0:2] == [3, message_id]
                    return answer[2]

                call("b", "BootNotification", BOOT_201)
                sample = {"value": 1.5, "measurand": "Voltage", "phase": "L1"}
                for number in range(20):
                    values = [{"timestamp": f"2026-01-01T00:{number:02}:00Z", "sampledValue": [sample] * 40}]
                    event = {
                        "eventType": "Started" if number == 0 else "Updated",
                        "timestamp": f"2026-01-01T00:{number:02}:00Z",
                        "triggerReason": "MeterValuePeriodic",
                        "seqNo": number,
                        "transactionInfo": {"transactionId": "T1"},
                        "evse": {"id": 1, "connectorId": 1},
                        "meterValue": values,
                    }
                    call(f"m{number}", "TransactionEvent", event)

        with trio.fail_after(20):
            await trio.to_thread.run_sync(charge)
        (session,) = await site.rows("SELECT event_count FROM sessions")
        assert session["event_count"] == 20
