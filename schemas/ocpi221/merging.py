"""PUT and PATCH of stored objects, without the store (OCPI 2.2.1, transport; W1 to W8, L4, E2, K1).

Objects are merged as JSON documents, not as our types: so members that we do not know survive (B11). Stored documents, EVSEs
and connectors that go into them have been read before.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from schemas.ocpi221.base import OcpiObject, same
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.objects import kind_of
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tokens import Token

Document = dict[str, Any]
Thing = TypeVar("Thing", bound=OcpiObject)

PATCHABLE: Final[tuple[type[OcpiObject], ...]] = (Location, EVSE, Connector, Session, Token)
"""What has a PATCH: tariffs have none (F1), CDRs never change (D2)."""

_APPENDED: Final[dict[type[OcpiObject], str]] = {Session: "charging_periods"}


def patched(type_: type[Thing], stored: Document, patch: Any) -> tuple[Document, Reading[Thing]]:
    """`stored` with the members of `patch` put into it, and the object that this makes, with the remarks on all of it.

    Members that `patch` lacks stay (W2); lists and objects replace the old ones as a whole, but for the charging periods of a
    session, which are added (E2); null clears an optional member (W3). The spelling of ids stays (B2).

    Raises Unreadable (2001): without last_updated (W2), null for a required member (W3), another identity than the stored one
    (W7), or if what comes out cannot be accepted.
    """
    if type_ not in PATCHABLE:
        raise Unreadable("", "S5", f"{type_.__name__} has no PATCH")
    if not isinstance(patch, dict):
        raise Unreadable("", "B1", "is not an object")
    if patch.get("last_updated") is None:
        raise Unreadable("last_updated", "W2", "is missing")
    appended = _APPENDED.get(type_)
    required = {member.name for member in kind_of(type_).members if member.required}
    merged = dict(stored)
    for name, value in patch.items():
        if name in type_.IDENTITY and value is not None:
            if not same(str(value), str(stored[name])):
                raise Unreadable(name, "W7", "is not that of the stored object")
        elif name == appended:
            merged[name] = [*listed(stored.get(name)), *listed(value)]
        elif value is not None:
            merged[name] = value
        elif name in required:
            raise Unreadable(name, "W3", "is null although required")
        else:
            merged.pop(name, None)
    return merged, read(type_, merged)


def agrees_with_path(thing: OcpiObject, path: Mapping[str, str]) -> None:
    """W7, K1: raise Unreadable (2001) if a member of `thing` differs from what the URL says of it, by member name."""
    for name, value in path.items():
        if not same(str(getattr(thing, name)), value):
            raise Unreadable(name, "W7", "differs from the URL")


def is_outdated(stored: datetime, given: datetime) -> bool:
    """W8: whether a PUT or PATCH with `given` as last_updated comes too late and is answered 1000 without effect."""
    return given < stored


def with_evse(location: Document, evse: Document) -> Document:
    """`location` with `evse` in place of the one with its uid, or added; its last_updated is raised to the EVSE's (L4)."""
    return _with_child(location, "evses", "uid", evse)


def with_connector(location: Document, evse_uid: str, connector: Document) -> Document | None:
    """`location` with `connector` in the EVSE `evse_uid`, last_updated raised in both (L4); None if it has no such EVSE (L3)."""
    for evse in listed(location.get("evses")):
        if same(str(evse["uid"]), evse_uid):
            return with_evse(location, _with_child(evse, "connectors", "id", connector))
    return None


def _with_child(parent: Document, list_name: str, key: str, child: Document) -> Document:
    children = listed(parent.get(list_name))
    places = [index for index, other in enumerate(children) if same(str(other[key]), str(child[key]))]
    if places:
        children[places[0]] = child
    else:
        children.append(child)
    newer = read_instant(child["last_updated"])[0] > read_instant(parent["last_updated"])[0]
    return {**parent, list_name: children, "last_updated": child["last_updated"] if newer else parent["last_updated"]}


def listed(value: Any) -> list[Any]:
    """A new list of what `value` holds: absent and null are an empty list (B1), a single value is one of itself, an object in a
    list of its own is that object (Z12), null in a list is nothing (Z3). So are lists read, too."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items if item is not None]
