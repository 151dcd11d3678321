"""Messages of transactions that cannot be found, and the sessions they may belong to. Pure: what a message tells, how well a
session fits, and the message with another transaction id in it (rules X5, X6).

Messages in quarantine may break their schema, so nothing of them is taken for granted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import msgspec

from csms.domain.metering import DEFAULT_LOCATION, DEFAULT_MEASURAND, DEFAULT_UNIT
from csms.domain.times import EARLIEST, LATEST

Trait = Literal["time", "connector", "id_tag", "meter", "stop_missing"]

_ATTACHABLE: Final = {
    ("ocpp1.6", "StopTransaction"),
    ("ocpp1.6", "MeterValues"),
    ("ocpp2.0.1", "TransactionEvent"),
    ("ocpp2.1", "TransactionEvent"),
}
_SLACK: Final = timedelta(minutes=5)
"""How far the times of one transaction may lie outside of it: stations set their clocks while they charge."""
_WEIGHT: Final[dict[Trait, int]] = {"time": 4, "stop_missing": 4, "connector": 2, "meter": 2, "id_tag": 2}

_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_anything: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_encode: Final = msgspec.json.Encoder().encode


class NotAttachable(Exception):
    """A message of this kind names no transaction, or it is no JSON object: the text says which."""


class Told(msgspec.Struct, frozen=True):
    """What a message tells of its transaction. `connector`: OCPP 1.6 its connector, 2.x its EVSE; `meter_wh`: the highest
    register in it; `ends`: it ends the transaction."""

    at: datetime | None
    connector: int | None
    id_token: str | None
    meter_wh: Decimal | None
    ends: bool


class Place(msgspec.Struct, frozen=True):
    """Of a session what a message is held against. `connector` as in `Told`; `ended`: a stop of its station came."""

    start_time: datetime | None
    stop_time: datetime | None
    connector: int | None
    id_token: str | None
    start_meter_wh: Decimal | None
    stop_meter_wh: Decimal | None
    ended: bool


class Fit(msgspec.Struct, frozen=True):
    """What of a message speaks for a session and what against it."""

    fits: tuple[Trait, ...]
    contradicts: tuple[Trait, ...]

    @property
    def rank(self) -> int:
        """The higher the better."""
        return sum(_WEIGHT[trait] for trait in self.fits) - sum(_WEIGHT[trait] for trait in self.contradicts)


def check_attachable(ocpp_version: str, action: str) -> None:
    """Raises NotAttachable."""
    if (ocpp_version, action) not in _ATTACHABLE:
        raise NotAttachable(f"{action} of {ocpp_version} names no transaction")


def name_transaction(ocpp_version: str, action: str, payload: bytes, transaction_ref: str) -> bytes:
    """The message with this transaction id instead of its own; everything else byte by byte as it was. Raises NotAttachable."""
    check_attachable(ocpp_version, action)
    try:
        members = _members(payload)
        if ocpp_version == "ocpp1.6":
            members["transactionId"] = msgspec.Raw(str(int(transaction_ref)).encode())
        else:
            info = _members(members.get("transactionInfo", msgspec.Raw(b"{}")))
            members["transactionInfo"] = msgspec.Raw(_encode(info | {"transactionId": transaction_ref}))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotAttachable("the message is no JSON object that can be corrected: send a corrected one to /replay") from None
    return _encode(members)


def read_told(ocpp_version: str, action: str, payload: bytes) -> Told:
    """What can be read of a message; nothing of one that is no JSON object. Raises NotAttachable."""
    check_attachable(ocpp_version, action)
    try:
        message = _anything(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation):
        message = {}
    times, registers = _readings(message.get("transactionData" if action == "StopTransaction" else "meterValue"))
    at = _time(message.get("timestamp")) or max(times, default=None)
    if ocpp_version != "ocpp1.6":
        evse, token = _object(message.get("evse")), _object(message.get("idToken"))
        ends = message.get("eventType") == "Ended"
        return Told(at, _whole(evse.get("id")), _text(token.get("idToken")), max(registers, default=None), ends)
    meter = _number(message.get("meterStop"))
    if meter is None:
        meter = max(registers, default=None)
    return Told(at, _whole(message.get("connectorId")), _text(message.get("idTag")), meter, action == "StopTransaction")


def fit(told: Told, place: Place) -> Fit:
    """Hold a message against a session; traits that either does not know count neither way."""
    checks: dict[Trait, bool | None] = {
        "time": _fits_in_time(told, place),
        "stop_missing": not place.ended if told.ends else None,
        "connector": None if told.connector is None else told.connector == place.connector,
        "meter": _fits_meter(told, place),
        "id_tag": None if told.id_token is None or place.id_token is None else told.id_token.lower() == place.id_token.lower(),
    }
    return Fit(
        tuple(trait for trait, good in checks.items() if good),
        tuple(trait for trait, good in checks.items() if good is False),
    )


def _fits_in_time(told: Told, place: Place) -> bool | None:
    if told.at is None or place.start_time is None:
        return None
    # where a session without a stop ends is a guess: later messages may be of it
    over = place.ended and place.stop_time is not None and told.at > place.stop_time + _SLACK
    return place.start_time - _SLACK <= told.at and not over


def _fits_meter(told: Told, place: Place) -> bool | None:
    if told.meter_wh is None or place.start_meter_wh is None:
        return None
    above = place.ended and place.stop_meter_wh is not None and told.meter_wh > place.stop_meter_wh
    return told.meter_wh >= place.start_meter_wh and not above


def _readings(meter_values: Any) -> tuple[list[datetime], list[Decimal]]:
    """The times, and the registers in Wh."""
    times, registers = [], []
    for meter_value in _objects(meter_values):
        at = _time(meter_value.get("timestamp"))
        if at is not None:
            times.append(at)
        registers += [wh for wh in map(_register, _objects(meter_value.get("sampledValue"))) if wh is not None]
    return times, registers


def _register(sample: Mapping[str, Any]) -> Decimal | None:
    if (
        sample.get("measurand", DEFAULT_MEASURAND) != DEFAULT_MEASURAND
        or sample.get("phase") is not None
        or sample.get("location", DEFAULT_LOCATION) != DEFAULT_LOCATION
    ):
        return None
    of_2x = _object(sample.get("unitOfMeasure"))
    unit = sample.get("unit") or of_2x.get("unit") or DEFAULT_UNIT
    value, multiplier = _number(sample.get("value")), _whole(of_2x.get("multiplier")) or 0
    if value is None or unit not in ("Wh", "kWh") or abs(multiplier) > 12:
        return None
    return value.scaleb(multiplier + (3 if unit == "kWh" else 0))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: Any) -> datetime | None:
    """Not by `parse_station_time`, which counts what is forgiven to the station: this message was counted when it came."""
    if not isinstance(value, str):
        return None
    try:
        ts = datetime.fromisoformat(value)
        ts = ts.replace(tzinfo=UTC) if ts.tzinfo is None else ts
        return ts if EARLIEST <= ts < LATEST else None
    except (ValueError, OverflowError):
        return None


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    # an exponent of a million digits is no meter value
    return number if number.is_finite() and abs(number.adjusted()) < 30 else None
