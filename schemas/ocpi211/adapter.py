"""OCPI 2.1.1 towards a partner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from schemas.ocpi211 import credentials as credentials211
from schemas.ocpi211 import down as down211
from schemas.ocpi211 import up as up211
from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.commands import ReserveNow
from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.instants import write_instant
from schemas.ocpi221.interfaces import TYPICAL_INTERFACES
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo
from schemas.ocpi221.versions import Endpoint, InterfaceRole, VersionDetails, VersionNumber
from schemas.ocpi221.writing import check
from schemas.ocpi221.writing import document as as_document
from schemas.ocpi_versions.adapter import ObjectAdapter, is_id, key_of, member, members, texts
from schemas.ocpi_versions.port import (
    CannotSend,
    Context,
    Converted,
    ConvertedRequest,
    Document,
    Key,
    Needs,
    NotOffered,
    Peer,
    UnknownObject,
    VersionRequest,
    owner_in,
)
from schemas.ocpi_versions.shapes import shape_of

_V: Final = down211.V
_MODULES: Final = frozenset({"cdrs", "commands", "locations", "sessions", "tariffs", "tokens"})
_CDR_TOKEN: Final = ("country_code", "party_id", "uid", "type", "contract_id")
_HUB_CODES: Final = range(StatusCode.HUB_ERROR, StatusCode.HUB_ERROR + 1000)


class Adapter211(ObjectAdapter):
    """One party here, one there, and what each of them is: a CPO or an eMSP."""

    version: VersionNumber = _V
    routed: Final = False
    modules: frozenset[tuple[str, InterfaceRole]] = frozenset(
        (module, role) for module in _MODULES for roles in TYPICAL_INTERFACES[module].values() for role in roles
    )

    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        return up211.up(type_, document, context, partial=partial)

    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        return down211.down(type_, document, context, partial=partial)

    def offers(self, request: VersionRequest) -> bool:
        """Digest, 21: no charging preferences, no cancellation of reservations, but a PATCH of tariffs."""
        if request.module not in _MODULES:
            return False
        if _is_tariff_patch(request):
            return True
        shape = shape_of(request)
        return shape is not None and all(type_ is None or type_ in down211.TYPES for type_ in (shape.body, shape.data))

    # --- looking up ---

    def needs_up(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        if type_ in (Session, CDR):
            named = texts(member(document, "auth_id"))
            return Needs(contract_ids=named, token_uids=named)
        if type_ is AuthorizationInfo and context.asked_token is not None:
            return Needs(token_uids=texts(context.asked_token[0]))
        return Needs()

    def needs_down(self, type_: type[OcpiObject], document: Any, context: Context) -> Needs:
        owner = owner_in(document, context.own) if isinstance(document, dict) else context.own
        if type_ is Session:
            return Needs(locations=key_of(owner, member(document, "location_id")))
        if type_ is CDR:
            return Needs(locations=key_of(owner, member(member(document, "cdr_location"), "id")))
        if type_ is ReserveNow:
            return Needs(reservation_ids=texts(member(document, "reservation_id")))
        tariffs: set[Key] = set()
        for connector in _connectors(type_, document):
            ids = connector.get("tariff_ids")
            if isinstance(ids, list) and len(ids) > 1:
                tariffs.update(*(key_of(owner, id_) for id_ in ids))
        return Needs(tariffs=frozenset(tariffs))

    def request_needs_up(self, request: VersionRequest, context: Context) -> Needs:
        needs = super().request_needs_up(request, context)
        if _is_tariff_patch(request):
            return needs | Needs(tariffs=key_of(Party(*request.segments[:2]), request.segments[2]))
        if _replaces_periods(request):
            return needs | Needs(sessions=key_of(Party(*request.segments[:2]), request.segments[2]))
        return needs

    def request_needs_down(self, request: VersionRequest, context: Context) -> Needs:
        needs = super().request_needs_down(request, context)
        if _replaces_periods(request):
            return needs | Needs(sessions=key_of(Party(*request.segments[:2]), request.segments[2]))
        return needs

    def tokens_shown(self, request: VersionRequest, data: Any = None) -> tuple[Document, ...]:
        """Digest, 22: of commands and authorizations. What was pushed to it is known anyway."""
        if request.module == "commands" and data is None:
            token = member(request.body, "token")
        elif request.module == "tokens" and request.method == "POST":
            token = member(data, "token")
        else:
            return ()
        shown = {name: member(token, name) for name in _CDR_TOKEN}
        return (shown,) if all(is_id(value) for value in shown.values()) else ()

    # --- requests ---

    def request_up(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        """As everywhere; a PATCH may lack last_updated, and one that 2.2.1 does not have becomes a PUT."""
        if not self.offers(request):
            raise NotOffered(f"OCPI {_V} has no {request.method} of this")
        request, dated = _dated(request, context)
        if _is_tariff_patch(request):
            converted = self._merged(Tariff, request, context)
        elif _replaces_periods(request):
            converted = self._merged(Session, request, context)
        else:
            converted = super().request_up(request, context)
        return ConvertedRequest(converted.request, dated + converted.losses)

    def _merged(self, type_: type[Tariff] | type[Session], request: VersionRequest, context: Context) -> ConvertedRequest:
        """F1: 2.2.1 has no PATCH of tariffs. E2: a PATCH of it adds charging periods, where one of 2.1.1 replaces them."""
        owner = Party(*request.segments[:2])
        patch = self.up(type_, request.body, replace(context, partner=owner), partial=True)
        look_up = context.tariff if type_ is Tariff else context.session
        stored = look_up(owner, request.segments[2])
        if stored is None:
            raise UnknownObject("there is no such object to change")
        merged = {name: value for name, value in {**stored, **patch.document}.items() if value is not None}
        return ConvertedRequest(replace(request, method="PUT", body=merged), patch.losses)

    def request_down(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        if _replaces_periods(request):
            stored = context.session(Party(*request.segments[:2]), request.segments[2])
            if stored is None:
                raise UnknownObject("the charging_periods that were sent before are not known, and would be replaced: PUT it")
            added = request.body["charging_periods"]
            periods = [*(stored.get("charging_periods") or []), *(added if isinstance(added, list) else [added])]
            request = replace(request, body={**request.body, "charging_periods": periods})
        return super().request_down(request, context)

    def query_down(self, request: VersionRequest) -> tuple[tuple[tuple[str, str], ...], tuple[Remark, ...]]:
        """K1: the type of a token is one of its own."""
        if request.module != "tokens":
            return request.query, ()
        query, losses = [], []
        for name, value in request.query:
            sent = down211.token_type_down(value) if name == "type" else value
            if sent != value:
                losses.append(Remark("type", _V, f"{value[:40]} is sent as {sent}"))
            query.append((name, sent))
        return tuple(query), tuple(losses)

    def status_code_down(self, status_code: int) -> int:
        """Digest, 21: there are no 2004 and no 4xxx."""
        if status_code == StatusCode.UNKNOWN_TOKEN:
            return StatusCode.CLIENT_ERROR
        return StatusCode.SERVER_ERROR if status_code in _HUB_CODES else status_code

    # --- registration ---

    def details_up(self, document: Any, role: Peer | None = None) -> Reading[VersionDetails]:
        """The partner's one document; its role says which interface each module is."""
        peer = _needed(role)
        reading = read(credentials211.VersionDetails, document)
        endpoints = []
        for endpoint in reading.value.endpoints:
            interfaces = TYPICAL_INTERFACES.get(endpoint.identifier, {}).get(peer, ("SENDER",))
            endpoints.append(Endpoint(identifier=endpoint.identifier, role=interfaces[0], url=endpoint.url))
        return Reading(VersionDetails(version=reading.value.version, endpoints=tuple(endpoints)), reading.remarks)

    def details_down(self, details: VersionDetails, role: Peer | None = None) -> Converted:
        """Our document as a CPO, or as an eMSP: without roles, and with the modules of that role only."""
        peer = _needed(role)
        kept = [
            credentials211.Endpoint(identifier=endpoint.identifier, url=endpoint.url)
            for endpoint in details.endpoints
            if endpoint.identifier == "credentials"
            or (endpoint.identifier in _MODULES and endpoint.role in TYPICAL_INTERFACES[endpoint.identifier].get(peer, ()))
        ]
        return Converted(_checked(credentials211.VersionDetails(version=_V, endpoints=tuple(kept))))

    def credentials_up(self, document: Any, role: Peer | None = None) -> Reading[Credentials]:
        reading = read(credentials211.Credentials, document)
        given = reading.value
        party = CredentialsRole(
            role=_needed(role),
            business_details=given.business_details,
            party_id=given.party_id,
            country_code=given.country_code,
        )
        return Reading(Credentials(token=given.token, url=given.url, roles=(party,)), reading.remarks)

    def credentials_down(
        self, credentials: Credentials, role: Peer | None = None, reachable: Sequence[CredentialsRole] = ()
    ) -> Converted:
        """The first of our parties in this role; a hub has none of its own and shows the first one that it stands for."""
        peer = _needed(role)
        parties = [party for party in (*credentials.roles, *reachable) if party.role == peer]
        if not parties:
            raise CannotSend("roles", _V, f"there is no {peer} among our parties")
        shown = credentials211.Credentials(
            token=credentials.token,
            url=credentials.url,
            business_details=parties[0].business_details,
            party_id=parties[0].party_id,
            country_code=parties[0].country_code,
        )
        others = tuple(
            Remark(f"roles[{index}]", _V, "is not told: there is one party to a connection")
            for index, party in enumerate(credentials.roles)
            if party is not parties[0]
        )
        return Converted(_checked(shown), others)


def _needed(role: Peer | None) -> Peer:
    if role is None:
        raise ValueError("2.1.1: whether it is a CPO or an eMSP has to be said")
    return role


def _checked(thing: OcpiObject) -> Document:
    for remark in check(thing):
        raise CannotSend(remark.field, remark.rule, remark.text)
    return as_document(thing)


def _is_tariff_patch(request: VersionRequest) -> bool:
    found = (request.module, request.role, request.method, len(request.segments))
    return found == ("tariffs", "RECEIVER", "PATCH", 3)


def _replaces_periods(request: VersionRequest) -> bool:
    found = (request.module, request.role, request.method, len(request.segments))
    return found == ("sessions", "RECEIVER", "PATCH", 3) and bool(member(request.body, "charging_periods"))


def _dated(request: VersionRequest, context: Context) -> tuple[VersionRequest, tuple[Remark, ...]]:
    """W2: the published examples of PATCH have no last_updated."""
    if request.method != "PATCH" or not isinstance(request.body, dict) or request.body.get("last_updated") is not None:
        return request, ()
    body = {**request.body, "last_updated": write_instant(context.now)}
    return replace(request, body=body), (Remark("last_updated", "W2", "is missing, read as now"),)


def _connectors(type_: type[OcpiObject], document: Any) -> list[Document]:
    if type_ is Connector:
        return [document] if isinstance(document, dict) else []
    evses = members(document, "evses") if type_ is Location else [document] if type_ is EVSE else []
    return [connector for evse in evses for connector in members(evse, "connectors")]
