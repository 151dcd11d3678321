"""Whether signed meter values are what they claim to be (OCMF 1.4.1, Signing and Verification Process)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from csms.signed_metering.containers import SignedValue, container_of
from csms.signed_metering.ocmf import BadOcmf, Ocmf, read_ocmf
from csms.signed_metering.public_keys import BadPublicKey, MeterKey, der, key_for, read_public_key

Result: TypeAlias = Literal["verified", "failed", "unchecked"]
KeySource: TypeAlias = Literal["registered", "value", "session"]

Problem: TypeAlias = Literal[
    "malformed",
    "signature",
    "public_key",
    "other_public_key",
    "pagination",
    "serial",
    "error_flag",
    "meter_status",
    "id_token",
]
Missing: TypeAlias = Literal["no_public_key", "unknown_method", "unknown_algorithm"]
Note: TypeAlias = Literal["pagination_gap", "time_not_legal", "no_id_token"]

_ALGORITHMS: Final = {
    "ECDSA-secp192r1-SHA256": "secp192r1",
    "ECDSA-secp256k1-SHA256": "secp256k1",
    "ECDSA-secp256r1-SHA256": "secp256r1",
    "ECDSA-secp384r1-SHA256": "secp384r1",
    "ECDSA-brainpool256r1-SHA256": "brainpoolP256r1",
    "ECDSA-brainpool384r1-SHA256": "brainpoolP384r1",
}
"""OCMF table 22, but for secp192k1, which nothing that we stand on knows."""
_GOOD: Final = "G"
_LEGAL_TIMES: Final = frozenset({"S", "R"})
_separators: Final = re.compile(r"[ :.-]")


class Check(msgspec.Struct, frozen=True):
    """What came of checking one signed value.

    `failed` for the `problems`; `unchecked` because of what is `missing`. `notes` are no failure: records are missing between two
    data sets (pagination_gap), the meter's clock is not one of calibration law, so energy may be billed by it and time may not
    (time_not_legal), or it names no token. `key_source`: registered with us, sent with the value, or with another of the session.
    """

    result: Result
    problems: list[Problem] = []
    missing: list[Missing] = []
    notes: list[Note] = []
    key_source: KeySource | None = None
    meter_serial: str | None = None
    pagination: str | None = None


class Meter(msgspec.Struct, frozen=True):
    """Where the session was, whose it was, and the keys that are registered for its charge point."""

    evse_id: int | None
    connector_id: int | None
    id_token: str | None
    start: datetime
    keys: Sequence[MeterKey]


def check_values(values: Sequence[SignedValue], meter: Meter) -> list[Check]:
    """One for each value of a session; these must be in the order of time."""
    sent = [value.public_key for value in values if value.public_key]
    session_key = sent[0] if sent else None
    found: list[Check] = []
    earlier: list[Ocmf] = []
    for value in values:
        if value.encoding_method != "OCMF" and not container_of(value.signed_data).lstrip().startswith(b"OCMF|"):
            found.append(Check("unchecked", missing=["unknown_method"]))
            continue
        try:
            data_set = read_ocmf(container_of(value.signed_data))
        except BadOcmf:
            found.append(Check("failed", problems=["malformed"]))
            continue
        found.append(_check(value, data_set, meter, session_key, earlier))
        if data_set not in earlier:
            earlier.append(data_set)
    return found


def _check(value: SignedValue, data_set: Ocmf, meter: Meter, session_key: str | None, earlier: Sequence[Ocmf]) -> Check:
    problems: list[Problem] = []
    missing: list[Missing] = []
    registered = key_for(meter.keys, meter.evse_id, meter.connector_id, data_set.serial, value.time or meter.start)
    text = registered.public_key if registered is not None else value.public_key or session_key
    source: KeySource = "registered" if registered is not None else "value" if value.public_key else "session"
    if text is None:
        missing.append("no_public_key")
    elif data_set.algorithm not in _ALGORITHMS:
        missing.append("unknown_algorithm")
    else:
        problems += _signature_problems(data_set, text)
        if registered is not None and value.public_key and not _same_key(registered.public_key, value.public_key):
            problems.append("other_public_key")
    problems += _problems_of_contents(data_set, meter.id_token)
    problems += _problems_of_order(data_set, earlier)
    return Check(
        "failed" if problems else "unchecked" if missing else "verified",
        problems,
        missing,
        _notes(data_set, meter.id_token, earlier),
        None if text is None else source,
        data_set.serial,
        f"{data_set.counter}{data_set.number}",
    )


def _signature_problems(data_set: Ocmf, text: str) -> list[Problem]:
    try:
        key = read_public_key(text)
    except BadPublicKey:
        return ["public_key"]
    if key.curve.name != _ALGORITHMS[data_set.algorithm]:
        return ["public_key"]
    try:
        key.verify(data_set.signature, data_set.payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return ["signature"]
    return []


def _same_key(one: str, other: str) -> bool:
    try:
        return der(read_public_key(one)) == der(read_public_key(other))
    except BadPublicKey:
        return one == other


def _problems_of_contents(data_set: Ocmf, id_token: str | None) -> list[Problem]:
    problems: list[Problem] = []
    if any(reading.error_flags for reading in data_set.readings):
        problems.append("error_flag")
    if any(reading.status != _GOOD for reading in data_set.readings):
        problems.append("meter_status")
    if id_token is not None and data_set.identification is not None and _bare(data_set.identification) != _bare(id_token):
        problems.append("id_token")
    return problems


def _problems_of_order(data_set: Ocmf, earlier: Sequence[Ocmf]) -> list[Problem]:
    if not earlier or data_set in earlier:  # one data set may come twice: in a meter value and with the stop
        return []
    problems: list[Problem] = []
    if any(one.serial != data_set.serial for one in earlier):
        problems.append("serial")
    before = _newest(data_set, earlier)
    if before is not None and data_set.number <= before:
        problems.append("pagination")
    return problems


def _notes(data_set: Ocmf, id_token: str | None, earlier: Sequence[Ocmf]) -> list[Note]:
    notes: list[Note] = []
    before = _newest(data_set, earlier)
    if before is not None and data_set.number > before + 1:
        notes.append("pagination_gap")
    if any(reading.time_status not in _LEGAL_TIMES for reading in data_set.readings):
        notes.append("time_not_legal")
    if id_token is not None and data_set.identification is None:
        notes.append("no_id_token")
    return notes


def _newest(data_set: Ocmf, earlier: Sequence[Ocmf]) -> int | None:
    return max((one.number for one in earlier if one.counter == data_set.counter), default=None)


def _bare(token: str) -> str:
    """OCPP 1.6 has no case in tokens, and UIDs are written with and without separators."""
    return _separators.sub("", token).casefold()
