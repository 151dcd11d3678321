"""Decode, validate and answer one message: the native codec beside orjson with jsonschema-rs, msgspec and `ocpp` of PyPI."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from statistics import median
from typing import Any, Final

import jsonschema_rs
import msgspec
import ocpp.messages
import ocpp.v16.call
import ocpp.v16.call_result
import ocpp.v201.call
import ocpp.v201.call_result
import orjson
from ocpp.charge_point import camel_to_snake_case, serialize_as_dict, snake_to_camel_case

from bench.frames import frame, meter_values
from gateway import _native as native
from schemas import wire
from schemas.structs import ClosedObject
from schemas.tables import native_tables
from schemas.versions import VERSIONS

CONTENDERS: Final = ("ours", "orjson", "msgspec", "ocpp")
_ROUNDS: Final = 7
_ID: Final = "0199f2ab-6a51-7c3e-9d5e-0d1f5e7c9a11"
_NOW: Final = "2026-07-01T12:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A CALL of a station, and the payload of its answer."""

    name: str
    version: str
    action: str
    text: bytes
    answer: dict[str, Any]


def exchanges() -> list[Exchange]:
    """The messages that are measured, from the smallest to the largest."""
    return [
        Exchange("Heartbeat (1.6)", "ocpp1.6", "Heartbeat", _call("Heartbeat", {}), {"currentTime": _NOW}),
        Exchange("MeterValues, 5 samples (1.6)", "ocpp1.6", "MeterValues", meter_values(1_234_567_890, 77), {}),
        Exchange(
            "TransactionEvent (2.0.1)",
            "ocpp2.0.1",
            "TransactionEvent",
            _call("TransactionEvent", _transaction_event()),
            {"idTokenInfo": {"status": "Accepted"}},
        ),
        Exchange("NotifyReport, 200 entries (2.0.1)", "ocpp2.0.1", "NotifyReport", _call("NotifyReport", _report(200)), {}),
    ]


def measure(*, seconds: float = 0.05) -> list[dict[str, Any]]:
    """CPU microseconds per exchange of each contender, the median of rounds in which they take turns.

    `validated`: the message is taken and found faultless, and its answer is validated and written. `objects`: the same with
    every field of both as a Python object in the form that the contender's users work with. Each contender does what it
    does in practice:

    - ours: a masked WebSocket frame in (unmasking, UTF-8, JSON, envelope, schema), a WebSocket frame out. Objects: the
      Structs that the gateway's handlers get and answer with.
    - orjson: text in and out, parsed by orjson, judged by jsonschema-rs against the schemas that `ocpp` ships. Its values are
      Python objects in either mode.
    - msgspec: text in and out, straight into and from the same Structs. It builds the objects in either mode, and checks
      types, required members and enumerations, but neither lengths nor formats nor unknown members.
    - ocpp: text in and out as the package does it (unpack, validate; and back). Objects: its dict in snake case, and a
      dataclass for the answer.
    """
    return [_measure(exchange, seconds) for exchange in exchanges()]


def _measure(exchange: Exchange, seconds: float) -> dict[str, Any]:
    modes = {"validated": _validated(exchange), "objects": _objects(exchange)}
    result: dict[str, Any] = {"message": exchange.name, "bytes": len(exchange.text)}
    for mode, works in modes.items():
        calls = {name: _calibrate(work, seconds) for name, work in works.items()}
        rounds = [{name: _cpu(work, calls[name]) / calls[name] for name, work in works.items()} for _ in range(_ROUNDS)]
        result[mode] = {name: median(one[name] for one in rounds) * 1e6 for name in CONTENDERS}
    return result


def _validated(exchange: Exchange) -> dict[str, Callable[[], Any]]:
    connection, masked = _connection(exchange.version), frame(exchange.text)
    answer, action = json.dumps(exchange.answer).encode(), exchange.action

    def ours() -> Any:
        connection.receive(masked)
        return connection.encode_result(_ID, action, answer)

    return {"ours": ours, "orjson": _orjson(exchange), "msgspec": _msgspec(exchange), "ocpp": _ocpp(exchange, objects=False)}


def _objects(exchange: Exchange) -> dict[str, Callable[[], Any]]:
    connection, masked, action = _connection(exchange.version), frame(exchange.text), exchange.action
    request, answer = _structs(exchange)
    decode = msgspec.json.Decoder(request).decode

    def ours() -> Any:
        event: Any = connection.receive(masked)[0]
        decode(event[3])
        return connection.encode_result(_ID, action, wire.encode(answer))

    return {"ours": ours, "orjson": _orjson(exchange), "msgspec": _msgspec(exchange), "ocpp": _ocpp(exchange, objects=True)}


def _orjson(exchange: Exchange) -> Callable[[], Any]:
    request, response = (jsonschema_rs.validator_for(_schema(exchange, kind)) for kind in ("Request", "Response"))
    text, answer = exchange.text, exchange.answer

    def work() -> Any:
        request.validate(orjson.loads(text)[3])
        response.validate(answer)
        return orjson.dumps([3, _ID, answer])

    return work


def _msgspec(exchange: Exchange) -> Callable[[], Any]:
    request, answer = _structs(exchange)
    decode = msgspec.json.Decoder(tuple[int, str, str, request]).decode  # type: ignore[valid-type]  # a type known at run time
    encode = msgspec.json.Encoder(decimal_format="number").encode
    text = exchange.text

    def work() -> Any:
        decode(text)
        return encode((3, _ID, answer))

    return work


def _ocpp(exchange: Exchange, *, objects: bool) -> Callable[[], Any]:
    old = exchange.version == "ocpp1.6"
    number = "1.6" if old else "2.0.1"
    request, response = (
        ocpp.messages.get_validator(kind, exchange.action, number)
        for kind in (ocpp.messages.MessageType.Call, ocpp.messages.MessageType.CallResult)
    )
    results = ocpp.v16.call_result if old else ocpp.v201.call_result
    kind: Any = getattr(results, exchange.action)
    message, answer = exchange.text.decode(), exchange.answer
    in_snake_case = camel_to_snake_case(answer)

    def work() -> Any:
        call = ocpp.messages.unpack(message)
        request.validate(call.payload)
        payload = answer
        if objects:
            camel_to_snake_case(call.payload)
            payload = snake_to_camel_case(serialize_as_dict(kind(**in_snake_case)))
            payload = {name: value for name, value in payload.items() if value is not None}
        response.validate(payload)
        return ocpp.messages.CallResult(_ID, payload, action=exchange.action).to_json()

    return work


def _structs(exchange: Exchange) -> tuple[type[ClosedObject], ClosedObject]:
    action = VERSIONS[exchange.version].actions[exchange.action]
    if action.response is None:
        raise ValueError(f"{exchange.action} is not answered")
    return action.request, msgspec.convert(exchange.answer, action.response)


def _schema(exchange: Exchange, kind: str) -> Any:
    folder = "v16" if exchange.version == "ocpp1.6" else "v201"
    name = exchange.action if folder == "v16" and kind == "Request" else f"{exchange.action}{kind}"
    return json.loads(files("ocpp").joinpath(folder, "schemas", f"{name}.json").read_text("utf-8-sig"))


def _connection(version: str) -> native.Connection:
    connection = native.Connection(native.Catalogue(native_tables()), native.Limits())
    connection.receive(
        b"GET /ocpp/B HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: " + version.encode() + b"\r\n\r\n"
    )
    connection.accept(version, compression=False, max_message=1 << 20)
    return connection


def _call(action: str, payload: dict[str, Any]) -> bytes:
    return json.dumps([2, _ID, action, payload], separators=(",", ":")).encode()


def _transaction_event() -> dict[str, Any]:
    samples = [
        {
            "value": value,
            "context": "Sample.Periodic",
            "measurand": measurand,
            "location": "Outlet",
            "unitOfMeasure": {"unit": unit, "multiplier": 0},
        }
        for measurand, unit, value in (
            ("Energy.Active.Import.Register", "Wh", 1_234_567),
            ("Power.Active.Import", "W", 11_040.5),
            ("Current.Import", "A", 16.0),
            ("Voltage", "V", 230.1),
            ("SoC", "Percent", 57),
        )
    ]
    return {
        "eventType": "Updated",
        "timestamp": _NOW,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 17,
        "transactionInfo": {"transactionId": "5f6a1a10-7f5b-4d0e-8a44-2b1f0f6d7c11", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "04A2B3C4D5E6F7", "type": "ISO14443"},
        "meterValue": [{"timestamp": _NOW, "sampledValue": samples}],
    }


def _report(entries: int) -> dict[str, Any]:
    data = [
        {
            "component": {"name": "EVSE", "evse": {"id": number % 4 + 1}},
            "variable": {"name": f"Variable{number:03d}"},
            "variableAttribute": [{"type": "Actual", "value": str(number), "mutability": "ReadWrite", "persistent": True}],
            "variableCharacteristics": {"dataType": "integer", "unit": "s", "minLimit": 0, "supportsMonitoring": True},
        }
        for number in range(entries)
    ]
    return {"requestId": 7, "generatedAt": _NOW, "seqNo": 0, "reportData": data}


def _calibrate(work: Callable[[], Any], seconds: float) -> int:
    """So many calls take about `seconds`."""
    calls = 1
    while (took := _cpu(work, calls)) < seconds / 10:
        calls *= 2
    return max(1, int(calls * seconds / took))


def _cpu(work: Callable[[], Any], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - began
