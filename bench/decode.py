"""Decoding and validating one MeterValues message: the native codec beside the PyPI package `ocpp`, in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ocpp.messages
from ocpp.charge_point import camel_to_snake_case

from bench.frames import frame, meter_values
from gateway import _native as native
from schemas import wire
from schemas.ocpp16.core import MeterValuesRequest
from schemas.tables import native_tables

_ROUNDS = 5


def measure(*, seconds: float = 0.4) -> dict[str, float]:
    """Microseconds per message, the best of five rounds each; and the ratios.

    `validated`: frame or text in, faults found. Ours reads the masked WebSocket frame, so unmasking and the check of the
    UTF-8 are in it; the peer gets the text. `objects`: the same, and every field as a Python object in the form that a
    handler gets: ours as a Struct, the peer's as a dict in snake case.
    """
    text = meter_values(1_234_567_890, 77)
    masked = frame(text)
    connection = _connection()

    def ours_validated() -> Any:
        return connection.receive(masked)

    def ours_objects() -> Any:
        event: Any = connection.receive(masked)[0]
        return wire.decode(event[3], MeterValuesRequest)

    message = text.decode()
    validator = ocpp.messages.get_validator(ocpp.messages.MessageType.Call, "MeterValues", "1.6")

    def peer_validated() -> Any:
        call = ocpp.messages.unpack(message)
        validator.validate(call.payload)
        return call

    def peer_objects() -> Any:
        return camel_to_snake_case(peer_validated().payload)

    assert len(ours_objects().meter_value[0].sampled_value) == 5
    assert len(peer_objects()["meter_value"][0]["sampled_value"]) == 5
    figures = {
        "ours_validated_us": _best(ours_validated, seconds),
        "peer_validated_us": _best(peer_validated, seconds),
        "ours_objects_us": _best(ours_objects, seconds),
        "peer_objects_us": _best(peer_objects, seconds),
    }
    return figures | {
        "ratio_validated": figures["peer_validated_us"] / figures["ours_validated_us"],
        "ratio_objects": figures["peer_objects_us"] / figures["ours_objects_us"],
    }


def _connection() -> native.Connection:
    connection = native.Connection(native.Catalogue(native_tables()), native.Limits())
    connection.receive(
        b"GET /ocpp/B HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    )
    connection.accept("ocpp1.6", compression=False, max_message=65_536)
    return connection


def _best(work: Callable[[], Any], seconds: float) -> float:
    """Microseconds of CPU per call: the best round, which other programs disturbed least."""
    calls = 1
    while (took := _cpu(work, calls)) < seconds / 10:
        calls *= 2
    calls = max(1, int(calls * seconds / took))
    return min(_cpu(work, calls) for _ in range(_ROUNDS)) / calls * 1e6


def _cpu(work: Callable[[], Any], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - began
