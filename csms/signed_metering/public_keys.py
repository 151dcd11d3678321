"""Public keys of meters, in the forms that stations, type plates and registers write them in; and which of them was valid when."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

MOST_CHARACTERS: Final = 2500
"""Of a public key (OCPP 2.x, SignedMeterValueType)."""

_CURVES: Final[tuple[type[ec.EllipticCurve], ...]] = (
    ec.SECP192R1,
    ec.SECP256R1,
    ec.SECP256K1,
    ec.SECP384R1,
    ec.SECP521R1,
    ec.BrainpoolP256R1,
    ec.BrainpoolP384R1,
    ec.BrainpoolP512R1,
)
_PEM: Final = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")
_hex: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+").fullmatch


class BadPublicKey(ValueError):
    """A text that is no public key of an elliptic curve that signatures can be checked by."""


class MeterKey(msgspec.Struct, frozen=True):
    """A meter's public key as somebody has registered it, and when it was or is valid: `valid_from` inclusive, `valid_until`
    exclusive. What is null holds for all: of the EVSEs of the charge point, of the connectors of the EVSE, of the meters there."""

    key_id: UUID
    evse_id: int | None
    connector_id: int | None
    meter_serial: str | None
    public_key: str
    valid_from: datetime
    valid_until: datetime | None
    created_by: str
    created_at: datetime

    def is_for(self, evse_id: int | None, connector_id: int | None, meter_serial: str | None, time: datetime) -> bool:
        """True for a meter that may be this one at that time."""
        return (
            self.evse_id in (None, evse_id)
            and self.connector_id in (None, connector_id)
            and (self.meter_serial is None or meter_serial is None or self.meter_serial == meter_serial)
            and self.valid_from <= time
            and (self.valid_until is None or time < self.valid_until)
        )


def key_for(
    keys: Iterable[MeterKey], evse_id: int | None, connector_id: int | None, meter_serial: str | None, time: datetime
) -> MeterKey | None:
    """The key of a meter at a time; of several that fit, the one that names the meter, its connector, its EVSE."""
    fitting = [key for key in keys if key.is_for(evse_id, connector_id, meter_serial, time)]
    return max(
        fitting,
        key=lambda key: (key.meter_serial is not None, key.connector_id is not None, key.evse_id is not None, key.valid_from),
        default=None,
    )


def read_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The key of `oca:base16:asn1:…` or `oca:base64:asn1:…` (OCPP 2.x), of that once more in base64, or of a SubjectPublicKeyInfo
    in hexadecimal digits, base64 or PEM. Raises BadPublicKey."""
    if len(text) > MOST_CHARACTERS:
        raise BadPublicKey(f"is longer than {MOST_CHARACTERS} characters")
    raw = _unwrapped(text.strip())
    try:
        key = load_der_public_key(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadPublicKey("is no public key of an elliptic curve") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise BadPublicKey("is no public key of an elliptic curve that is used by meters")
    return key


def curve_name(text: str) -> str | None:
    """The curve of a key; None when it cannot be read."""
    try:
        return read_public_key(text).curve.name
    except BadPublicKey:
        return None


def der(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as a SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _unwrapped(text: str) -> bytes:
    raw = _named(text) if text.startswith("oca:") else _decoded(text)
    if raw.startswith(b"oca:"):
        return _named(raw.decode("ascii", "replace"))
    return raw


def _named(text: str) -> bytes:
    """`oca:<encoding>:<form>:<key>`"""
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[1] not in ("base16", "base64") or parts[2] != "asn1":
        raise BadPublicKey("is neither oca:base16:asn1 nor oca:base64:asn1")
    return _decoded(parts[3])


def _decoded(text: str) -> bytes:
    pem = _PEM.search(text)
    bare = re.sub(r"\s", "", pem[1] if pem else text)
    if _hex(bare):
        return bytes.fromhex(bare)
    try:
        return base64.b64decode(bare, validate=True)
    except (ValueError, binascii.Error):
        raise BadPublicKey("is neither in hexadecimal digits nor in base64") from None
