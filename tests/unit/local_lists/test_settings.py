"""What stations are told about their offline behaviour, and what their answers lead to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from csms.local_lists.policy import OfflinePolicy, decode_policy, encode_policy, together
from csms.local_lists.settings import Told, after_order, after_reading, due, order, order_status, question, read_answer

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ON = OfflinePolicy(local_list=True, cache=False, authorize_offline=True)


def test_the_nearest_policy_that_says_something_holds() -> None:
    station = OfflinePolicy(cache=True)
    group = OfflinePolicy(cache=False, max_entries=10)
    tenant = OfflinePolicy(local_list=True, max_entries=500, token_groups=(UUID(int=1),))
    found = together([station, group, tenant])
    assert found == OfflinePolicy(cache=True, max_entries=10, local_list=True, token_groups=(UUID(int=1),))
    assert decode_policy(encode_policy(found)) == found
    assert together([]).says_nothing
    with pytest.raises(msgspec.ValidationError):
        decode_policy(b'{"max_entries": 0}')


def test_a_station_that_starts_at_once_gets_no_tokens_that_must_be_asked_for() -> None:
    assert OfflinePolicy(local_list=True).listed == {"ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"}
    assert OfflinePolicy(local_list=True, pre_authorize=True).listed == {"ALWAYS", "ALLOWED"}


def test_only_what_differs_is_told() -> None:
    told = Told({"local_list": False, "cache": False})
    known = after_reading("1.6", [], told)
    assert due(ON, "1.6", known) == {"local_list": True, "authorize_offline": True}
    known = after_order("1.6", known, "local_list", True, "Accepted", NOW)
    known = after_order("1.6", known, "authorize_offline", True, "NotSupported", NOW)
    assert due(ON, "1.6", known) == {}, "what was refused is not told again"
    assert [(one.name, one.status) for one in known if one.refused] == [("LocalAuthorizeOffline", "NotSupported")]
    turned = msgspec.structs.replace(ON, authorize_offline=False)
    assert due(turned, "1.6", known) == {"authorize_offline": False}, "another value is another question"
    assert due(ON, "2.x", known) == {"local_list": True, "cache": False, "authorize_offline": True}, "other words, other settings"


def test_what_waits_for_a_reboot_is_believed_when_the_station_says_so() -> None:
    known = after_order("1.6", [], "cache", False, "RebootRequired", NOW)
    assert due(ON, "1.6", known).keys() == {"local_list", "authorize_offline"}
    rebooted = after_reading("1.6", known, Told({"cache": False}))
    assert due(OfflinePolicy(cache=False), "1.6", rebooted) == {}
    reset = after_reading("1.6", known, Told({"cache": True}))
    assert due(OfflinePolicy(cache=False), "1.6", reset) == {"cache": False}, "changed at the station: told again"


def test_the_answer_of_a_1_6_station() -> None:
    keys = json.loads(question("1.6").payload)["key"]
    assert "SendLocalListMaxLength" in keys
    answer = {
        "configurationKey": [
            {"key": "localauthlistenabled", "readonly": False, "value": "True"},
            {"key": "LocalPreAuthorize", "readonly": False},
            {"key": "SendLocalListMaxLength", "readonly": True, "value": "20"},
            {"key": "LocalAuthListMaxLength", "readonly": True, "value": "99999999999999"},
        ],
        "unknownKey": ["AuthorizationCacheEnabled"],
    }
    assert read_answer(json.dumps(answer)) == Told({"local_list": True}, None, 20)


def test_the_answer_of_a_2_x_station() -> None:
    asked = json.loads(question("2.x").payload)["getVariableData"]

    def answer(item: dict[str, Any]) -> dict[str, Any]:
        value = {"ItemsPerMessage": "7", "BytesPerMessage": "5000", "Enabled": "false"}.get(item["variable"]["name"])
        status = "Accepted" if value is not None else "UnknownVariable"
        return {**item, "attributeStatus": status, **({} if value is None else {"attributeValue": value})}

    told = read_answer(json.dumps({"getVariableResult": [answer(item) for item in asked]}))
    assert told == Told({"local_list": False, "cache": False}, None, 7, 5000)


def test_orders() -> None:
    assert json.loads(order("1.6", "unknown_offline", True).payload) == {"key": "AllowOfflineTxForUnknownId", "value": "true"}
    (item,) = json.loads(order("2.x", "unknown_offline", False).payload)["setVariableData"]
    assert item == {
        "attributeValue": "false",
        "component": {"name": "AuthCtrlr"},
        "variable": {"name": "OfflineTxForUnknownIdEnabled"},
    }
    assert order_status('{"status":"RebootRequired"}') == "RebootRequired"
    assert order_status(json.dumps({"setVariableResult": [{**item, "attributeStatus": "Rejected"}]})) == "Rejected"
    assert order_status("[]") == order_status(None) == ""
