"""Whether a peer answers what the load and the other scenarios consist of, asked by an independent WebSocket client."""

from __future__ import annotations

import json
from typing import Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.peers.peer import Peer, Running
from bench.processes import BenchError

_TIMEOUT: Final = 10.0
_MOST_CALLS: Final = 10  # that a peer may send before it answers ours
_AT: Final = "2026-07-01T00:00:00.000Z"
_BOOT_STATUS: Final = ("Accepted", 300)

_FIRST_16: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Heartbeat", {}),
    ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
    ("Authorize", {"idTag": "BENCH"}),
)
_BOOT_16: Final = {"chargePointVendor": "Bench", "chargePointModel": "B"}
_START_16: Final = {"connectorId": 1, "idTag": "BENCH", "meterStart": 0, "timestamp": _AT}
_VALUES: Final = [{"timestamp": _AT, "sampledValue": [{"value": "1"}]}]
_INVALID_16: Final = {"connectorId": "one", "meterValue": _VALUES}

_BOOT_201: Final = {"reason": "PowerUp", "chargingStation": {"vendorName": "Bench", "model": "B"}}
_ALL_201: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Heartbeat", {}),
    ("StatusNotification", {"timestamp": _AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}),
    ("Authorize", {"idToken": {"idToken": "BENCH", "type": "ISO14443"}}),
    (
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": _AT,
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "bench"},
        },
    ),
    ("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": _AT, "sampledValue": [{"value": 1}]}]}),
)


def check(peer: Peer, running: Running) -> None:
    """Send every action once over each of the peer's sub-protocols. BenchError: an answer is absent or not the one agreed."""
    for protocol in peer.protocols:
        url = f"{running.url_prefix}/CHECK-{protocol}"
        try:
            with connect(
                url, subprotocols=[Subprotocol(protocol)], compression=None, open_timeout=_TIMEOUT, close_timeout=_TIMEOUT
            ) as connection:
                if connection.subprotocol != protocol:
                    raise BenchError(f"{peer.name} chose {connection.subprotocol!r} when {protocol} was offered")
                _check_station(_Station(peer.name, connection), protocol)
        except (OSError, WebSocketException) as error:
            raise BenchError(f"{peer.name}, {protocol}: {type(error).__name__}: {error}") from None


class _Station:
    def __init__(self, peer: str, connection: ClientConnection) -> None:
        self._peer = peer
        self._connection = connection
        self._calls = 0

    def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        kind, answer = self._send(action, payload)
        if kind != 3:
            raise BenchError(f"{self._peer} refused {action}: {answer!r}")
        return dict(answer[0])

    def expect(self, action: str, payload: dict[str, Any], **members: Any) -> None:
        """BenchError unless the answer has these members."""
        answer = self.call(action, payload)
        if not members.items() <= answer.items():
            raise BenchError(f"{self._peer} answered {action} with {answer!r}")

    def expect_error(self, action: str, payload: dict[str, Any]) -> None:
        """BenchError unless the payload is refused: validation is on."""
        kind, answer = self._send(action, payload)
        if kind != 4:
            raise BenchError(f"{self._peer} took an invalid {action}: {answer!r}")

    def _send(self, action: str, payload: dict[str, Any]) -> tuple[int, list[Any]]:
        self._calls += 1
        message_id = f"check-{self._calls}"
        self._connection.send(json.dumps([2, message_id, action, payload]))
        kind, answered, *rest = json.loads(self._connection.recv(_TIMEOUT))
        for _ in range(_MOST_CALLS):
            if kind != 2:
                break
            self._connection.send(json.dumps([4, answered, "NotSupported", "", {}]))
            kind, answered, *rest = json.loads(self._connection.recv(_TIMEOUT))
        if answered != message_id:
            raise BenchError(f"{self._peer} answered {answered!r} to {message_id!r} ({action})")
        return kind, rest


def _check_station(station: _Station, protocol: str) -> None:
    status, interval = _BOOT_STATUS
    if protocol == "ocpp2.0.1":
        station.expect("BootNotification", _BOOT_201, status=status, interval=interval)
        for action, payload in _ALL_201:
            station.call(action, payload)
        return
    station.expect("BootNotification", _BOOT_16, status=status, interval=interval)
    for action, payload in _FIRST_16:
        station.call(action, payload)
    ids = [station.call("StartTransaction", _START_16)["transactionId"] for _ in range(2)]
    if not 0 < ids[0] < ids[1]:
        raise BenchError(f"transaction ids do not rise: {ids}")
    station.call("MeterValues", {"connectorId": 1, "transactionId": ids[1], "meterValue": _VALUES})
    station.expect_error("MeterValues", _INVALID_16)
    for number in ids:
        station.call("StopTransaction", {"transactionId": number, "meterStop": 1, "timestamp": _AT})
