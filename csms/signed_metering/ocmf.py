"""Open Charge Metering Format (OCMF 1.4.1): `OCMF|{payload}|{signature}`. The signature is over the payload byte for byte."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta

MOST_BYTES: Final = 64 * 1024
MOST_READINGS: Final = 2_000
DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"

_pagination: Final = re.compile(r"([A-Z])(0|[1-9][0-9]{0,17})").fullmatch
_time: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d),(\d{3})([+-]\d\d)(\d\d)(?: ([A-Z]))?").fullmatch


class BadOcmf(ValueError):
    """A text that is no OCMF; the message says why."""


class OcmfReading(msgspec.Struct, frozen=True):
    """A meter reading. What OCMF leaves out because it is as in the reading before is filled in."""

    time: datetime
    time_status: str | None
    transaction: str | None
    value: Decimal | None
    identifier: str | None
    unit: str | None
    error_flags: str
    status: str | None


class Ocmf(msgspec.Struct, frozen=True):
    """A data set: the signed bytes, what they say, and the signature."""

    payload: bytes
    counter: str
    """Which of its counters the data set is numbered by: T of transactions, F of fiscal readings."""
    number: int
    serial: str | None
    """Of the meter; of the gateway, where that signs for its one meter and names none."""
    identification: str | None
    readings: tuple[OcmfReading, ...]
    algorithm: str
    signature: bytes


class _Reading(msgspec.Struct):
    tm: Annotated[str, Meta(max_length=40)] = msgspec.field(name="TM")
    tx: str | None = msgspec.field(name="TX", default=None)
    rv: Decimal | None = msgspec.field(name="RV", default=None)
    ri: str | None = msgspec.field(name="RI", default=None)
    ru: str | None = msgspec.field(name="RU", default=None)
    ef: str | None = msgspec.field(name="EF", default=None)
    st: str | None = msgspec.field(name="ST", default=None)


class _Payload(msgspec.Struct):
    pg: str = msgspec.field(name="PG")
    rd: Annotated[list[_Reading], Meta(min_length=1, max_length=MOST_READINGS)] = msgspec.field(name="RD")
    gs: str | None = msgspec.field(name="GS", default=None)
    ms: str | None = msgspec.field(name="MS", default=None)
    id: str | None = msgspec.field(name="ID", default=None)


class _Signature(msgspec.Struct):
    sd: str = msgspec.field(name="SD")
    sa: str | None = msgspec.field(name="SA", default=None)
    se: str | None = msgspec.field(name="SE", default=None)


_payload: Final = msgspec.json.Decoder(_Payload).decode
_signature: Final = msgspec.json.Decoder(_Signature).decode


def read_ocmf(container: bytes) -> Ocmf:
    """The data set of a container; raises BadOcmf."""
    if len(container) > MOST_BYTES:
        raise BadOcmf(f"is longer than {MOST_BYTES} bytes")
    # no section may have the separator in it (OCMF, Sections): what is between them is what was signed
    header, *sections = container.split(b"|")
    if header.strip() != b"OCMF":
        raise BadOcmf("does not begin with OCMF|")
    if len(sections) != 2:
        raise BadOcmf("does not have one payload and one signature")
    try:
        told = _payload(sections[0])
        signature = _signature(sections[1])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadOcmf(f"cannot be read: {error}") from None
    page = _pagination(told.pg)
    if page is None:
        raise BadOcmf("PG is no pagination")
    return Ocmf(
        payload=sections[0],
        counter=page[1],
        number=int(page[2]),
        serial=told.ms or told.gs or None,
        identification=told.id or None,
        readings=_filled(told.rd),
        algorithm=signature.sa or DEFAULT_ALGORITHM,
        signature=_bytes(signature.sd, signature.se or "hex"),
    )


def _filled(readings: list[_Reading]) -> tuple[OcmfReading, ...]:
    found: list[OcmfReading] = []
    before = _Reading("")
    for reading in readings:
        time, status = _read_time(reading.tm)
        for name in ("tx", "rv", "ri", "ru", "ef", "st"):
            if getattr(reading, name) is None:
                setattr(reading, name, getattr(before, name))
        found.append(OcmfReading(time, status, reading.tx, reading.rv, reading.ri, reading.ru, reading.ef or "", reading.st))
        before = reading
    return tuple(found)


def _read_time(text: str) -> tuple[datetime, str | None]:
    parts = _time(text)
    if parts is None:
        raise BadOcmf("TM is no time of OCMF")
    try:
        return datetime.fromisoformat(f"{parts[1]}.{parts[2]}{parts[3]}:{parts[4]}"), parts[5]
    except ValueError:
        raise BadOcmf("TM is no time of OCMF") from None


def _bytes(text: str, encoding: str) -> bytes:
    try:
        if encoding == "hex":
            return bytes.fromhex(text)
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise BadOcmf("SD is not in the encoding that SE names") from None
    raise BadOcmf("SE is neither hex nor base64")
