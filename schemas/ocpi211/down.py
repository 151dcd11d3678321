"""OCPI 2.2.1 documents as 2.1.1 has them, and what of them it has no form for (digest, 21 and 22)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from schemas.ocpi211 import cdrs, commands, locations, tariffs, tokens
from schemas.ocpi221.base import NOT_AVAILABLE, OcpiObject, same
from schemas.ocpi221.cdrs import CDR, ChargingPeriod
from schemas.ocpi221.commands import CommandResponse, CommandResult, ReserveNow, StartSession, StopSession, UnlockConnector
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.locations import EVSE, Connector, EnvironmentalImpact, Hours, Location
from schemas.ocpi221.notes import Notes, Unreadable
from schemas.ocpi221.scalars import CoordinateKind, InstantKind
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import PriceComponent, Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, LocationReferences, Token
from schemas.ocpi_versions.documents import Fit, Rules, canonical, fitted, lose, rename, transformed, without_fraction
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import CannotSend, Context, Converted, Document, owner_in

V: Final = "2.1.1"

TYPES: Final[dict[type[OcpiObject], type[OcpiObject]]] = {
    Location: locations.Location,
    EVSE: locations.EVSE,
    Connector: locations.Connector,
    Session: cdrs.Session,
    CDR: cdrs.CDR,
    Tariff: tariffs.Tariff,
    Token: tokens.Token,
    LocationReferences: tokens.LocationReferences,
    AuthorizationInfo: tokens.AuthorizationInfo,
    ReserveNow: commands.ReserveNow,
    StartSession: commands.StartSession,
    StopSession: commands.StopSession,
    UnlockConnector: commands.UnlockConnector,
    CommandResponse: commands.CommandResponse,
    CommandResult: commands.CommandResponse,
}
"""What each type of 2.2.1 is in 2.1.1; what is not here it does not have."""

LONGEST_ADDRESS: Final = 45
LOCATION_TYPES: Final = frozenset({"ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT"})
"""The parking types that are location types too."""
TOKEN_TYPES: Final = frozenset({"OTHER", "RFID"})
_RESULTS: Final = frozenset({"ACCEPTED", "NOT_SUPPORTED", "REJECTED", "TIMEOUT"})
_FIT: Final = Fit(rule=V, strict=True, indivisible=frozenset({tariffs.TariffRestrictions}))
"""Without one of its restrictions a tariff element would hold where it is not meant to: then it is dropped."""


def down(type_: type[OcpiObject], document: Any, context: Context, *, partial: bool) -> Converted:
    """`document` of 2.2.1 type `type_` in 2.1.1. Raises CannotSend."""
    target = TYPES.get(type_)
    if target is None:
        raise CannotSend("", V, f"there is no {type_.__name__}")
    losses = Losses()
    known = _read(type_, document, partial)
    changed = transformed(type_, known, _Down(context, partial).rules(), losses)
    return Converted(fitted(target, changed, _FIT, losses, partial=partial), losses.told())


def token_type_down(type_: str) -> str:
    """A token type as 2.1.1 has it."""
    return type_ if type_ in TOKEN_TYPES else "OTHER"


def _read(type_: type[OcpiObject], document: Any, partial: bool = False) -> Document:
    try:
        return canonical(type_, document, Notes(), partial=partial)
    except Unreadable as fault:
        raise CannotSend(fault.field, fault.rule, fault.text) from None


class _Down:
    """The rules for one document. `embedded`: a location is part of a session or CDR, which may be at an unpublished one (D12)."""

    def __init__(self, context: Context, partial: bool, *, embedded: bool = False) -> None:
        self._context = context
        self._partial = partial
        self._embedded = embedded

    def rules(self) -> Rules:
        return Rules(
            objects={
                Location: self._location,
                Connector: self._connector,
                Hours: _hours,
                EnvironmentalImpact: _impact,
                Session: self._session,
                CDR: self._cdr,
                ChargingPeriod: _period,
                Tariff: self._tariff,
                PriceComponent: _component,
                Token: self._token,
                AuthorizationInfo: _authorization,
                ReserveNow: self._reserve,
                StartSession: _start,
                CommandResponse: _response,
                CommandResult: _result,
            },
            leaves={InstantKind: without_fraction, CoordinateKind: _coordinate},
        )

    def _is_patch(self, losses: Losses) -> bool:
        return self._partial and not losses.trail

    def _owned(self, document: Document, losses: Losses) -> None:
        """An owner is named by the URL or by the connection only."""
        owner = owner_in(document, self._context.own)
        if owner.folded != self._context.own.folded:
            losses.remark(V, "the owner is not that of the connection and is not told", "party_id")
        document.pop("country_code", None)
        document.pop("party_id", None)

    def _location(self, document: Document, losses: Losses) -> Document:
        if document.pop("publish", None) is False and not self._embedded:
            raise CannotSend(losses.path("publish"), V, "is false: what is not published is not sent")
        if not self._embedded:
            self._owned(document, losses)
        lose(document, losses, V, "publish_allowed_to", "state")
        whole = not self._is_patch(losses)
        if whole or "parking_type" in document:
            parking_type = document.pop("parking_type", None)
            document["type"] = _location_type(parking_type, losses)
        if "address" in document and len(document["address"]) > LONGEST_ADDRESS:
            losses.remark(V, f"is cut off after {LONGEST_ADDRESS} characters", "address")
            document["address"] = document["address"][:LONGEST_ADDRESS]
        if (whole or "postal_code" in document) and document.get("postal_code") is None:
            losses.remark(V, "is required there, and sent empty as there is none", "postal_code")
            document["postal_code"] = ""
        return document

    def _connector(self, document: Document, losses: Losses) -> Document:
        rename(document, "max_voltage", "voltage")
        rename(document, "max_amperage", "amperage")
        lose(document, losses, V, "max_electric_power")
        if "tariff_ids" in document:
            ids = document.pop("tariff_ids") or []
            if ids:
                document["tariff_id"] = self._regular(ids)
                if len(ids) > 1:
                    losses.remark(V, f"only {document['tariff_id']} of {len(ids)} is sent", "tariff_ids")
            elif self._is_patch(losses):
                document["tariff_id"] = None
        return document

    def _regular(self, ids: list[str]) -> str:
        """The first tariff that holds for a REGULAR session now; the first at all if none is known to."""
        return next((id_ for id_ in ids if self._is_regular(self._context.tariff(self._context.own, id_))), ids[0])

    def _is_regular(self, tariff: Document | None) -> bool:
        if tariff is None or tariff.get("type") not in (None, "REGULAR"):
            return False
        begin, end = tariff.get("start_date_time"), tariff.get("end_date_time")
        now = self._context.now
        return (begin is None or read_instant(begin)[0] <= now) and (end is None or now < read_instant(end)[0])

    def _session(self, document: Document, losses: Losses) -> Document:
        rename(document, "start_date_time", "start_datetime")
        rename(document, "end_date_time", "end_datetime")
        owner = owner_in(document, self._context.own)
        _token_reference(document)
        _price(document, "total_cost", losses)
        lose(document, losses, V, "authorization_reference")
        _replace(document, "auth_method", "COMMAND", "AUTH_REQUEST", losses)
        _replace(document, "status", "RESERVATION", "PENDING", losses)
        place = [document.pop(name, None) for name in ("location_id", "evse_uid", "connector_id")]
        if any(part is not None for part in place):
            stored = self._context.location(owner, place[0]) if place[0] is not None else None
            if stored is None:
                raise CannotSend(losses.path("location_id"), V, "all of the location has to be sent, and it is not known")
            losses.trail.append("location")
            document["location"] = self._used(_read(Location, stored), place[1], place[2], losses)
            losses.trail.pop()
        self._owned(document, losses)
        return document

    def _used(self, location: Document, evse_uid: str | None, connector_id: str | None, losses: Losses) -> Document:
        """`location` with nothing but the EVSE and the connector in use."""
        evse = _named(location.get("evses"), "uid", evse_uid)
        connector = _named(evse["connectors"], "id", connector_id) if evse is not None else None
        if evse_uid != NOT_AVAILABLE and connector is None:
            losses.remark(V, "the EVSE or connector in use is not in the known location, and not told", "evses")
        used = [] if evse is None or connector is None else [{**evse, "connectors": [connector]}]
        return self._embed({**location, "evses": used}, losses)

    def _embed(self, location: Document, losses: Losses) -> Document:
        rules = _Down(self._context, False, embedded=True).rules()
        embedded: Document = transformed(Location, location, rules, losses)
        embedded.pop("country_code", None)
        embedded.pop("party_id", None)
        return embedded

    def _cdr(self, document: Document, losses: Losses) -> Document:
        if document.get("credit"):
            raise CannotSend(losses.path("credit"), V, "there are no credits")
        document.pop("credit", None)
        rename(document, "end_date_time", "stop_date_time")
        owner = owner_in(document, self._context.own)
        _token_reference(document)
        _price(document, "total_cost", losses)
        _replace(document, "auth_method", "COMMAND", "AUTH_REQUEST", losses)
        lose(document, losses, V, *_CDR_ONLY)
        snapshot = document.pop("cdr_location")
        losses.trail.append("cdr_location")
        lose(snapshot, losses, V, "state")
        document["location"] = self._place(snapshot, owner, document["last_updated"], losses)
        losses.trail.pop()
        self._owned(document, losses)
        return document

    def _place(self, snapshot: Document, owner: Any, last_updated: str, losses: Losses) -> Document:
        """A whole location made of a CDR's: what the snapshot lacks is taken from the stored one (D5)."""
        stored = self._context.location(owner, snapshot["id"])
        location = {} if stored is None else _read(Location, stored)
        known = _named(location.get("evses"), "uid", snapshot["evse_uid"])
        kept = {name: snapshot[name] for name in _PLACE if name in snapshot}
        for name in _PLACE:
            location.pop(name, None)
        location = {"last_updated": last_updated, **location, **kept, "evses": []}
        if snapshot["evse_uid"] != NOT_AVAILABLE:
            evse = dict(known or {"status": "UNKNOWN", "last_updated": last_updated}, uid=snapshot["evse_uid"])
            evse.pop("evse_id", None)
            if snapshot["evse_id"] != NOT_AVAILABLE:
                evse["evse_id"] = snapshot["evse_id"]
            evse["connectors"] = [self._plug(snapshot, known, last_updated, losses)]
            location["evses"] = [evse]
        return self._embed(location, losses)

    def _plug(self, snapshot: Document, evse: Document | None, last_updated: str, losses: Losses) -> Document:
        connector = _named(evse["connectors"], "id", snapshot["connector_id"]) if evse is not None else None
        if connector is None:
            losses.remark(V, "voltage and amperage are required there, and sent as 0 as they are not known", "connector_id")
            connector = {"max_voltage": 0, "max_amperage": 0, "last_updated": last_updated}
        return {
            **connector,
            "id": snapshot["connector_id"],
            "standard": snapshot["connector_standard"],
            "format": snapshot["connector_format"],
            "power_type": snapshot["connector_power_type"],
        }

    def _tariff(self, document: Document, losses: Losses) -> Document:
        self._owned(document, losses)
        lose(document, losses, V, "type", "min_price", "max_price", "start_date_time", "end_date_time")
        return document

    def _token(self, document: Document, losses: Losses) -> Document:
        self._owned(document, losses)
        rename(document, "contract_id", "auth_id")
        lose(document, losses, V, "group_id", "default_profile_type", "energy_contract")
        if "type" in document and document["type"] not in TOKEN_TYPES:
            losses.remark(V, f"{document['type']} is sent as OTHER", "type")
            document["type"] = "OTHER"
        return document

    def _reserve(self, document: Document, losses: Losses) -> Document:
        lose(document, losses, V, "authorization_reference")
        number = self._context.reservations.number(document["reservation_id"])
        if number is None:
            raise CannotSend(losses.path("reservation_id"), V, "has no number, as reservations have there")
        document["reservation_id"] = number
        return document


_PLACE: Final[tuple[str, ...]] = ("id", "name", "address", "city", "postal_code", "country", "coordinates")
_CDR_ONLY: Final = (
    "session_id",
    "authorization_reference",
    "signed_data",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
    "invoice_reference_id",
    "credit_reference_id",
    "home_charging_compensation",
)


def _location_type(parking_type: str | None, losses: Losses) -> str:
    if parking_type is None:
        return "UNKNOWN"
    if parking_type in LOCATION_TYPES:
        return parking_type
    losses.remark(V, f"{parking_type[:40]} is sent as OTHER", "parking_type")
    return "OTHER"


def _coordinate(text: str, losses: Losses) -> str:
    """Six decimals, neither more nor less."""
    degrees = Decimal(text)
    rounded = f"{degrees:.6f}"
    if Decimal(rounded) != degrees:
        losses.remark(V, "is rounded to six decimals")
    return rounded


def _hours(document: Document, losses: Losses) -> Document:
    """Either regular hours or twentyfourseven."""
    if document["twentyfourseven"]:
        lose(document, losses, V, "regular_hours")
    elif document.get("regular_hours"):
        del document["twentyfourseven"]
    return document


def _impact(document: Document, losses: Losses) -> Document:
    rename(document, "category", "source")
    return document


def _period(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "tariff_id")
    return document


def _component(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "vat")
    return document


def _authorization(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "token", "authorization_reference")
    return document


def _start(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "connector_id", "authorization_reference")
    return document


def _response(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "timeout", "message")
    return document


def _result(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "message")
    if document["result"] not in _RESULTS:
        losses.remark(V, f"{document['result'][:40]} is sent as REJECTED", "result")
        document["result"] = "REJECTED"
    return document


def _token_reference(document: Document) -> None:
    """Digest, 22: the contract is what a token is named by; its owner has the rest."""
    if "cdr_token" in document:
        document["auth_id"] = document.pop("cdr_token")["contract_id"]


def _price(document: Document, name: str, losses: Losses) -> None:
    if document.get(name) is not None:
        price = document[name]
        document[name] = price["excl_vat"]
        if price.get("incl_vat") is not None:
            losses.remark(V, "is not known there", f"{name}.incl_vat")


def _replace(document: Document, name: str, value: str, other: str, losses: Losses) -> None:
    if document.get(name) == value:
        losses.remark(V, f"{value} is sent as {other}", name)
        document[name] = other


def _named(items: list[Document] | None, key: str, wanted: str | None) -> Document | None:
    if wanted is None:
        return None
    return next((item for item in items or [] if same(item[key], wanted)), None)
