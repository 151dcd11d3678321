"""Who may send what: every action as a CALL and as a SEND of a station, and as a CALL of ours."""

import json
import random

import pytest

from gateway import _native as native
from schemas.tables import version_table
from schemas.versions import VERSIONS
from tests.unit.native.client import answer, connect, exchange, text
from tests.unit.schemas.generation import Generator


def _request(version: str, action: str) -> object:
    table = version_table(version)
    return Generator(table, random.Random(action), 0.3).value(table["actions"][action]["request"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_station_calls_what_is_a_stations(version: str) -> None:
    for name, action in VERSIONS[version].actions.items():
        (event,) = exchange(version, text([2, "c", name, _request(version, name)]))
        if action.from_station and not action.send:
            assert event[:3] == (native.CALL, "c", name)
        else:
            assert event[:3] == (native.INVALID_CALL, "c", name)
            _, _, _, fault, _, reply, billing = event
            assert (fault.row, answer(reply)[:3], billing) == (11, [4, "c", "NotSupported"], False)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_send_is_taken_or_dropped_but_never_answered(version: str) -> None:
    for name, action in VERSIONS[version].actions.items():
        (event,) = exchange(version, text([6, "s", name, _request(version, name)]))
        if action.send:
            assert event[:3] == (native.SEND, "s", name)
        elif version == "ocpp2.0.1":
            # not an answer to a SEND: 2.0.1 has none, and answers messages of unknown types (F4)
            assert answer(event[1])[:3] == [4, "s", "MessageTypeNotSupported"]
        else:
            assert event[0] == native.DROPPED


@pytest.mark.parametrize("version", VERSIONS)
def test_we_call_what_is_ours(version: str) -> None:
    for name, action in VERSIONS[version].actions.items():
        payload = json.dumps(_request(version, name)).encode()
        connection = connect(version)
        if action.from_csms:
            assert connection.encode_call("c", name, payload)
        else:
            with pytest.raises(ValueError, match="not an action of the CSMS"):
                connection.encode_call("c", name, payload)


def test_what_is_sent_by_send_has_no_answer_to_encode() -> None:
    with pytest.raises(ValueError, match="not an action of stations"):
        connect("ocpp2.1").encode_result("s", "NotifyPeriodicEventStream", b"{}")
