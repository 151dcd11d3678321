"""What a message at our hub is: for one party, for all, for the hub itself, or misused (digest 7.1 and 7.3, 17.5). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from csms.roaming.parties import OPPOSITE, SERVING, Folded
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, Method
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole
from schemas.ocpi221.writing import encode

Scenario = Literal["direct", "broadcast", "open", "all", "single"]
"""direct: to the party that OCPI-to names; broadcast: to everybody; open: the receiver is found from the content; all: the hub
answers with what all have told it; single: with one object of that."""
Status = Literal["CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED"]

BROADCAST_MODULES: Final = frozenset({"locations", "tariffs", "tokens"})
"""R8: what is for everybody."""
OBJECT_MODULES: Final = frozenset({"cdrs", "invoicereconciliation", "locations", "sessions", "tariffs", "tokens"})
"""Modules of objects, which their owner's platform offers as lists; the others are orders to the owner."""
PRESENT: Final[frozenset[Status]] = frozenset({"CONNECTED", "OFFLINE"})
"""I4: parties that are behind the hub, whether or not they can be reached at this moment."""
RESPONSE_URL: Final = "response_url"

_WRITES: Final[frozenset[Method]] = frozenset({"POST", "PUT", "PATCH"})
_NOBODY: Final[frozenset[Role]] = frozenset()


class Misuse(ValueError):
    """2001: the hub can do nothing with such a message. The text says why."""


class RoutedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What the way of a message depends on. `segments` come after the endpoint, decoded; `parameters` are those of the query."""

    method: Method
    module: str
    role: InterfaceRole | None
    segments: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}
    body: Any = None

    @property
    def is_list(self) -> bool:
        """GET of all objects of a Sender interface, in pages."""
        return self.method == "GET" and self.role == "SENDER" and not self.segments and self.module in OBJECT_MODULES

    @property
    def is_authorize(self) -> bool:
        """The question of a CPO whether a token may charge."""
        return (self.method, self.module, self.role) == ("POST", "tokens", "SENDER") and self.segments[1:] == ("authorize",)

    @property
    def may_be_broadcast(self) -> bool:
        """R6: a write on a Receiver interface of what is for everybody; of DELETEs that of tariffs."""
        return (
            self.role == "RECEIVER"
            and self.module in BROADCAST_MODULES
            and (self.method in _WRITES or (self.method == "DELETE" and self.module == "tariffs"))
        )

    @property
    def owner(self) -> Party | None:
        """Whose object it is about, as the path of a Receiver interface has it, or the body of a new CDR (W5)."""
        if self.role != "RECEIVER" or self.module not in OBJECT_MODULES:
            return None
        if self.module == "cdrs":
            return named_party(self.body) if self.method == "POST" else None
        return Party(*self.segments[:2]) if len(self.segments) >= 2 else None


def named_party(value: Any) -> Party | None:
    """The country code and party id that are members of `value`."""
    if not isinstance(value, Mapping):
        return None
    country, party = value.get("country_code"), value.get("party_id")
    return Party(country, party) if isinstance(country, str) and isinstance(party, str) and country and party else None


def classify(message: RoutedMessage, to: Folded | None, hub: Folded) -> Scenario:
    """Which of the scenarios `message` with this OCPI-to is. Raises Misuse."""
    functional = message.module in FUNCTIONAL_MODULES
    if to is not None and to != hub:
        return "direct"
    if not functional:
        raise Misuse(f"{message.module} is passed on to a party only: OCPI-to must name one (V5)")
    if message.is_list:
        return "all"
    if to is None:
        return "open"
    if message.may_be_broadcast:
        return "broadcast"
    if message.method == "GET" and message.role == "SENDER" and message.module == "locations":
        return "single"
    if message.role == "RECEIVER" and message.method != "GET" and message.module not in BROADCAST_MODULES:
        raise Misuse(f"{message.module} concern one party and are not broadcast: OCPI-to must name it (R8)")
    raise Misuse(
        f"a {message.method} to {message.module} as {message.role} is nothing for the hub itself: OCPI-to must name a party (R15)"
    )


def owner_and_party(module: str, role: InterfaceRole | None, sender: Folded, receiver: Folded) -> tuple[Folded, Folded]:
    """Of two who speak with one another: whose data or stations it is about, and who wants something of them (R14).

    The Sender interface of objects and the Receiver interface of orders are the owner's.
    """
    asked = (role == "SENDER") == (module in OBJECT_MODULES)
    return (receiver, sender) if asked else (sender, receiver)


def location_of(message: RoutedMessage) -> str | None:
    """The id of the location that a message is about, as it is spelled there; None: it is about none. Whoever looks at what it has
    told itself learns nothing by that."""
    found: Any = None
    match message.module, message.role, message.method:
        case "locations", "RECEIVER", "PUT" | "PATCH":
            found = message.segments[2] if len(message.segments) > 2 else None
        case "locations", "SENDER", "GET":
            found = message.segments[0] if message.segments else None
        case "commands", "RECEIVER", "POST":
            found = message.body.get("location_id") if isinstance(message.body, Mapping) else None
    return found if isinstance(found, str) else None


class Member(msgspec.Struct, frozen=True):
    """A party of the hub in one of its roles. `implements`: its platform has the Receiver interface of the module in question."""

    party: Folded
    role: Role
    status: Status
    implements: bool


def broadcast_targets(module: str, sender: Folded, roles: Collection[Role], members: Iterable[Member]) -> list[Folded]:
    """R7: whom the hub tells what `sender`, a party in these roles, broadcasts. Raises Misuse if none of them owns such objects."""
    owning = [role for role in roles if role in SERVING[module, "SENDER"]]
    if not owning:
        raise Misuse(f"OCPI-from is a party that has no {module} of its own (R7)")
    opposite = frozenset().union(*(OPPOSITE[role] for role in owning))
    told = {
        member.party: None
        for member in members
        if member.role in opposite and member.implements and member.status in PRESENT and member.party != sender
    }
    return list(told)


def listed_owners(module: str, party: Folded, roles: Collection[Role], members: Iterable[Member]) -> list[Folded]:
    """R13, 17.2: of whom `party`, having these roles, gets objects in a list of the hub: of those whom it is opposite to. What it
    has broadcast itself it may look at too."""
    owners = {party: None}
    for member in members:
        if (
            member.role in SERVING.get((module, "SENDER"), _NOBODY)
            and member.status in PRESENT
            and OPPOSITE[member.role].intersection(roles)
        ):
            owners[member.party] = None
    return list(owners)


def signature(message: RoutedMessage, correlation_id: str | None, sender: Folded, to: Folded | None) -> bytes:
    """R16: what is the same when a message comes back by way of another hub. Response URLs differ then (17.1)."""
    body = (
        {name: value for name, value in message.body.items() if name != RESPONSE_URL}
        if isinstance(message.body, dict)
        else message.body
    )
    parameters = sorted((name, value) for name, value in message.parameters.items() if name != RESPONSE_URL)
    head = [correlation_id, message.method, message.module, message.role, message.segments, parameters, sender, to]
    return hashlib.sha256(encode(head) + b"\0" + encode(body)).digest()
