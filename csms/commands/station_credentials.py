"""A station's own password in commands and their results: found wherever it stands, so that it is neither stored nor shown.

OCPP 1.6 keeps it in the configuration key AuthorizationKey (security whitepaper, section 2.2), OCPP 2.x in the variable
SecurityCtrlr.BasicAuthPassword (part 2, A00), and 2.1 also carries it in the member basicAuthPassword of SetNetworkProfile.
Identifiers are case-insensitive in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

MASK: Final = "***"

_KEY: Final = "authorizationkey"
_VARIABLE: Final = "basicauthpassword"


def station_credentials(value: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(path, object, member) of every value in a decoded JSON document that is a station's password.

    Whatever the message: an entry is known by the key or variable that it names and by the value beside it, or by its own name.
    """
    waiting = [("", value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            for member in _secret_members(item):
                yield _join(path, member), item, member
            waiting += [(_join(path, name), inner) for name, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(f"{path}[{index}]", inner) for index, inner in enumerate(item)]


def mask_station_credentials(text: str) -> str:
    """A JSON text with every station password in it masked; the very text when there is none."""
    lower = text.lower()
    if _KEY not in lower and _VARIABLE not in lower:
        return text
    document = msgspec.json.decode(text)
    found = list(station_credentials(document))
    for _, holder, member in found:
        holder[member] = MASK
    return msgspec.json.encode(document).decode() if found else text


def _secret_members(item: dict[str, Any]) -> list[str]:
    found = [member for member, value in item.items() if _is(member, _VARIABLE) and value is not None]
    variable = item.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else variable
    if _is(item.get("key"), _KEY) or _is(name, _VARIABLE):
        found += [member for member in ("value", "attributeValue", "actualValue") if item.get(member) is not None]
    return found


def _is(name: Any, wanted: str) -> bool:
    return isinstance(name, str) and name.strip().lower() == wanted


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
