"""OCPI 2.3.0 towards a partner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schemas.ocpi221.base import OcpiObject, Remark, identity
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.commands import ReserveNow, StartSession
from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.hubclientinfo import ClientInfo
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.notes import Notes, Unreadable
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, Token
from schemas.ocpi221.types import Price
from schemas.ocpi221.versions import Endpoint, InterfaceRole, VersionDetails, VersionNumber
from schemas.ocpi221.writing import document as as_document
from schemas.ocpi230 import cdrs, locations, tariffs
from schemas.ocpi230 import credentials as credentials230
from schemas.ocpi230.invoicereconciliation import MODULE as INVOICES
from schemas.ocpi230.invoicereconciliation import OPERATIONS as INVOICE_OPERATIONS
from schemas.ocpi230.prices import V, limit_up, price_down, price_up, tariff_down, tariff_up
from schemas.ocpi230.types import Price as Price230
from schemas.ocpi230.types import PriceLimit
from schemas.ocpi_versions.adapter import ALL_MODULES, ObjectAdapter
from schemas.ocpi_versions.documents import Rules, canonical, transformed
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import CannotSend, Context, Converted, ConvertedRequest, Peer, VersionRequest

TYPES: Final[dict[type[OcpiObject], type[OcpiObject]]] = {
    Location: locations.Location,
    EVSE: locations.EVSE,
    Connector: locations.Connector,
    Session: cdrs.Session,
    CDR: cdrs.CDR,
    Tariff: tariffs.Tariff,
    Token: cdrs.Token,
    AuthorizationInfo: cdrs.AuthorizationInfo,
    ReserveNow: cdrs.ReserveNow,
    StartSession: cdrs.StartSession,
    ClientInfo: credentials230.ClientInfo,
}
"""What each type of 2.2.1 is in 2.3.0, where that is another one."""

_UP: Final = Rules(
    objects={Price230: price_up, PriceLimit: limit_up, tariffs.Tariff: tariff_up},
    targets={Price230: Price, PriceLimit: Price},
)
_DOWN: Final = Rules(objects={Price: price_down, Tariff: tariff_down})
_PRICED: Final = frozenset({Session, CDR, Tariff})
_HUB: Final = "HUB"
_OTHER: Final = "OTHER"


class Adapter230(ObjectAdapter):
    """Members and values that only 2.3.0 has are kept in 2.2.1 documents, for partners who know them."""

    version: VersionNumber = V
    routed: Final = True
    modules: frozenset[tuple[str, InterfaceRole]] = ALL_MODULES | {(INVOICES, "SENDER"), (INVOICES, "RECEIVER")}

    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        source = TYPES.get(type_)
        if source is None:
            return Converted(document)
        losses = Losses()
        known = canonical(source, document, losses, partial=partial)
        return Converted(transformed(source, known, _UP, losses), losses.told())

    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        if type_ is ClientInfo and isinstance(document, dict) and document.get("role") == _HUB:
            raise CannotSend("role", V, "there is no role HUB")
        if type_ not in _PRICED:
            return Converted(document)
        losses = Losses()
        try:
            known = canonical(type_, document, Notes(), partial=partial)
        except Unreadable as fault:
            raise CannotSend(fault.field, fault.rule, fault.text) from None
        return Converted(transformed(type_, known, _DOWN, losses), losses.told())

    def offers(self, request: VersionRequest) -> bool:
        return _is_about_invoices(request) or super().offers(request)

    def request_up(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        """Invoices are no matter of 2.2.1: what is asked of them stays as it is."""
        return ConvertedRequest(request) if _is_about_invoices(request) else super().request_up(request, context)

    def request_down(self, request: VersionRequest, context: Context) -> ConvertedRequest:
        return ConvertedRequest(request) if _is_about_invoices(request) else super().request_down(request, context)

    def details_up(self, document: Any, role: Peer | None = None) -> Reading[VersionDetails]:
        reading = read(credentials230.VersionDetails, document)
        endpoints = tuple(
            Endpoint(identifier=given.identifier, role=given.role, url=given.url) for given in reading.value.endpoints
        )
        return Reading(VersionDetails(version=reading.value.version, endpoints=endpoints), reading.remarks)

    def details_down(self, details: VersionDetails, role: Peer | None = None) -> Converted:
        return Converted(as_document(VersionDetails(version=V, endpoints=details.endpoints)))

    def credentials_up(self, document: Any, role: Peer | None = None) -> Reading[Credentials]:
        """`hub_party_id` becomes a role HUB, next to those of the parties that are reached through it."""
        reading = read(credentials230.Credentials, document)
        given = reading.value
        roles = [
            CredentialsRole(
                role=party.role,
                business_details=party.business_details,
                party_id=party.party_id,
                country_code=party.country_code,
            )
            for party in given.roles
        ]
        if given.hub_party_id is not None and all(party.role != _HUB for party in roles):
            country_code, party_id = given.hub_party_id[:2], given.hub_party_id[2:]
            same_party = [party for party in given.roles if (party.country_code, party.party_id) == (country_code, party_id)]
            details = (same_party or list(given.roles))[0].business_details
            roles.insert(0, CredentialsRole(role=_HUB, business_details=details, party_id=party_id, country_code=country_code))
        return Reading(Credentials(token=given.token, url=given.url, roles=tuple(roles)), reading.remarks)

    def credentials_down(
        self, credentials: Credentials, role: Peer | None = None, reachable: Sequence[CredentialsRole] = ()
    ) -> Converted:
        """A hub names itself by `hub_party_id` and all whom it stands for; without any of them it is an OTHER."""
        hubs = [party for party in credentials.roles if party.role == _HUB]
        named = {identity(party): party for party in (*credentials.roles, *reachable) if party.role != _HUB}
        losses: tuple[Remark, ...] = ()
        if not named:
            losses = (Remark("roles", V, f"there is no role {_HUB}: it is sent as {_OTHER}, as nobody is reached through it"),)
        parties = [
            credentials230.CredentialsRole(
                role=party.role if party.role != _HUB else _OTHER,
                business_details=party.business_details,
                party_id=party.party_id,
                country_code=party.country_code,
            )
            for party in (named.values() or hubs)
        ]
        sent = credentials230.Credentials(
            token=credentials.token,
            url=credentials.url,
            hub_party_id=hubs[0].country_code + hubs[0].party_id if hubs else None,
            roles=tuple(parties),
        )
        return Converted(as_document(sent), losses)


def _is_about_invoices(request: VersionRequest) -> bool:
    if request.module != INVOICES:
        return False
    return any(
        (operation.role, operation.method, operation.paths[0].count("/")) == (request.role, request.method, len(request.segments))
        for operation in INVOICE_OPERATIONS
    )
