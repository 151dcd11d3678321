"""Signed meter values: what is genuine is found so, and nothing else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.signed_metering import (
    BadOcmf,
    BadPublicKey,
    Check,
    MeterKey,
    SignedValue,
    check_values,
    curve_name,
    key_for,
    read_ocmf,
    read_public_key,
    read_signed_value,
    transparency_xml,
)
from csms.signed_metering.checks import Meter
from tests.unit.signed_metering.ocmf_data import CURVES, SigningMeter

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
TOKEN = "1f:2d:3a:4f:55:06:c7"
# a data set of a charger in the field, as published with the transparency software (KEBA KCP30)
FIELD_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D030107034200043AEEB45C392357820A58FDFB0857BD77ADA31585C61C430531DFA53B440AFBFD"
    "D95AC887C658EA55260F808F55CA948DF235C2108A0D6DC7D4AB1A5E1A7955BE"
)
FIELD = (
    'OCMF|{"FV":"1.0","GI":"KEBA_KCP30","GS":"17619300","GV":"2.8.5","PG":"T32","IS":false,"IL":"NONE","IF":["RFID_NONE",'
    '"OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"NONE","ID":"","RD":[{"TM":"2019-08-13T10:03:15,000+0000 I","TX":"B","EF":"",'
    '"ST":"G","RV":0.2596,"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"2019-08-13T10:03:36,000+0000 R","TX":"E","EF":"","ST":"G",'
    '"RV":0.2597,"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"304502200E2F107C987A300AC1695CA89EA149A8CDFA16188AF0A33EE64B67964AA943F9'
    '022100889A72B6D65364BEA8562E7F6A0253157ACFF84FE4929A93B5964D23C4265699"}'
)


def _value(text: str, context: str = "Transaction.Begin", *, minute: int = 0) -> SignedValue:
    value = read_signed_value(text, signed=True, context=context, time=NOW + timedelta(minutes=minute))
    assert value is not None
    return value


def _key(number: int, text: str, **others: object) -> MeterKey:
    fields = {"evse_id": None, "connector_id": None, "meter_serial": None, "valid_from": NOW, "valid_until": None} | others
    return MeterKey(UUID(int=number), public_key=text, created_by="user:x", created_at=NOW, **fields)  # type: ignore[arg-type]


def _checks(*values: SignedValue, keys: tuple[MeterKey, ...] = (), token: str | None = TOKEN) -> list[Check]:
    return check_values(values, Meter(1, 1, token, NOW, keys))


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_session_of_a_genuine_meter(algorithm: str) -> None:
    meter = SigningMeter(algorithm)
    begin, end = _value(meter.container("B", "2935.600")), _value(meter.container("E", "2965.10"), "Transaction.End", minute=60)
    assert [check.result for check in _checks(begin, end, keys=(_key(1, meter.public_key),))] == ["verified", "verified"]
    assert [value.nature for value in (begin, end)] == ["Start", "End"]
    (unknown, _) = _checks(begin, end)
    assert (unknown.result, unknown.missing) == ("unchecked", ["no_public_key"])
    (foreign, _) = _checks(begin, end, keys=(_key(1, SigningMeter(algorithm).public_key),))
    assert (foreign.result, foreign.problems) == ("failed", ["signature"])


def test_a_data_set_from_the_field() -> None:
    (check,) = _checks(_value(FIELD), keys=(_key(1, FIELD_KEY),))
    assert (check.result, check.notes) == ("verified", ["time_not_legal", "no_id_token"])
    first, second = read_ocmf(FIELD.encode()).readings
    assert (first.value, second.value, second.identifier) == (Decimal("0.2596"), Decimal("0.2597"), "1-b:1.8.0")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_is_verified(place: int, change: int) -> None:
    """Every byte of the payload and of the signature; in the rest of the signature section a blank may come and go."""
    payload = FIELD.encode().split(b"|")[1]
    place %= len(payload)
    changed = bytearray(payload)
    changed[place] ^= change
    forged = FIELD.encode().replace(payload, bytes(changed))
    value = SignedValue("Start", "Transaction.Begin", NOW, forged.decode("latin-1"), "OCMF")
    (check,) = _checks(value, keys=(_key(1, FIELD_KEY),))
    assert check.result == "failed"


def test_one_flipped_digit_is_refused() -> None:
    for place, letter in enumerate(FIELD):
        if letter.isdigit():
            flipped = FIELD[:place] + str((int(letter) + 1) % 10) + FIELD[place + 1 :]
            (check,) = _checks(_value(flipped), keys=(_key(1, FIELD_KEY),), token=None)
            assert check.result == "failed", place


def test_what_a_genuine_signature_does_not_heal() -> None:
    meter = SigningMeter()
    keys = (_key(1, meter.public_key),)
    for changes, problem in (
        ({"EF": "E"}, "error_flag"),
        ({"ST": "M"}, "meter_status"),
        ({"token": "AABBCCDD"}, "id_token"),
    ):
        (check,) = _checks(_value(meter.container("B", "1.0", **changes)), keys=keys)
        assert (check.result, check.problems) == ("failed", [problem])
    begin, end = meter.container("B", "1.0"), meter.container("E", "2.0")
    assert [check.problems for check in _checks(_value(end), _value(begin), keys=keys)] == [[], ["pagination"]]
    # the same data set twice is one; a page left out is told, but may be a value that was never sent here
    assert [check.result for check in _checks(_value(begin), _value(begin), _value(end), keys=keys)] == ["verified"] * 3
    meter.page += 1
    assert _checks(_value(begin), _value(meter.container("E", "3.0")), keys=keys)[1].notes == ["pagination_gap"]
    other = SigningMeter(serial="OTHER")
    other.page = 500
    swapped = _checks(
        _value(begin),
        _value(other.container("E", "9.0")),
        keys=(_key(1, meter.public_key, meter_serial="BQ27400330016"), _key(2, other.public_key, meter_serial="OTHER")),
    )
    assert [check.problems for check in swapped] == [[], ["serial"]]
    (informative,) = _checks(_value(meter.container("B", "9.0", TM="2026-03-01T11:00:00,000+0100 I")), keys=keys)
    assert (informative.result, informative.notes) == ("verified", ["time_not_legal"])


def test_a_value_cannot_vouch_for_itself_against_a_registered_key() -> None:
    meter, forger = SigningMeter(), SigningMeter()
    sent = json.dumps({"signedMeterData": forger.container("B", "1.0"), "encodingMethod": "OCMF", "publicKey": forger.public_key})
    (alone,) = _checks(_value(sent))
    assert (alone.result, alone.key_source) == ("verified", "value")
    (held,) = _checks(_value(sent), keys=(_key(1, meter.public_key),))
    assert (held.result, held.problems) == ("failed", ["signature", "other_public_key"])
    # OncePerTransaction: the key comes with one of the values
    begin = json.dumps({"signedMeterData": meter.container("B", "1.0"), "publicKey": meter.public_key})
    checks = _checks(_value(begin), _value(meter.container("E", "2.0")))
    assert [(check.result, check.key_source) for check in checks] == [("verified", "value"), ("verified", "session")]


def test_every_wrapping_gives_the_same_container() -> None:
    meter = SigningMeter()
    text = meter.container("B", "1.00")
    encoded = base64.b64encode(text.encode()).decode()
    wrapped = [
        text,
        text.encode().hex().upper(),
        encoded,
        json.dumps({"signedMeterData": encoded, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}),
        json.dumps({"signedMeterData": text, "encodingMethod": ""}),
    ]
    keys = (_key(1, meter.public_key),)
    for one in wrapped:
        value = _value(one)
        assert (value.encoding_method, value.public_key, value.signing_method) == ("OCMF", None, None)
        assert _checks(value, keys=keys)[0].result == "verified"
        root = ElementTree.fromstring(transparency_xml([(value, meter.public_key)], "4711"))
        (signed,) = root.iter("signedData")
        (key,) = root.iter("publicKey")
        assert (signed.text, dict(signed.attrib)) == (text, {"format": "OCMF", "encoding": "plain"})
        assert (key.text, key.get("encoding")) == (meter.public_key.upper(), "hex")
        assert root[0].get("transactionId") == "4711"
    assert read_signed_value("12.5 kW", signed=False, context="Other", time=NOW) is None
    for other, method in (
        ("AP;0;3;AJ2J7LYMGCIWT4AHUJPPFIIVB3FGRV2JQ2HVZG2I;BIHEIWSHAAA2WZUZOYYDCNWTWAFACRC2I4ADGAEDQ4===", "ALFEN"),
        ("", None),
    ):
        value = _value(other or "1B1B1B1B0101")
        assert _checks(value)[0].missing == ["unknown_method"]
        (signed,) = ElementTree.fromstring(transparency_xml([(value, None)], "a-b")).iter("signedData")
        assert (signed.get("format"), signed.get("encoding")) == (method, "plain" if other else "hex")


@given(st.text(min_size=1, max_size=60))
def test_a_container_of_any_text_survives_the_file(text: str) -> None:
    value = SignedValue("Start", "Transaction.Begin", NOW, f"AP;{text}", "Alfen Eichrecht")
    try:
        value.signed_data.encode()
    except UnicodeEncodeError:
        return  # JSON text has no lone surrogates
    (signed,) = ElementTree.fromstring(transparency_xml([(value, text)], "1")).iter("signedData")
    found = signed.text or ""
    if signed.get("encoding") == "base64":
        found = base64.b64decode(found).decode()
    assert found == value.signed_data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OCMF",
        "OCMF|{}",
        "OCMF|{}|{}",
        "OCMF|{}|{}|{}",
        "OCMF|[" + "[" * 5000 + "|{}",
        FIELD.replace("T32", "32"),
        FIELD.replace("T32", "T99999999999999999999"),
        FIELD.replace("2019-08-13", "2019-08-32"),
        FIELD.replace('"RV":0.2596', '"RV":"x"'),
        FIELD.replace('{"SD"', '{"SE":"rot13","SD"'),
        FIELD + " " * 70_000,
    ],
)
def test_what_is_no_data_set(text: str) -> None:
    with pytest.raises(BadOcmf):
        read_ocmf(text.encode())
    value = SignedValue("Start", "Transaction.Begin", NOW, text, "OCMF")
    assert _checks(value)[0].problems == ["malformed"]


def test_public_keys_in_every_form() -> None:
    raw = bytes.fromhex(FIELD_KEY)
    encoded = base64.b64encode(raw).decode()
    named = f"oca:base16:asn1:{FIELD_KEY}"
    pem = f"-----BEGIN PUBLIC KEY-----\n{encoded[:64]}\n{encoded[64:]}\n-----END PUBLIC KEY-----\n"
    forms = (
        FIELD_KEY,
        FIELD_KEY.lower(),
        encoded,
        named,
        f"oca:base64:asn1:{encoded}",
        base64.b64encode(named.encode()).decode(),
        pem,
    )
    for form in forms:
        assert read_public_key(form).public_numbers() == read_public_key(FIELD_KEY).public_numbers()
    for bad in ("", "zz", "oca:base16:asn1", "oca:base58:asn1:00", "00" * 2000, FIELD_KEY[:-2], "oca:base16:asn1:ÿ"):
        with pytest.raises(BadPublicKey):
            read_public_key(bad)
        assert curve_name(bad) is None


def test_the_key_of_a_meter_at_a_time() -> None:
    later = NOW + timedelta(days=10)
    old = _key(1, "old", valid_until=later)
    new = _key(2, "new", valid_from=later)
    evse = _key(3, "evse", evse_id=2)
    serial = _key(4, "serial", meter_serial="S1")
    keys = (old, new, evse, serial)
    assert key_for(keys, 1, 1, None, NOW - timedelta(seconds=1)) is None
    assert key_for(keys[:3], 1, 1, "S9", NOW) is old
    assert key_for(keys[:3], 1, 1, "S9", later) is new
    assert key_for(keys[:3], 2, 1, None, later) is evse
    assert key_for(keys, 2, 1, "S1", later) is serial
    assert key_for(keys, 2, 1, "S2", later) is evse
