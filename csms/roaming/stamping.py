"""When the parts of a published document were last changed, and what of a location has to be told. Pure, on JSON documents.

An object keeps its last_updated while nothing else of it changes; a location's is never before that of its EVSEs, theirs never
before that of their connectors (L5). None ever goes back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.ocpi221.base import fold
from schemas.ocpi221.instants import write_instant

Document = dict[str, Any]

MOST_PARTS: Final = 10
"""If more EVSEs of a location have changed it is told as a whole."""

_STEP: Final = timedelta(milliseconds=1)
_STAMP: Final = "last_updated"
_GONE: Final = "REMOVED"


class Stamped(NamedTuple):
    """A document to store. `parts`: the folded uids of the EVSEs that alone have changed; empty: all of it is to be told."""

    document: Document
    last_updated: datetime
    parts: tuple[str, ...]


def next_stamp(now: datetime, stored: datetime | None) -> datetime:
    """The time of a change that is made now: whole milliseconds, later than the stored one."""
    rounded = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
    return rounded if stored is None else max(rounded, stored + _STEP)


def stamp(document: Document, stored: Document | None, stored_at: datetime | None, now: datetime) -> Stamped | None:
    """An object without parts; None: it is as it was."""
    if stored is not None and _same(document, stored):
        return None
    at = next_stamp(now, stored_at)
    return Stamped({**document, _STAMP: write_instant(at)}, at, ())


def stamp_location(document: Document, stored: Document | None, stored_at: datetime | None, now: datetime) -> Stamped | None:
    """A location with its EVSEs and connectors; None: it is as it was. EVSEs that `document` lacks stay as REMOVED (L2)."""
    at = next_stamp(now, stored_at)
    written = write_instant(at)
    before = {fold(evse["uid"]): evse for evse in (stored or {}).get("evses", ())}
    evses, changed = [], []
    for evse in document.get("evses", ()):
        uid = fold(evse["uid"])
        stamped = _stamp_evse(evse, before.pop(uid, None), written)
        evses.append(stamped)
        if stamped[_STAMP] == written:
            changed.append(uid)
    for uid, evse in before.items():
        gone = evse if evse["status"] == _GONE else removed(evse, written)
        evses.append(gone)
        if gone is not evse:
            changed.append(uid)
    rest_changed = stored is None or not _same(document, stored, but="evses")
    if not changed and not rest_changed:
        return None
    made = {**document, _STAMP: written}
    if evses:
        made["evses"] = evses
    whole = rest_changed or len(changed) > MOST_PARTS
    return Stamped(made, at, () if whole else tuple(changed))


def restate(stored: Document, stored_at: datetime, statuses: Mapping[str, str], now: datetime) -> Stamped | None:
    """A stored location with the statuses of some of its EVSEs (by folded uid) as they are now; None: they are as they were."""
    at = next_stamp(now, stored_at)
    written = write_instant(at)
    evses, changed = [], []
    for evse in stored.get("evses", ()):
        uid = fold(evse["uid"])
        status = statuses.get(uid)
        if status is None or status == evse["status"]:
            evses.append(evse)
            continue
        evses.append(removed(evse, written) if status == _GONE else {**evse, "status": status, _STAMP: written})
        changed.append(uid)
    if not changed:
        return None
    made = {**stored, "evses": evses, _STAMP: written}
    return Stamped(made, at, () if len(changed) > MOST_PARTS else tuple(changed))


def removed(evse: Document, written: str) -> Document:
    """An EVSE that is gone for good. Its eMI3 id may be that of another one from now on, so it is left out."""
    return {name: value for name, value in {**evse, "status": _GONE, _STAMP: written}.items() if name != "evse_id"}


def with_kept(document: Document, stored: Document | None, uids: Collection[str], statuses: Mapping[str, str]) -> Document:
    """`document` with those EVSEs of the stored one that cannot be made anew (`uids`, folded): as they were last told, with their
    status of now. Something that is missing for one moment must not remove them for ever."""
    kept = [
        {**evse, "status": statuses.get(fold(evse["uid"]), evse["status"])}
        for evse in (stored or {}).get("evses", ())
        if fold(evse["uid"]) in uids
    ]
    return {**document, "evses": [*document.get("evses", ()), *kept]} if kept else document


def _stamp_evse(evse: Document, stored: Document | None, written: str) -> Document:
    before = {fold(connector["id"]): connector for connector in (stored or {}).get("connectors", ())}
    connectors = [_stamp_part(connector, before.get(fold(connector["id"])), written) for connector in evse["connectors"]]
    made = {**evse, "connectors": connectors}
    if stored is not None and _same(made, stored):
        return stored
    return {**made, _STAMP: written}


def _stamp_part(part: Document, stored: Document | None, written: str) -> Document:
    if stored is not None and _same(part, stored):
        return stored
    return {**part, _STAMP: written}


def _same(one: Document, other: Document, *, but: str = "") -> bool:
    """Equal but for last_updated (and the member `but`). Values of JSON: 1 and 1.0 are equal as numbers."""
    ignored = {_STAMP, but}
    names = {*one, *other} - ignored
    return all(name in one and name in other and one[name] == other[name] for name in names)
