"""OCPI 2.1.1 documents as 2.2.1 has them (digest, 21 and 22)."""

from __future__ import annotations

from typing import Any, Final

from schemas.ocpi211 import cdrs, commands, locations, tariffs, tokens
from schemas.ocpi211.down import LOCATION_TYPES, TYPES, V
from schemas.ocpi221.base import NOT_AVAILABLE, OcpiObject
from schemas.ocpi221.cdrs import CDR, CdrDimension, ChargingPeriod
from schemas.ocpi221.commands import CommandResponse, CommandResult, ReserveNow, StartSession
from schemas.ocpi221.instants import write_instant
from schemas.ocpi221.locations import EVSE, Connector, EnergyMix, EnvironmentalImpact, Hours, Location
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import PriceComponent, Tariff, TariffElement, TariffRestrictions
from schemas.ocpi221.tokens import AuthorizationInfo, LocationReferences, Token
from schemas.ocpi_versions.documents import Rules, canonical, lose, rename, transformed
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import Context, Converted, Document

_TARGETS: Final[dict[type[OcpiObject], type[OcpiObject]]] = {
    locations.Location: Location,
    locations.EVSE: EVSE,
    locations.Connector: Connector,
    locations.Hours: Hours,
    locations.EnergyMix: EnergyMix,
    locations.EnvironmentalImpact: EnvironmentalImpact,
    cdrs.Session: Session,
    cdrs.CDR: CDR,
    cdrs.ChargingPeriod: ChargingPeriod,
    cdrs.CdrDimension: CdrDimension,
    tariffs.Tariff: Tariff,
    tariffs.TariffElement: TariffElement,
    tariffs.TariffRestrictions: TariffRestrictions,
    tariffs.PriceComponent: PriceComponent,
    tokens.Token: Token,
    tokens.LocationReferences: LocationReferences,
    tokens.AuthorizationInfo: AuthorizationInfo,
    commands.ReserveNow: ReserveNow,
    commands.StartSession: StartSession,
    commands.CommandResponse: CommandResponse,
}
_NOTHING: Final = ("", NOT_AVAILABLE)
_UNUSED_PLUG: Final = {"connector_standard": "IEC_62196_T2", "connector_format": "SOCKET", "connector_power_type": "AC_1_PHASE"}
"""What stands next to `#NA`: any value, nobody reads it (digest, CdrLocation)."""


def up(type_: type[OcpiObject], document: Any, context: Context, *, partial: bool) -> Converted:
    """A 2.1.1 document that 2.2.1 has as `type_`. Raises Unreadable, with the names of 2.1.1."""
    source = TYPES.get(type_)
    if source is None:
        raise Unreadable("", V, f"there is no {type_.__name__} in this version")
    losses = Losses()
    if source is commands.CommandResponse and isinstance(document, str):
        losses.remark(V, "is a string where an object is due")
        document = {"result": document}
    known = canonical(source, document, losses, partial=partial)
    rules = _Up(context, partial, type_).rules()
    return Converted(transformed(source, known, rules, losses), losses.told())


class _Up:
    """The rules for one document, which is to be of 2.2.1 type `wanted`."""

    def __init__(self, context: Context, partial: bool, wanted: type[OcpiObject]) -> None:
        self._context = context
        self._partial = partial
        self._wanted = wanted

    def rules(self) -> Rules:
        return Rules(
            objects={
                locations.Location: self._location,
                locations.Connector: _connector,
                locations.Hours: _hours,
                locations.EnvironmentalImpact: _impact,
                cdrs.Session: self._session,
                cdrs.CDR: self._cdr,
                cdrs.ChargingPeriod: _period,
                tariffs.Tariff: self._owned,
                tokens.Token: self._token,
                tokens.LocationReferences: _references,
                tokens.AuthorizationInfo: self._authorization,
                commands.ReserveNow: self._reserve,
                commands.CommandResponse: self._response,
            },
            targets=_TARGETS,
        )

    def _whole(self, losses: Losses) -> bool:
        return not self._partial or bool(losses.trail)

    def _owned(self, document: Document, losses: Losses) -> Document:
        """Digest, 22: the owner is that of the connection, or of the URL. In a PATCH nothing says that it has changed."""
        if self._whole(losses):
            document["country_code"], document["party_id"] = self._context.partner
        return document

    def _location(self, document: Document, losses: Losses) -> Document:
        whole = self._whole(losses)
        if document.get("postal_code") in _NOTHING:
            del document["postal_code"]
            if not whole:
                document["postal_code"] = None
        if losses.trail:
            return document  # of a session or CDR, which takes what it wants
        if "type" in document:
            kind = document.pop("type")
            if kind in LOCATION_TYPES:
                document["parking_type"] = kind
            elif kind != "UNKNOWN":
                losses.remark(V, f"{kind[:40]} is not told", "type")
            if kind not in LOCATION_TYPES and not whole:
                document["parking_type"] = None
        if whole:
            document["publish"] = True
            if "time_zone" not in document:
                losses.remark("Z23", f"is missing, read as {self._context.time_zone}", "time_zone")
                document["time_zone"] = self._context.time_zone
        elif document.get("time_zone", "") is None:
            losses.remark("W3", "is required here: the known one stays", "time_zone")
            del document["time_zone"]
        return self._owned(document, losses)

    def _session(self, document: Document, losses: Losses) -> Document:
        rename(document, "start_datetime", "start_date_time")
        rename(document, "end_datetime", "end_date_time")
        self._cdr_token(document, losses)
        _priced(document, "total_cost")
        if "charging_periods" in document:
            document["charging_periods"] = [period for period in document["charging_periods"] or [] if period["dimensions"]]
        if "location" in document:
            location = document.pop("location")
            losses.trail.append("location")
            evse, connector = _used(location, losses)
            losses.trail.pop()
            document["location_id"] = location["id"]
            document["evse_uid"] = evse["uid"] if evse is not None else NOT_AVAILABLE
            document["connector_id"] = connector["id"] if connector is not None else NOT_AVAILABLE
        return self._owned(document, losses)

    def _cdr(self, document: Document, losses: Losses) -> Document:
        rename(document, "stop_date_time", "end_date_time")
        self._cdr_token(document, losses)
        _priced(document, "total_cost")
        periods = [period for period in document["charging_periods"] if period["dimensions"]]
        document["charging_periods"] = periods or [_period_of_all(document)]
        location = document.pop("location")
        losses.trail.append("location")
        document["cdr_location"] = _place(location, losses)
        losses.trail.pop()
        return self._owned(document, losses)

    def _cdr_token(self, document: Document, losses: Losses) -> None:
        """Digest, 22: the token store knows which token a contract has."""
        if "auth_id" not in document:
            return
        contract_id = document.pop("auth_id")
        token = self._context.token_of_contract(contract_id, vouched=document.get("auth_method") == "AUTH_REQUEST")
        if token is not None:
            found = {name: token[name] for name in ("country_code", "party_id", "uid", "type")}
        else:
            losses.remark(V, "is of no known token: it is taken for the uid", "auth_id")
            country_code, party_id = self._context.own
            found = {"country_code": country_code, "party_id": party_id, "uid": contract_id, "type": "OTHER"}
        document["cdr_token"] = {**found, "contract_id": contract_id}

    def _token(self, document: Document, losses: Losses) -> Document:
        rename(document, "auth_id", "contract_id")
        return self._owned(document, losses)

    def _authorization(self, document: Document, losses: Losses) -> Document:
        """2.2.1 wants the token in the answer; 2.1.1 expects that the one who asks has it."""
        uid, type_ = self._context.asked_token or ("", "RFID")
        matching = [token for token in self._context.tokens if token["uid"].casefold() == uid.casefold()]
        known = next((token for token in matching if token["type"] == type_), None)
        if known is None:
            if not uid:
                raise Unreadable("", V, "it is not known which token this is about")
            losses.remark(V, "is not told, and not known: a token is made of its uid", "token")
            country_code, party_id = self._context.partner
            known = {
                "country_code": country_code,
                "party_id": party_id,
                "uid": uid,
                "type": type_,
                "contract_id": uid,
                "issuer": f"{country_code}*{party_id}",
                "valid": document["allowed"] == "ALLOWED",
                "whitelist": "NEVER",
                "last_updated": write_instant(self._context.now),
            }
        document["token"] = known
        return document

    def _reserve(self, document: Document, losses: Losses) -> Document:
        document["reservation_id"] = self._context.reservations.reservation_id(document["reservation_id"])
        return document

    def _response(self, document: Document, losses: Losses) -> Document:
        if self._wanted is CommandResult:
            _replace(document, "result", "UNKNOWN_SESSION", "REJECTED", losses)
        else:
            _replace(document, "result", "TIMEOUT", "REJECTED", losses)
            document["timeout"] = self._context.command_timeout_s
        return document


def _connector(document: Document, losses: Losses) -> Document:
    rename(document, "voltage", "max_voltage")
    rename(document, "amperage", "max_amperage")
    if "tariff_id" in document:
        tariff_id = document.pop("tariff_id")
        document["tariff_ids"] = [] if tariff_id is None else [tariff_id]
    return document


def _hours(document: Document, losses: Losses) -> Document:
    """Regular hours or twentyfourseven; where there is neither, it is open but for closings, or closed but for openings."""
    if "twentyfourseven" not in document:
        always = not document.get("regular_hours") and not document.get("exceptional_openings")
        document["twentyfourseven"] = always
        if not document.get("regular_hours"):
            losses.remark(V, f"is missing, as are regular hours, and read as {str(always).lower()}", "twentyfourseven")
    return document


def _impact(document: Document, losses: Losses) -> Document:
    rename(document, "source", "category")
    return document


def _period(document: Document, losses: Losses) -> Document:
    """Digest, 22: a FLAT dimension is a price, which the tariff has; what is left may be empty."""
    kept = [dimension for dimension in document["dimensions"] if dimension["type"] != "FLAT"]
    if len(kept) < len(document["dimensions"]):
        losses.remark(V, "FLAT is not told", "dimensions")
    document["dimensions"] = kept
    return document


def _period_of_all(document: Document) -> Document:
    """The whole of a CDR as its one period: all of those that it has were FLAT."""
    return {
        "start_date_time": document["charging_periods"][0]["start_date_time"],
        "dimensions": [{"type": "ENERGY", "volume": document["total_energy"]}, {"type": "TIME", "volume": document["total_time"]}],
    }


def _references(document: Document, losses: Losses) -> Document:
    lose(document, losses, V, "connector_ids")
    return document


def _used(location: Document, losses: Losses) -> tuple[Document | None, Document | None]:
    evses = location.get("evses") or []
    if not evses:
        losses.remark(V, "names no EVSE", "evses")
        return None, None
    if len(evses) > 1 or len(evses[0]["connectors"]) > 1:
        losses.remark(V, "names more than the EVSE and connector in use: the first are taken", "evses")
    return evses[0], evses[0]["connectors"][0]


_PLACE: Final[tuple[str, ...]] = ("id", "name", "address", "city", "postal_code", "country", "coordinates")


def _place(location: Document, losses: Losses) -> Document:
    """A CDR's location: its address, and the EVSE and connector that were used."""
    losses.remark(V, "only its address, EVSE and connector are told")
    place = {name: location[name] for name in _PLACE if name in location}
    evse, connector = _used(location, losses)
    if evse is None or connector is None:
        return {**place, "evse_uid": NOT_AVAILABLE, "evse_id": NOT_AVAILABLE, "connector_id": NOT_AVAILABLE, **_UNUSED_PLUG}
    if evse.get("evse_id") is None:
        losses.remark("B8", f"is missing, read as {NOT_AVAILABLE}", "evses[0].evse_id")
    return {
        **place,
        "evse_uid": evse["uid"],
        "evse_id": evse.get("evse_id") or NOT_AVAILABLE,
        "connector_id": connector["id"],
        "connector_standard": connector["standard"],
        "connector_format": connector["format"],
        "connector_power_type": connector["power_type"],
    }


def _priced(document: Document, name: str) -> None:
    if document.get(name) is not None:
        document[name] = {"excl_vat": document[name]}


def _replace(document: Document, name: str, value: str, other: str, losses: Losses) -> None:
    if document.get(name) == value:
        losses.remark(V, f"{value} is read as {other}", name)
        document[name] = other
