"""The test vectors of the OCPP-J rules that concern frames and validation, with the numbers they have there."""

import json

import pytest

from gateway import _native as native
from tests.unit.native.client import ALL_VERSIONS, Event, answer, connect, deflated, exchange, frame, text, unframe

HEARTBEAT = [2, "a", "Heartbeat", {}]
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}

both_versions = pytest.mark.parametrize("version", ALL_VERSIONS)


def refused(version: str, message: object) -> tuple[int, str]:
    """Row and code of a CALL's refusal; the ready reply carries the same, with path and rule."""
    (event,) = exchange(version, text(message))
    assert event[0] == native.INVALID_CALL
    _, message_id, _, fault, _, reply, _ = event
    assert answer(reply) == [4, message_id, fault.code, fault.description, {"path": fault.path, "rule": fault.rule}]
    return fault.row, fault.code


def is_heartbeat(event: Event) -> bool:
    return event[:4] == (native.CALL, "a", "Heartbeat", b"{}")


def is_silence_or_rpc_error(version: str, event: Event) -> bool:
    if version == "ocpp1.6":
        return event == (native.DROPPED, event[1])
    return event[0] == native.REPLY and bool(answer(event[1])[:3] == [4, "-1", "RpcFrameworkError"])


@both_versions
def test_01_heartbeat(version: str) -> None:
    (event,) = exchange(version, text(HEARTBEAT))
    assert is_heartbeat(event)
    reply = connect(version).encode_result("a", "Heartbeat", b'{"currentTime":"2024-01-01T00:00:00.000Z"}')
    assert answer(reply) == [3, "a", {"currentTime": "2024-01-01T00:00:00.000Z"}]


@both_versions
def test_02_null_payload(version: str) -> None:
    (event,) = exchange(version, text([2, "a", "Heartbeat", None]))
    assert is_heartbeat(event)


@both_versions
@pytest.mark.parametrize("action", ["heartbeat", "HeartbeatRequest"])
def test_03_04_action_names_are_exact(version: str, action: str) -> None:
    assert refused(version, [2, "a", action, {}]) == (10, "NotImplemented")


def test_05_action_of_another_version() -> None:
    assert refused("ocpp1.6", [2, "a", "TransactionEvent", {}]) == (10, "NotImplemented")


def test_06_wrong_direction() -> None:
    assert refused("ocpp1.6", [2, "a", "RemoteStartTransaction", {"idTag": "X"}]) == (11, "NotSupported")


@both_versions
@pytest.mark.parametrize("broken", ['{"a":1}', "[]", '"x"', "42", "[2"])
def test_07_08_not_a_frame(version: str, broken: str) -> None:
    first, second = exchange(version, text(broken), text(HEARTBEAT))
    assert is_silence_or_rpc_error(version, first)
    assert is_heartbeat(second)


@both_versions
def test_09_unknown_message_type(version: str) -> None:
    first, second = exchange(version, text([7, "a", "Heartbeat", {}]), text(HEARTBEAT))
    if version == "ocpp1.6":
        assert first[0] == native.DROPPED
    else:
        assert answer(first[1])[:3] == [4, "a", "MessageTypeNotSupported"]
    assert is_heartbeat(second)


@both_versions
def test_10_message_id_length(version: str) -> None:
    row, code = refused(version, [2, "i" * 37, "Heartbeat", {}])
    assert (row, code) == (6, "FormationViolation" if version == "ocpp1.6" else "RpcFrameworkError")
    (event,) = exchange(version, text([2, "i" * 36, "Heartbeat", {}]))
    assert event[0] == native.CALL


@both_versions
def test_11_message_id_is_a_string(version: str) -> None:
    (event,) = exchange(version, text([2, 5, "Heartbeat", {}]))
    assert is_silence_or_rpc_error(version, event)


@both_versions
@pytest.mark.parametrize("kind", ["2.0", '"2"', "true"])
def test_12_message_type_is_an_integer(version: str, kind: str) -> None:
    (event,) = exchange(version, text(f'[{kind},"a","Heartbeat",{{}}]'))
    assert is_silence_or_rpc_error(version, event)


@both_versions
def test_13_element_count(version: str) -> None:
    row, code = refused(version, [2, "a", "Heartbeat", {}, {}])
    assert (row, code) == (7, "FormationViolation" if version == "ocpp1.6" else "RpcFrameworkError")


def test_14_missing_field() -> None:
    message = [2, "a", "BootNotification", {"chargePointModel": "M"}]
    assert refused("ocpp1.6", message) == (12, "OccurenceConstraintViolation")


def test_15_text_length() -> None:
    long = {**BOOT, "chargePointVendor": "v" * 21}
    assert refused("ocpp1.6", [2, "a", "BootNotification", long]) == (16, "PropertyConstraintViolation")
    exact = {**BOOT, "chargePointVendor": "v" * 20}
    (event,) = exchange("ocpp1.6", text([2, "a", "BootNotification", exact]))
    assert event[0] == native.CALL


def test_16_unknown_field() -> None:
    assert refused("ocpp1.6", [2, "a", "Heartbeat", {"x": 1}]) == (13, "FormationViolation")


def test_17_custom_data() -> None:
    (event,) = exchange("ocpp2.0.1", text([2, "a", "Heartbeat", {"customData": {"vendorId": "v", "x": [1]}}]))
    assert event[0] == native.CALL


@pytest.mark.parametrize("connector", ["1", 1.5, True])
def test_18_wrong_type(connector: object) -> None:
    message = [2, "a", "StatusNotification", {**STATUS, "connectorId": connector}]
    assert refused("ocpp1.6", message) == (14, "TypeConstraintViolation")


def test_19_enum_case() -> None:
    message = [2, "a", "StatusNotification", {**STATUS, "status": "available"}]
    assert refused("ocpp1.6", message) == (16, "PropertyConstraintViolation")


@both_versions
def test_20_answers_to_nothing(version: str) -> None:
    events = exchange(version, text([3, "nope", {}]), text([4, "nope", "GenericError", "", {}]))
    assert events == [(native.UNMATCHED, "nope", 3), (native.UNMATCHED, "nope", 4)]


@both_versions
@pytest.mark.parametrize("value", ["[" * 31 + "]" * 31, "9" * 5_000, "1e400", r'"\ud800"', r'"\u0000"', "NaN", "1 // comment"])
def test_21_json_bombs(version: str, value: str) -> None:
    """31 levels in a payload's member are 33 in the frame."""
    first, second = exchange(version, text(f'[2,"a","Heartbeat",{{"x":{value}}}]'), text(HEARTBEAT))
    assert is_silence_or_rpc_error(version, first)
    assert is_heartbeat(second)


@both_versions
def test_22_message_at_the_limit(version: str) -> None:
    exact = json.dumps(HEARTBEAT).ljust(65_536).encode()
    connection = connect(version)
    (event,) = connection.receive(frame(exact))
    assert is_heartbeat(event)
    (event,) = connection.receive(frame(exact + b" "))
    assert event[0] == native.VIOLATION
    assert event[1] == 1009
    assert unframe(event[3])[1][:2] == (1009).to_bytes(2, "big")
    assert connection.receive(frame(b"[]")) == []


def test_23_compression_bomb() -> None:
    """At every ratio: a small bomb is stopped while inflating, a large one by its compressed size."""
    for size in (70_000, 60_000_000):
        (event,) = connect("ocpp2.0.1", compression=True).receive(frame(deflated(b" " * size), 0xC1))
        assert event[:2] == (native.VIOLATION, 1009)


@both_versions
def test_24_binary_and_invalid_utf8(version: str) -> None:
    (event,) = exchange(version, frame(b"[]", 0x82))
    assert event[:2] == (native.VIOLATION, 1003)
    (event,) = exchange(version, frame(b'[2,"\xff","Heartbeat",{}]'))
    assert event[:2] == (native.VIOLATION, 1007)


def test_53_54_send_is_no_message_of_older_versions() -> None:
    message = [6, "s1", "NotifyPeriodicEventStream", {"id": 1}]
    (event,) = exchange("ocpp1.6", text(message))
    assert event[0] == native.DROPPED


def test_56_broken_result_is_not_answered() -> None:
    connection = connect("ocpp2.0.1")
    connection.encode_call("c", "Reset", b'{"type":"Immediate"}')
    (event,) = connection.receive(text([3, "c", {"status": 5}]))
    assert event[0] == native.INVALID_RESULT
    assert event[1] == "c"
    assert (event[2].row, event[2].path) == (14, "/status")


@both_versions
def test_62_many_calls_in_one_segment(version: str) -> None:
    data = b"".join(text([2, str(n), "Heartbeat", {}]) for n in range(33))
    assert [event[1] for event in exchange(version, data)] == [str(n) for n in range(33)]


@both_versions
def test_63_one_byte_fragments(version: str) -> None:
    message = json.dumps(HEARTBEAT).encode()
    pieces = [frame(message[n : n + 1], 0x00 if n else 0x01) for n in range(len(message) - 1)]
    (event,) = exchange(version, *pieces, frame(message[-1:], 0x80))
    assert is_heartbeat(event)
