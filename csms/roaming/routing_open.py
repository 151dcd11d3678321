"""Who a message is for that names no receiver: what its content says of that, and what follows (R11, digest 17.4). Pure.

Clues are read from the message, what they lead to is looked up elsewhere, and `resolve` decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import msgspec

from csms.roaming.parties import Folded
from csms.roaming.routing import RoutedMessage, Status, named_party
from schemas.ocpi221.base import fold

Known = Literal["location", "session", "reservation", "token"]
Side = Literal["owner", "other"]

LONGEST_ID: Final = 255

_SEPARATED: Final = re.compile(r"(?P<country>[A-Z]{2})(?P<mark>[*-])(?P<party>[A-Z0-9]{3})(?P=mark)", re.ASCII | re.IGNORECASE)
_EVSE: Final = re.compile(r"(?P<country>[A-Z]{2})\*?(?P<party>[A-Z0-9]{3})\*?E", re.ASCII | re.IGNORECASE)


class LookUp(msgspec.Struct, frozen=True):
    """Something that the hub may know. `id` folded; `kind`: the type of a token. `side`: of a session or reservation the CPO
    (owner) or the other one; of all else the owner."""

    what: Known
    id: str
    kind: str = ""
    side: Side = "owner"


class Clues(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says of its receiver. `named`: the very party; `look_ups`: things that lead to it, the best first; `prefixes`:
    parties that ids begin with."""

    named: Folded | None = None
    look_ups: tuple[LookUp, ...] = ()
    prefixes: tuple[Folded, ...] = ()


class To(msgspec.Struct, frozen=True):
    """That party."""

    party: Folded


Decision = To | Literal["broadcast", "ask", "unknown"]
"""broadcast: everybody; ask: each who may know the token, at once."""


def clues_of(message: RoutedMessage, own: Collection[Folded]) -> Clues:
    """What `message` says of its receiver. `own`: the parties of whoever sends it, who are never meant."""
    named = _named(message, own)
    return Clues(named=named, look_ups=tuple(_look_ups(message)), prefixes=tuple(_prefixes(message)))


def resolve(
    message: RoutedMessage, clues: Clues, found: Mapping[LookUp, Collection[Folded]], serving: Mapping[Folded, Status]
) -> Decision:
    """`found` is what look-ups have led to. `serving`: the parties that the interface can be asked at and that the sender may speak
    with, but for the sender itself."""
    if clues.named is not None:
        return To(clues.named) if clues.named in serving else "unknown"
    for look_up in clues.look_ups:
        fitting = [party for party in found.get(look_up, ()) if party in serving]
        if len(fitting) == 1:
            return To(fitting[0])
    for party in clues.prefixes:
        if party in serving:
            return To(party)
    present = [party for party, status in serving.items() if status in ("CONNECTED", "OFFLINE")]
    if len(present) == 1:
        return To(present[0])
    if message.may_be_broadcast:
        return "broadcast"
    return "ask" if message.is_authorize and present else "unknown"


def _named(message: RoutedMessage, own: Collection[Folded]) -> Folded | None:
    """Step 1 of 17.4, and of step 6 what is as clear: the party of a token that was charged with."""
    body = message.body if isinstance(message.body, Mapping) else {}
    candidates = [message.owner]
    if message.role == "RECEIVER" and message.module in ("sessions", "cdrs"):
        candidates += [named_party(body.get("cdr_token"))]
    elif message.role == "RECEIVER":
        candidates += [named_party(body)]
    for party in candidates:
        if party is not None and party.folded not in own:
            return party.folded
    return None


def _look_ups(message: RoutedMessage) -> list[LookUp]:
    body = message.body if isinstance(message.body, Mapping) else {}
    first = message.segments[0] if message.segments else None
    found: list[LookUp | None] = []
    match message.module, message.role:
        case "commands", "RECEIVER":
            found += [_look_up("session", body.get("session_id")), _look_up("reservation", body.get("reservation_id"))]
            found += [_look_up("location", body.get("location_id"))]
        case "chargingprofiles", "RECEIVER":
            found.append(_look_up("session", first))
        case "chargingprofiles", "SENDER":
            found.append(_look_up("session", first, side="other"))
        case "sessions", "SENDER":
            found.append(_look_up("session", first))
        case "sessions", "RECEIVER":
            found.append(_look_up("session", message.segments[2] if len(message.segments) > 2 else None, side="other"))
        case "cdrs", "RECEIVER":
            found.append(_look_up("session", body.get("session_id"), side="other"))
        case "locations", "SENDER":
            found.append(_look_up("location", first))
        case "tokens", "SENDER":
            found.append(_look_up("token", first, kind=message.parameters.get("type") or "RFID"))
    return [one for one in found if one is not None]


def _prefixes(message: RoutedMessage) -> list[Folded]:
    body = message.body if isinstance(message.body, Mapping) else {}
    found: list[Folded | None] = []
    match message.module, message.role:
        case "commands", "RECEIVER":
            found.append(_prefix(_EVSE, body.get("evse_uid")))
        case "locations", "SENDER":
            found += [_prefix(_EVSE, segment) for segment in message.segments[1:2]]
        case "tokens", "SENDER":
            # only with separators: the number of a card may begin like a contract
            found += [_prefix(_SEPARATED, segment) for segment in message.segments[:1]]
        case (("sessions" | "cdrs"), "RECEIVER"):
            token = body.get("cdr_token")
            found.append(_prefix(_SEPARATED, token.get("contract_id") if isinstance(token, Mapping) else None))
    return [party for party in found if party is not None]


def _look_up(what: Known, value: Any, *, kind: str = "", side: Side = "owner") -> LookUp | None:
    return (
        LookUp(what, fold(value), kind, side)
        if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()
        else None
    )


def _prefix(pattern: re.Pattern[str], value: Any) -> Folded | None:
    match = pattern.match(value) if isinstance(value, str) else None
    return None if match is None else (fold(match["country"]), fold(match["party"]))
