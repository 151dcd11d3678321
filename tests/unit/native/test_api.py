"""What the Python shell adds to the codec: types, exceptions, and bytes in and out."""

import json
import zlib
from typing import Any

import pytest

from gateway import _native as native
from tests.unit.native.client import ALL_VERSIONS, answer, catalogue, connect, deflated, exchange, frame, request, text, unframe

METER_VALUES = {
    "connectorId": 1,
    "transactionId": 4711,
    "meterValue": [
        {
            "timestamp": "2024-05-01T12:00:00Z",
            "sampledValue": [
                {"value": "12.5", "unit": unit, "context": "Sample.Periodic"} for unit in ("Wh", "Celsius", "Celcius")
            ],
        }
    ],
}


def test_upgrade_event() -> None:
    connection = native.Connection(catalogue(), native.Limits())
    (event,) = connection.receive(
        request(
            "Authorization: Basic eDp5",
            "Sec-WebSocket-Protocol: ocpp1.6 ,ocpp2.0.1",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "X-Odd: \xe9",
            target="/ocpp/t/ST%2F1?x",
        )
    )
    assert event[0] == native.UPGRADE
    _, method, target, headers, subprotocols, deflate = event
    assert (method, target, deflate) == ("GET", "/ocpp/t/ST%2F1?x", True)
    assert subprotocols == ["ocpp1.6", "ocpp2.0.1"]
    assert ("authorization", "Basic eDp5") in headers
    assert ("x-odd", "\xe9") in headers
    answer = connection.accept("ocpp1.6", compression=True, max_message=65_536)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert b"Sec-WebSocket-Protocol: ocpp1.6\r\n" in answer
    assert b"server_no_context_takeover; client_no_context_takeover\r\n" in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 426),
        (b"POST / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"GET / HTTP/1.0\r\n\r\n", 505),
        (b"\x16\x03\x01", 400),
        (b"GET /" + b"a" * 9_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 65, 431),
    ],
)
def test_bad_request_event(data: bytes, status: int) -> None:
    connection = native.Connection(catalogue(), native.Limits())
    (event,) = connection.receive(data)
    assert event[0] == native.BAD_REQUEST
    assert event[1] == status
    assert event[3].startswith(b"HTTP/1.1 %d " % status)
    assert connection.receive(data) == []


def test_reject() -> None:
    connection = native.Connection(catalogue(), native.Limits())
    connection.receive(request())
    with pytest.raises(ValueError, match="header value"):
        connection.reject(401, [("X", "a\r\nSet-Cookie: b")], b"")
    response = connection.reject(503, [("Retry-After", "7")], b"later")
    assert response == b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlater"


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_call_event_carries_the_exact_text(version: str) -> None:
    (event,) = exchange(version, text('[2,"\\u00e9","Heartbeat",{ \t}]'))
    tag, message_id, action, payload, digest = event
    assert (tag, message_id, action, payload) == (native.CALL, "é", "Heartbeat", b"{ \t}")
    assert 0 <= digest < 2**64


def test_digest_depends_on_action_and_payload_only() -> None:
    def digest(message: list[Any]) -> int:
        (event,) = exchange("ocpp1.6", text(message))
        return int(event[4])

    first = digest([2, "a", "MeterValues", METER_VALUES])
    assert first == digest([2, "b", "MeterValues", METER_VALUES])
    assert first != digest([2, "a", "MeterValues", {**METER_VALUES, "connectorId": 2}])
    assert first != digest([2, "a", "Heartbeat", {}])


def test_invalid_call_event() -> None:
    (event,) = exchange("ocpp1.6", text([2, "a", "MeterValues", {"connectorId": 1}]))
    tag, message_id, action, fault, payload, reply, billing = event
    assert (tag, message_id, action, billing) == (native.INVALID_CALL, "a", "MeterValues", True)
    assert (fault.row, fault.path, fault.rule) == (12, "/meterValue", "required")
    assert fault.description == "/meterValue: required field missing"
    assert json.loads(payload) == {"connectorId": 1}
    assert answer(reply)[:3] == [4, "a", "OccurenceConstraintViolation"]
    assert "row=12" in repr(fault)


def test_invalid_call_without_payload_gives_the_whole_frame() -> None:
    (event,) = exchange("ocpp1.6", text('[2,"a","MeterValues",[1]]'))
    assert event[4] == b'[2,"a","MeterValues",[1]]'
    (event,) = exchange("ocpp1.6", text('[2,"a",5,{}]'))
    assert (event[2], event[4]) == (None, b"{}")


def test_calls_and_their_answers() -> None:
    connection = connect("ocpp1.6")
    sent = connection.encode_call("c1", "Reset", b'{"type":"Soft"}')
    assert answer(sent) == [2, "c1", "Reset", {"type": "Soft"}]
    connection.expect("c2", "ClearCache")
    connection.expect("c3", "ClearCache")
    connection.forget("c3")
    events = connection.receive(
        text([3, "c1", {"status": "Accepted"}])
        + text([4, "c2", "Whatever", "text", {"a": 1}])
        + text([3, "c3", {"status": "Accepted"}])
    )
    assert events == [
        (native.RESULT, "c1", b'{"status": "Accepted"}'),
        (native.ERROR, "c2", "Whatever", "text", b'{"a": 1}'),
        (native.UNMATCHED, "c3", 3),
    ]


def test_our_own_mistakes_raise() -> None:
    connection = connect("ocpp1.6")
    with pytest.raises(native.InvalidPayload, match="/type: required field missing") as caught:
        connection.encode_call("c", "Reset", b"{}")
    assert (caught.value.fault.row, caught.value.fault.path) == (12, "/type")
    with pytest.raises(native.InvalidPayload):
        connection.encode_result("a", "Heartbeat", b'{"currentTime":"now"}')
    with pytest.raises(ValueError, match="not an action of the CSMS"):
        connection.encode_call("c", "Heartbeat", b"{}")
    with pytest.raises(ValueError, match="1 to 36"):
        connection.encode_call("", "ClearCache", b"{}")
    with pytest.raises(ValueError, match="error code"):
        connection.encode_error("a", "FormatViolation", "", b"{}")
    with pytest.raises(ValueError, match="no upgrade"):
        connection.accept("ocpp1.6", compression=False, max_message=1)
    with pytest.raises(ValueError, match="close code"):
        connection.close(1006, "")


def test_control_frames() -> None:
    connection = connect("ocpp1.6")
    assert unframe(connection.ping(b"n")) == (0x89, b"n")
    assert connection.receive(frame(b"n", 0x8A)) == [(native.PONG, b"n")]
    assert connection.receive(frame(b"x", 0x89)) == [(native.REPLY, b"\x8a\x01x", "pong")]
    events = connection.receive(frame(b"\x03\xe9bye", 0x88))
    assert events == [(native.REPLY, b"\x88\x02\x03\xe9", "close"), (native.CLOSED, 1001, "bye")]
    assert connection.close(1000, "") == b""
    assert connection.encode_result("a", "Heartbeat", b"{}") == b""


def test_compression_both_ways() -> None:
    connection = connect("ocpp2.0.1", compression=True)
    message = json.dumps([2, "a", "Heartbeat", {"customData": {"vendorId": "v", "x": "y" * 1_000}}]).encode()
    (event,) = connection.receive(frame(deflated(message), 0xC1))
    assert event[0] == native.CALL
    assert event[3] in message
    data = json.dumps({"currentTime": "2024-01-01T00:00:00Z", "customData": {"vendorId": "x" * 255, "y": "z" * 500}}).encode()
    first, payload = unframe(connection.encode_result("a", "Heartbeat", data))
    assert first == 0xC1
    assert len(payload) < 200
    assert zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff") == b'[3,"a",' + data + b"]"


def test_no_subprotocol() -> None:
    connection = native.Connection(catalogue(), native.Limits())
    connection.receive(request("Sec-WebSocket-Protocol: foo") + text([2, "a", "Heartbeat", {}]))
    assert b"Sec-WebSocket-Protocol" not in connection.accept(None, compression=True, max_message=65_536)
    assert connection.buffered > 0
    assert connection.receive(b"") == [(native.DROPPED, "no-subprotocol")]
    assert connection.buffered == 0
    assert unframe(connection.close(1002, "no common sub-protocol"))[0] == 0x88


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_validate_and_decode(version: str) -> None:
    payload = {"currentTime": "2024-01-01T00:00:00Z"}
    assert catalogue().validate(version, "Heartbeat", "response", json.dumps(payload).encode()) is None
    assert catalogue().decode(version, "Heartbeat", "response", json.dumps(payload).encode()) == payload
    assert catalogue().decode(version, "Heartbeat", "request", b"null") == {}
    fault = catalogue().validate(version, "Heartbeat", "response", b"{}")
    assert fault is not None
    assert (fault.row, fault.path) == (12, "/currentTime")
    with pytest.raises(native.InvalidPayload):
        catalogue().decode(version, "Heartbeat", "response", b"{}")
    with pytest.raises(ValueError, match="unknown version"):
        catalogue().validate("ocpp0", "Heartbeat", "response", b"{}")
    for data, row in ((b"\xff", 1), (b"{", 2), (b"[]", 7)):
        fault = catalogue().validate(version, "Heartbeat", "request", data)
        assert fault is not None
        assert fault.row == row
    fault = catalogue().validate(version, "Nonsense", "request", b"{}")
    assert fault is not None
    assert fault.row == 10


def test_decode_equals_the_standard_library() -> None:
    data: dict[str, object] = {"vendorId": "v", "x": [0, -1, 2**70, 1.5, 1e-7, True, False, None, 'é😀\n"', {"": []}]}
    text = json.dumps({"customData": data}).encode()
    assert catalogue().decode("ocpp2.0.1", "Heartbeat", "request", text) == {"customData": data}
    assert catalogue().decode("ocpp1.6", "MeterValues", "request", json.dumps(METER_VALUES).encode()) == METER_VALUES


def test_bad_tables() -> None:
    with pytest.raises(ValueError, match="missing field"):
        native.Catalogue(b"{}")
    with pytest.raises(ValueError, match="EOF"):
        native.Catalogue(b"")


def test_limits() -> None:
    limits = native.Limits(max_depth=10_000, max_keys=2)
    assert (limits.max_message, limits.max_depth, limits.max_keys) == (65_536, 128, 2)
    with pytest.raises(OverflowError):
        native.Limits(max_message=-1)
    with pytest.raises(TypeError):
        native.Limits(*[1])
    connection = connect("ocpp2.0.1", max_keys=2)
    events = connection.receive(text([2, "a", "Heartbeat", {"customData": {"vendorId": "v", "x": 1, "y": 2}}]))
    assert [event[0] for event in events] == [native.REPLY]


def test_constants_are_distinct() -> None:
    tags = [getattr(native, name) for name in dir(native) if name.isupper()]
    assert len(tags) == len(set(tags)) == 15
