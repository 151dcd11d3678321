"""When two spellings of an id token name the same thing (pure).

OCPP 1.6 names no types and compares tokens without regard to case. Contracts (eMAID) come with and without separators and with
and without their check digit; vehicles of Autocharge come as `VID:` and hexadecimal digits in OCPP 1.6, and as a MacAddress in 2.x.
Each of those has one spelling that is stored; every other token is its own.
"""

from __future__ import annotations

import re
from typing import Final

CONTRACT: Final = "eMAID"
VEHICLE: Final = "MacAddress"

# ISO 15118-2, annex H: country, provider, instance, check digit. The check digit is not looked at: it protects those who type.
_CONTRACT: Final = re.compile(r"([A-Z]{2})[-*]?([A-Z0-9]{3})[-*]?([A-Z0-9]{9})(?:[-*]?[A-Z0-9])?\Z")
_SEPARATED: Final = re.compile(r"([A-Z]{2})([-*])([A-Z0-9]{3})\2([A-Z0-9]{9})(?:\2?[A-Z0-9])?\Z")
_CHECKED: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{13}\Z")
# 6 bytes are the MAC address of a vehicle, 8 bytes an EUI-64
_HEX: Final = r"(?:[0-9A-F]{2}[:-]?){5}(?:[0-9A-F]{2}[:-]?[0-9A-F]{2}[:-]?)?[0-9A-F]{2}"
_MAC: Final = re.compile(rf"(?:VID:)?({_HEX})\Z")
_VID: Final = re.compile(rf"VID:({_HEX})\Z")
_DOTTED_MAC: Final = re.compile(r"[0-9A-F]{2}(?:([:-])[0-9A-F]{2})(?:\1[0-9A-F]{2}){4}\Z")


def canonical(id_token: str, token_type: str | None) -> str:
    """The spelling that is stored. `token_type` None: a station of OCPP 1.6 names no type, so the spelling must tell what it is."""
    if len(id_token) < _SHORTEST:
        return id_token
    text = id_token.upper()
    if token_type in (None, CONTRACT):
        found = (_CONTRACT if token_type == CONTRACT else _SEPARATED).match(text)
        if found:
            return "".join(part for part in found.groups() if part not in ("-", "*"))
    if token_type in (None, VEHICLE):
        if token_type == VEHICLE:
            mac = _MAC.match(text)
            digits = None if mac is None else mac[1]
        else:
            vehicle = _VID.match(text)
            digits = vehicle[1] if vehicle else text if _DOTTED_MAC.match(text) else None
        if digits is not None:
            return "VID:" + digits.replace(":", "").replace("-", "")
    return id_token


_SHORTEST: Final = 12
"""Characters of the shortest contract or vehicle."""


def lookup_key(id_token: str, token_type: str | None) -> str:
    """What a token is looked up by: equal for all spellings of one token."""
    return canonical(id_token, token_type).lower()


def contract_key(id_token: str, token_type: str | None) -> str | None:
    """The key of the contract that a token without a type may be: one with its check digit and without separators looks like any
    other token of 15 characters. Only a token that is known as a contract is meant by it."""
    if token_type is not None or len(id_token) != 15 or not _CHECKED.match(id_token.upper()):
        return None
    return id_token[:-1].lower()
