"""The messages of local lists and caches in the words of the station's OCPP version, and what its answers say (pure).

They are sent as raw actions: the domain's own commands have none for local lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from csms.commands import RawOrder
from csms.local_lists.changes import MOST_BYTES, Change, Limits
from csms.local_lists.content import Entry
from csms.local_lists.conversation import LARGEST_VERSION, NOT_SUPPORTED, Taken, Update

Dialect = Literal["1.6", "2.x"]

MAX_ID_TAG: Final = 20
"""Characters of an idTag of OCPP 1.6; in 2.x tokens have up to 36."""
MAX_ID_TOKEN: Final = 36

_NOT_THERE: Final = ("NotImplemented", "NotSupported")
_json: Final = msgspec.json.Encoder().encode


def dialect_of(ocpp_version: str) -> Dialect:
    return "1.6" if ocpp_version.startswith("ocpp1.6") else "2.x"


def send_list(dialect: Dialect, version: int, update: Update, changes: Sequence[Change]) -> RawOrder:
    payload: dict[str, Any] = {"listVersion" if dialect == "1.6" else "versionNumber": version, "updateType": update}
    if changes:
        payload["localAuthorizationList"] = [_item(dialect, change) for change in changes]
    return RawOrder("SendLocalList", _json(payload))


def ask_version() -> RawOrder:
    return RawOrder("GetLocalListVersion", b"{}")


def clear_cache() -> RawOrder:
    return RawOrder("ClearCache", b"{}")


def size_of(dialect: Dialect, change: Change) -> int:
    """Bytes of the change in a message."""
    return len(_json(_item(dialect, change)))


def limits_of(dialect: Dialect, items: int | None, bytes_: int | None) -> Limits:
    """Of a station that says it takes so many entries, and messages of so many bytes."""
    limits = Limits()
    if items is not None:
        limits = limits._replace(items=max(1, items))
    if bytes_ is not None and dialect == "2.x":
        limits = limits._replace(bytes=min(MOST_BYTES, max(1, bytes_ - _AROUND)))
    return limits


_AROUND: Final = 200
"""Bytes of a SendLocalList without its entries."""


class _Version(msgspec.Struct, rename="camel"):
    list_version: int | None = None
    version_number: int | None = None


class _Status(msgspec.Struct):
    status: str = ""


_read_version: Final = msgspec.json.Decoder(_Version).decode
_read_status: Final = msgspec.json.Decoder(_Status).decode


def version_told(result: str) -> int | None:
    """The version in the answer to GetLocalListVersion; None: there is none that could be one."""
    try:
        answer = _read_version(result)
    except msgspec.DecodeError:
        return None
    version = answer.list_version if answer.list_version is not None else answer.version_number
    return version if version is not None and NOT_SUPPORTED <= version <= LARGEST_VERSION else None


def status_told(result: str | None) -> str:
    """The status in an answer; empty without one."""
    try:
        return "" if result is None else _read_status(result).status
    except msgspec.DecodeError:
        return ""


def what_became(result: str | None, error: str | None) -> tuple[Taken, str]:
    """What the answer to a SendLocalList means, or the error in place of one."""
    if error is not None:
        return ("unsupported" if is_unsupported(error) else "refused"), error[:200]
    status = status_told(result)
    if status == "Accepted":
        return "taken", status
    return ("unsupported" if status == "NotSupported" else "refused"), status


def is_unsupported(error: str) -> bool:
    """Does the station say that it does not know the message?"""
    return error.partition(":")[0].strip() in _NOT_THERE


def _item(dialect: Dialect, change: Change) -> dict[str, Any]:
    entry = change.entry or change.gone
    if entry is None:
        raise LookupError("a change is of an entry")
    info = None if change.entry is None else change.entry
    if dialect == "1.6":
        item: dict[str, Any] = {"idTag": entry.id_token}
        if info is not None:
            item["idTagInfo"] = _without_none(status="Accepted", expiryDate=_time(info), parentIdTag=info.group)
        return item
    item = {"idToken": {"idToken": entry.id_token, "type": entry.type}}
    if info is not None:
        group = None if info.group is None else {"idToken": info.group, "type": "Central"}
        item["idTokenInfo"] = _without_none(
            status="Accepted", cacheExpiryDateTime=_time(info), groupIdToken=group, language1=info.language
        )
    return item


def _time(entry: Entry) -> str | None:
    return None if entry.expires_at is None else _rfc3339(entry.expires_at)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _without_none(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
