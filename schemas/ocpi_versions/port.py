"""What the edges of the hub know of an OCPI version: an adapter, and what it has to be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from schemas.ocpi221.base import OcpiObject, Remark, fold
from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import Method
from schemas.ocpi221.reading import Reading
from schemas.ocpi221.scalars import LARGEST_INTEGER
from schemas.ocpi221.versions import InterfaceRole, VersionDetails, VersionNumber

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,15}", re.ASCII)

Document = dict[str, Any]
Peer = Literal["CPO", "EMSP"]
"""What one side of a 2.1.1 connection is: exactly one of them."""


class CannotSend(Exception):
    """What the partner's version has no form for. `field` is its path (empty: all of it), `rule` mostly that version."""

    def __init__(self, field: str, rule: str, text: str) -> None:
        super().__init__(f"{field}: {text} ({rule})" if field else f"{text} ({rule})")
        self.field = field
        self.rule = rule
        self.text = text


class NotOffered(Exception):
    """A request of a partner that its version does not have: HTTP 404 or 405 (S5)."""


class UnknownObject(Exception):
    """A PATCH of something that is not stored: HTTP 404 (W4)."""


class Converted(NamedTuple):
    """A document (or list, string, None) in the other version, and what the conversion has cost or had to forgive."""

    document: Any
    losses: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRequest:
    """The part of a request that depends on the version. `segments` come after the URL of the endpoint, decoded.

    What goes to a response_url is a POST to the SENDER of its module, what goes to the Location of a CDR a GET from the RECEIVER.
    """

    method: Method
    module: str
    role: InterfaceRole | None
    segments: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter; None where it is absent or empty."""
        values = [value for key, value in self.query if key == name and value]
        return values[-1] if values else None


class ConvertedRequest(NamedTuple):
    """A request in the other version, and what the conversion has cost or had to forgive."""

    request: VersionRequest
    losses: tuple[Remark, ...] = ()


Key = tuple[str, str, str]
"""Country code, party id and id of an object, folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What has to be looked up for a conversion, all of it folded (B2); whoever finds less converts with more losses.

    `contract_ids` and `token_uids` ask for tokens, `reservation_ids` for the number that each has towards the partner.
    """

    locations: frozenset[Key] = frozenset()
    sessions: frozenset[Key] = frozenset()
    tariffs: frozenset[Key] = frozenset()
    contract_ids: frozenset[str] = frozenset()
    token_uids: frozenset[str] = frozenset()
    reservation_ids: frozenset[str] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            locations=self.locations | other.locations,
            sessions=self.sessions | other.sessions,
            tariffs=self.tariffs | other.tariffs,
            contract_ids=self.contract_ids | other.contract_ids,
            token_uids=self.token_uids | other.token_uids,
            reservation_ids=self.reservation_ids | other.reservation_ids,
        )

    def __bool__(self) -> bool:
        return self != Needs()


class Reservations(Protocol):
    """2.1.1 numbers reservations where 2.2.1 has a CiString(36). Which number stands for which id is known to the caller."""

    def number(self, reservation_id: str) -> int | None:
        """The number that stands for `reservation_id` (compared without case) towards this partner; None if it has none."""
        ...

    def reservation_id(self, number: int) -> str:
        """The id of a reservation of this partner's, which it has given `number`."""
        ...


class OwnNumbers:
    """Reservations between exactly two parties, of which one numbers them itself: the id is the number as text."""

    def number(self, reservation_id: str) -> int | None:
        if not _NUMBER.fullmatch(reservation_id):
            return None
        number = int(reservation_id)
        return number if abs(number) <= LARGEST_INTEGER else None

    def reservation_id(self, number: int) -> str:
        return str(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an object alone does not say.

    `partner`: the party of the connection on the other side, owner of what it sends where nothing else says so. `own`: ours
    towards it. `time_zone`: the tenant's, for locations that have none (Z23). `now`: which tariff is valid, and when what comes
    without a date was changed. `locations`, `sessions`, `tariffs`, `tokens`: 2.2.1 documents, those that `Needs` asked for and
    that were found. `shown`: what tokens_shown has named to this partner before, the last first. `asked_token`: uid and type that
    an AuthorizationInfo answers. `command_timeout_s`: how long to wait for the result of a command whose answer does not say.
    """

    partner: Party
    own: Party
    time_zone: str
    now: datetime
    locations: Sequence[Document] = ()
    sessions: Sequence[Document] = ()
    tariffs: Sequence[Document] = ()
    tokens: Sequence[Document] = ()
    shown: Sequence[Document] = ()
    reservations: Reservations = field(default_factory=OwnNumbers)
    asked_token: tuple[str, str] | None = None
    command_timeout_s: int = 60

    def location(self, owner: Party, location_id: str) -> Document | None:
        """The stored Location of `owner` with this id."""
        return _owned(self.locations, owner, location_id)

    def session(self, owner: Party, session_id: str) -> Document | None:
        """The stored Session of `owner` with this id."""
        return _owned(self.sessions, owner, session_id)

    def tariff(self, owner: Party, tariff_id: str) -> Document | None:
        """The stored Tariff of `owner` with this id."""
        return _owned(self.tariffs, owner, tariff_id)

    def token_of_contract(self, contract_id: str, *, vouched: bool = False) -> Document | None:
        """The Token, or CdrToken, that a partner means by this contract_id; some say the uid in its place.

        `vouched`: the eMSP was asked, or has sent it, so it is one that was shown. Tokens that their owner has told of say whose
        the contract is, own ones or those of the partner before others: nobody gets others' sessions by showing their contract.
        """
        for name in ("contract_id", "uid"):
            told = [token for token in self.tokens if fold(token[name]) == fold(contract_id)]
            shown = [token for token in self.shown if fold(token[name]) == fold(contract_id)]
            near = (self.own.folded, self.partner.folded)
            first = min(told, key=lambda token: _owner(token) not in near, default=None)
            if first is not None:
                owner = _owner(first)
                same = (token for token in shown if vouched and _owner(token) == owner)
                return next(same, first)
            if shown:
                return min(shown, key=lambda token: not _issues(_owner(token), contract_id))
        return None

    def token_types(self, uid: str) -> frozenset[str]:
        """The types of the stored tokens with this uid."""
        return frozenset(token["type"] for token in self.tokens if fold(token["uid"]) == fold(uid))


def _owner(document: Document) -> tuple[str, str]:
    return fold(document["country_code"]), fold(document["party_id"])


def _issues(owner: tuple[str, str], contract_id: str) -> bool:
    """Whether a contract id begins with the codes of its issuer, as it should."""
    return "".join(filter(str.isalnum, fold(contract_id))).startswith("".join(owner))


def _owned(documents: Sequence[Document], owner: Party, object_id: str) -> Document | None:
    for document in documents:
        if fold(document["id"]) == fold(object_id) and _owner(document) == owner.folded:
            return document
    return None


class VersionAdapter(Protocol):
    """One version of OCPI towards a partner. Types are always those of 2.2.1; nothing here does I/O."""

    @property
    def version(self) -> VersionNumber: ...

    @property
    def modules(self) -> frozenset[tuple[str, InterfaceRole]]:
        """The modules that this version has, with their interfaces; `credentials`, which has none, is not among them."""
        ...

    @property
    def routed(self) -> bool:
        """Whether it has routing headers and message ids."""
        ...

    def offers(self, request: VersionRequest) -> bool:
        """Whether this version has such a request; `request` is in its terms."""
        ...

    def details_up(self, document: Any, role: Peer | None = None) -> Reading[VersionDetails]:
        """A partner's version details; `role` is what the partner is, where its version has one only. Raises Unreadable."""
        ...

    def details_down(self, details: VersionDetails, role: Peer | None = None) -> Converted:
        """Our version details; `role` is what we are to the partner, where its version has one only. Raises CannotSend."""
        ...

    def credentials_up(self, document: Any, role: Peer | None = None) -> Reading[Credentials]:
        """A partner's Credentials; `role` as in details_up. A hub has the role HUB, whatever its version. Raises Unreadable."""
        ...

    def credentials_down(
        self, credentials: Credentials, role: Peer | None = None, reachable: Sequence[CredentialsRole] = ()
    ) -> Converted:
        """Our Credentials; `role` as in details_down; `reachable`: the parties behind us if we are a hub. Raises CannotSend."""
        ...

    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        """A partner's object as a 2.2.1 document; `partial`: the body of a PATCH. Raises Unreadable, with the partner's names."""
        ...

    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        """A 2.2.1 document as the partner's version has it. Raises CannotSend."""
        ...

    def needs_up(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        """What to look up before `up`; the document may be anything."""
        ...

    def needs_down(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        """What to look up before `down`."""
        ...

    def request_needs_up(self, request: VersionRequest, context: Context) -> Needs:
        """What to look up before `request_up`."""
        ...

    def request_up(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        """A partner's request as 2.2.1 has it. Raises Unreadable, NotOffered, UnknownObject."""
        ...

    def request_needs_down(self, request: VersionRequest, context: Context) -> Needs:
        """What to look up before `request_down`."""
        ...

    def request_down(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        """A 2.2.1 request as it goes to the partner. Raises CannotSend, UnknownObject."""
        ...

    def response_needs_up(self, request: VersionRequest, data: Any, context: Context) -> Needs:
        """What to look up before `response_up`."""
        ...

    def response_up(self, request: VersionRequest, data: Any, context: Context) -> Converted:
        """The data of a partner's answer as 2.2.1 has it; `request` is ours in the terms of 2.2.1.

        Objects of a list that cannot be read are left out and reported (G8). Raises Unreadable for all else.
        """
        ...

    def response_needs_down(self, request: VersionRequest, data: Any, context: Context) -> Needs:
        """What to look up before `response_down`."""
        ...

    def response_down(self, request: VersionRequest, data: Any, context: Context) -> Converted:
        """The data of our answer as it goes to the partner; `request` is its request in the terms of 2.2.1.

        Objects of a list that cannot be sent are left out and reported. Raises CannotSend for all else.
        """
        ...

    def tokens_shown(self, request: VersionRequest, data: Any = None) -> tuple[Document, ...]:
        """Tokens that the partner sees with a request to it, or with `data`, the answer to one of its own, and whose owner it will
        not name: CdrTokens of 2.2.1, for the caller to remember."""
        ...

    def status_code_down(self, status_code: int) -> int:
        """A status code of 2.2.1 as the partner's version has it."""
        ...


def owner_in(document: Document, otherwise: Party) -> Party:
    """The owner that a 2.2.1 document names."""
    country_code, party_id = document.get("country_code"), document.get("party_id")
    if isinstance(country_code, str) and isinstance(party_id, str):
        return Party(country_code, party_id)
    return otherwise
