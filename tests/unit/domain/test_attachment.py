"""What a quarantined message tells of its transaction, which sessions fit, and the message under another transaction id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.domain.attachment import NotAttachable, Place, Told, check_attachable, fit, name_transaction, read_told

NAMED = (
    ("ocpp1.6", "StopTransaction"),
    ("ocpp1.6", "MeterValues"),
    ("ocpp2.0.1", "TransactionEvent"),
    ("ocpp2.1", "TransactionEvent"),
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

MEMBERS = (
    "transactionId",
    "transactionInfo",
    "eventType",
    "timestamp",
    "meterStop",
    "idTag",
    "idToken",
    "connectorId",
    "evse",
    "id",
    "meterValue",
    "transactionData",
    "sampledValue",
    "value",
    "unit",
    "unitOfMeasure",
    "multiplier",
    "measurand",
    "phase",
    "location",
)
TEXTS = st.text(max_size=20) | st.sampled_from(["2026-01-01T12:00:00Z", "Ended", "kWh", "1e9999999", "-0", "NaN"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6),
    max_leaves=25,
)


def told(version: str, action: str, message: dict[str, Any]) -> Told:
    return read_told(version, action, json.dumps(message).encode())


def test_what_messages_tell() -> None:
    stop = {"transactionId": 5, "idTag": "A", "meterStop": 1500, "timestamp": "2026-01-01T13:00:00+01:00"}
    assert told("ocpp1.6", "StopTransaction", stop) == Told(NOON, None, "A", Decimal(1500), True)
    values = [
        {"timestamp": "2026-01-01T11:00:00Z", "sampledValue": [{"value": "1.5", "unit": "kWh"}, {"value": "9", "phase": "L1"}]},
        {"timestamp": "2026-01-01T12:00:00", "sampledValue": [{"value": "7", "measurand": "Power.Active.Import"}, {"value": "x"}]},
    ]
    metered = {"connectorId": 2, "transactionId": 5, "meterValue": values}
    assert told("ocpp1.6", "MeterValues", metered) == Told(NOON, 2, None, Decimal(1500), False)
    event = {
        "eventType": "Ended",
        "timestamp": "2026-01-01T12:00:00Z",
        "evse": {"id": 3},
        "idToken": {"idToken": "B", "type": "Local"},
        "meterValue": [{"timestamp": "1600-01-01T00:00:00Z", "sampledValue": [{"value": 2.5, "unitOfMeasure": {"multiplier": 3}}]}],
    }
    assert told("ocpp2.1", "TransactionEvent", event) == Told(NOON, 3, "B", Decimal(2500), True)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"5", b"null", b'{"a":' + b"[" * 5000, b'{"meterStop":1e999999999999}'])
def test_what_cannot_be_read_tells_nothing(payload: bytes) -> None:
    assert read_told("ocpp1.6", "StopTransaction", payload) == Told(None, None, None, None, True)


@given(st.sampled_from(NAMED), ANYTHING)
def test_nothing_that_a_message_holds_is_trusted(named: tuple[str, str], message: Any) -> None:
    place = Place(NOON, NOON, 1, "A", Decimal(0), Decimal(5), True)
    payload = json.dumps(message).encode()
    verdict = fit(read_told(*named, payload), place)
    assert not set(verdict.fits) & set(verdict.contradicts)
    key = "transactionId" if named[0] == "ocpp1.6" else "transactionInfo"
    if not isinstance(message, dict) or (key == "transactionInfo" and not isinstance(message.get(key, {}), dict)):
        with pytest.raises(NotAttachable):
            name_transaction(*named, payload, "42")
        return
    corrected = json.loads(name_transaction(*named, payload, "42"))
    changed = corrected.pop(key)
    assert (changed if key == "transactionId" else changed["transactionId"]) == (42 if key == "transactionId" else "42")
    assert corrected == {name: value for name, value in message.items() if name != key}


def test_only_the_transaction_id_of_a_message_changes() -> None:
    stop = b'{"transactionId":-1,"meterStop":1.50000000000000000000000001,"x":"\\u00e9"}'
    assert name_transaction("ocpp1.6", "StopTransaction", stop, "7") == (
        b'{"transactionId":7,"meterStop":1.50000000000000000000000001,"x":"\\u00e9"}'
    )
    event = b'{"seqNo":1,"transactionInfo":{"chargingState":"Idle","transactionId":"A"}}'
    corrected = name_transaction("ocpp2.0.1", "TransactionEvent", event, 'T"1')
    assert msgspec.json.decode(corrected) == {"seqNo": 1, "transactionInfo": {"chargingState": "Idle", "transactionId": 'T"1'}}


@pytest.mark.parametrize(
    "named",
    [
        ("ocpp1.6", "StartTransaction"),
        ("ocpp2.0.1", "MeterValues"),
        ("ocpp2.1", "StopTransaction"),
        ("ocpp1.6", "TransactionEvent"),
    ],
)
def test_messages_that_name_no_transaction(named: tuple[str, str]) -> None:
    for ask in (check_attachable, lambda *n: read_told(*n, b"{}"), lambda *n: name_transaction(*n, b"{}", "1")):
        with pytest.raises(NotAttachable):
            ask(*named)


def test_what_speaks_for_a_session_and_what_against() -> None:
    stop = Told(NOON, 1, "tag", Decimal(500), True)
    open_ = Place(datetime(2026, 1, 1, 11, tzinfo=UTC), None, 1, "TAG", Decimal(100), None, False)
    assert fit(stop, open_).fits == ("time", "stop_missing", "connector", "meter", "id_tag")
    ended = msgspec.structs.replace(
        open_, ended=True, stop_time=datetime(2026, 1, 1, 11, 30, tzinfo=UTC), stop_meter_wh=Decimal(400)
    )
    assert fit(stop, ended).contradicts == ("time", "stop_missing", "meter")
    # closed without a stop: when it ended and at what is a guess
    closed = msgspec.structs.replace(ended, ended=False)
    assert fit(stop, closed).contradicts == ()
    later = msgspec.structs.replace(open_, start_time=datetime(2026, 1, 1, 12, 4, tzinfo=UTC))
    assert "time" in fit(stop, later).fits, "a clock that is set while it charges"
    much_later = msgspec.structs.replace(open_, start_time=datetime(2026, 1, 1, 12, 6, tzinfo=UTC))
    assert fit(stop, much_later).contradicts == ("time",)
    silent = fit(Told(None, None, None, None, False), open_)
    assert (silent.fits, silent.contradicts, silent.rank) == ((), (), 0)
    assert fit(stop, open_).rank > fit(stop, much_later).rank > fit(stop, ended).rank
