"""What stations send as signed meter values, in whatever wrapping, without a change to what was signed.

OCPP 2.x has an object of its own (SignedMeterValueType). OCPP 1.6 has a text of format SignedData: the container itself (OCMF), the
same as hexadecimal digits, or that object of 2.x as JSON (OCA application note on signed meter values).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

Nature: TypeAlias = Literal["Start", "End", "Intermediate"]
"""OCPI mod_cdrs, SignedValue.nature."""
Encoding: TypeAlias = Literal["plain", "hex", "base64"]

_NATURES: Final[dict[str, Nature]] = {"Transaction.Begin": "Start", "Transaction.End": "End"}
_OCMF: Final = "OCMF"
_ALFEN: Final = "Alfen Eichrecht"
_hex: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+").fullmatch
_base64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?").fullmatch
_blanks: Final = re.compile(r"[ \t\r\n]")


class SignedValue(msgspec.Struct, frozen=True):
    """A signed meter value of a session.

    `signed_data` is character by character what the station sent; in OCPP 2.x that is the container in base64. `time` is when
    the station says it was measured; null when its clock was outside 1970..2100. `public_key`: as sent with the value. The
    methods are as sent too, or, where the station names none, `encoding_method` is what the container itself tells.
    """

    nature: Nature
    context: str
    time: datetime | None
    signed_data: str
    encoding_method: str | None = None
    signing_method: str | None = None
    public_key: str | None = None


class _SignedMeterValue(msgspec.Struct, rename="camel"):
    """SignedMeterValueType of OCPP 2.x."""

    signed_meter_data: str
    signing_method: str | None = None
    encoding_method: str | None = None
    public_key: str | None = None


_decode: Final = msgspec.json.Decoder(_SignedMeterValue).decode


def read_signed_value(text: str, *, signed: bool, context: str, time: datetime | None) -> SignedValue | None:
    """The signed value that is in the text of a sample; None when it is none. `signed`: the station says that it is one."""
    nature = _NATURES.get(context, "Intermediate")
    if text.lstrip().startswith("{"):
        try:
            told = _decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            told = None
        if told is not None:
            data = told.signed_meter_data
            return SignedValue(
                nature,
                context,
                time,
                data,
                told.encoding_method or guess_encoding_method(data),
                told.signing_method or None,
                told.public_key or None,
            )
    if not signed and not text.startswith("OCMF|"):
        return None
    return SignedValue(nature, context, time, text, guess_encoding_method(text))


def encoding_of(signed_data: str) -> Encoding:
    """How the container is written: as it is, in hexadecimal digits or in base64."""
    bare = _blanks.sub("", signed_data)
    if bare and _hex(bare):
        return "hex"
    return "base64" if bare and _base64(bare) else "plain"


def container_of(signed_data: str) -> bytes:
    """The bytes of the container."""
    encoding = encoding_of(signed_data)
    if encoding == "plain":
        return signed_data.encode()
    bare = _blanks.sub("", signed_data)
    try:
        return bytes.fromhex(bare) if encoding == "hex" else base64.b64decode(bare, validate=True)
    except (ValueError, binascii.Error):  # the patterns above let nothing else through
        return signed_data.encode()


def guess_encoding_method(signed_data: str) -> str | None:
    """The name that OCPI has for a container which can be told by its beginning."""
    begin = container_of(signed_data)[:8].lstrip()
    if begin.startswith(b"OCMF|"):
        return _OCMF
    return _ALFEN if begin.startswith(b"AP;") else None
