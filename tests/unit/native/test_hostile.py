"""Whatever a peer sends: no exception, no contained panic, bounded memory, and the same events however the bytes were cut."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import _native as native
from tests.unit.native.client import catalogue, connect, frame, plain, request, text

versions = st.sampled_from(["ocpp1.6", "ocpp2.0.1"])
cuts = st.lists(st.integers(min_value=1, max_value=64), min_size=1, max_size=8)

BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M"}
BOOT_201 = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def in_pieces(connection: native.Connection, data: bytes, sizes: list[int]) -> list[tuple[Any, ...]]:
    events: list[tuple[Any, ...]] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        events += connection.receive(data[at : at + size])
        at, turn = at + size, turn + 1
    return events


def check(first: native.Connection, second: native.Connection, data: bytes, sizes: list[int]) -> list[tuple[Any, ...]]:
    whole = first.receive(data)
    assert [plain(e) for e in whole] == [plain(e) for e in in_pieces(second, data, sizes)]
    assert not [e for e in whole if e[0] == native.VIOLATION and e[1] == 1011]
    assert first.buffered < 3 * 65_536
    return list(whole)


@given(st.binary(max_size=2_000), cuts)
def test_bytes_instead_of_http(data: bytes, sizes: list[int]) -> None:
    first, second = (native.Connection(catalogue(), native.Limits()) for _ in range(2))
    check(first, second, data, sizes)


@given(st.lists(st.text(max_size=40), max_size=5), cuts)
def test_any_headers(lines: list[str], sizes: list[int]) -> None:
    data = request(*[line.encode("latin-1", "replace").decode("latin-1") for line in lines])
    first, second = (native.Connection(catalogue(), native.Limits()) for _ in range(2))
    for event in check(first, second, data, sizes):
        assert event[0] in (native.UPGRADE, native.BAD_REQUEST)


@given(versions, st.binary(max_size=2_000), cuts)
def test_bytes_instead_of_frames(version: str, data: bytes, sizes: list[int]) -> None:
    check(connect(version), connect(version), data, sizes)


@given(versions, st.binary(max_size=500), st.sampled_from([0x81, 0xC1, 0x88, 0x89, 0x8A]), cuts)
def test_bytes_in_frames(version: str, data: bytes, first: int, sizes: list[int]) -> None:
    data = frame(data[:125] if first & 8 else data, first)
    check(connect(version, compression=True), connect(version, compression=True), data, sizes)


@given(versions, json_values, cuts)
def test_any_json(version: str, value: object, sizes: list[int]) -> None:
    check(connect(version), connect(version), text(value), sizes)


@given(versions, st.sampled_from(["Heartbeat", "BootNotification", "MeterValues", "Authorize"]), json_values, json_values)
def test_any_payload_is_accepted_or_answered(version: str, action: str, payload: object, extra: object) -> None:
    for message in ([2, "a", action, payload], [2, "a", action, {"customData": extra}], [2, "a", action, payload, extra]):
        (event,) = connect(version).receive(text(message))
        assert event[0] in (native.CALL, native.INVALID_CALL, native.DROPPED, native.REPLY)
        if event[0] == native.CALL:
            assert json.loads(event[3]) is not None
        if event[0] == native.INVALID_CALL:
            code = json.loads(event[5][4:] if event[5][1] == 126 else event[5][2:])[2]
            assert code == event[3].code


@given(st.data())
def test_mutations_of_a_right_message(data: st.DataObject) -> None:
    version, boot = data.draw(st.sampled_from([("ocpp1.6", BOOT_16), ("ocpp2.0.1", BOOT_201)]))
    message = bytearray(json.dumps([2, "a", "BootNotification", boot]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    check(connect(version), connect(version), frame(bytes(message)), [7])


@given(st.text(max_size=300), st.text(max_size=300))
def test_what_we_send_is_json_whatever_the_texts(message_id: str, description: str) -> None:
    connection = connect("ocpp1.6")
    try:
        data = connection.encode_error(message_id, "InternalError", description, b"{}")
    except ValueError:
        assert not 1 <= len(message_id) <= 36
    else:
        body = data[4:] if data[1] == 126 else data[2:]
        assert json.loads(body) == [4, message_id, "InternalError", description[:255], {}]


@given(json_values)
def test_decode_equals_the_standard_library(value: object) -> None:
    payload = json.dumps({"customData": {"vendorId": "v", "x": value}}).encode()
    fault = catalogue().validate("ocpp2.0.1", "Heartbeat", "request", payload)
    if fault is None:
        assert catalogue().decode("ocpp2.0.1", "Heartbeat", "request", payload) == json.loads(payload)
    else:
        # The limits of the scanner; and NUL, which PostgreSQL cannot store.
        assert fault.row == 2


@pytest.mark.parametrize(
    "message",
    [
        '[2,"a","Heartbeat",' + "[" * 60_000,
        '[2,"a","Heartbeat",{"x":' + "9" * 60_000 + "}]",
        '[2,"a","Heartbeat",{' + ",".join(f'"{n}":0' for n in range(6_000)) + "}]",
        '[2,"a","Heartbeat",{"' + "k" * 60_000 + '":1}]',
        '[2,"a","Heartbeat",{"x":[' + "0," * 30_000 + "0]}]",
        '["' + "\\u00e9" * 10_000 + '"]',
    ],
)
def test_bombs_cost_little(message: str) -> None:
    connection, data = connect("ocpp1.6"), text(message)
    start = time.thread_time()
    connection.receive(data)
    assert time.thread_time() - start < 0.05
