"""Real-time authorization of our own tokens, asked for by CPOs (K5 to K7; digest, endpoint 31)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from csms.domain.authorization import restrictions_of
from csms.domain.decisions import AuthorizationStatus
from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import Place, Restrictions
from csms.domain.token_identity import canonical, lookup_key
from csms.ledger.rows import OpenSession, Usage, UsageQuestion
from csms.ledger.weighing import TokenQuestion, Weighing
from csms.roaming.authorization import allowed_of
from csms.roaming.countries import alpha2, alpha3
from csms.roaming.mapping.connectors import RATINGS
from csms.roaming.mapping.tokens import map_token, owner_of_token, token_type
from csms.roaming.parties import Folded
from csms.roaming.sources import TokenSource
from csms.store import Connection
from csms.store.known_tokens import load_known_tokens
from csms.store.ledger_tokens import TokenLookups
from csms.store.queries import ocpi_abroad, ocpi_objects, ocpi_sources, ocpi_tokens
from csms.store.queries.ocpi_abroad import Spot
from csms.store.queries.ocpi_objects import ObjectKey
from csms.tenants import TenantConfig, TenantDirectory
from hub.ocpi.message import OcpiProblem, OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.ordering import asking_party
from schemas.ocpi221.base import fold
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.reading import read
from schemas.ocpi221.tokens import LocationReferences
from schemas.ocpi221.writing import document

_ELSEWHERE: Final = -1
"""Stands for the station of another party."""
_FIRST_EVSE: Final = 2_000_000_000
"""EVSEs of others are numbered from here: restrictions name wire numbers of our own."""
MOST_EVSES: Final = 500
_NOWHERE: Final = Place(identity="")


@dataclass(frozen=True, slots=True)
class Asked:
    """Where it is to charge. `known`: the location as its owner told it."""

    references: LocationReferences
    known: dict[str, Any] | None

    def evses(self) -> list[tuple[str, tuple[str, ...]]]:
        """The EVSEs in question with the types of their connectors."""
        told = {fold(str(evse.get("uid", ""))): evse for evse in _dicts((self.known or {}).get("evses"))}
        uids = self.references.evse_uids or tuple(str(evse.get("uid", "")) for evse in told.values())
        return [(uid, _connector_types(told.get(fold(uid), {}))) for uid in uids[:MOST_EVSES]]

    def spot(self, cpo: Folded) -> Spot:
        """At whose station, and where, somebody stands."""
        return Spot(cpo, fold(self.references.location_id), tuple(fold(uid) for uid in self.references.evse_uids[:MOST_EVSES]))

    def place(self, countries: Collection[str]) -> Place:
        """The location in our terms; `countries`: the codes that restrictions name."""
        location = self.known or {}
        coordinates = location.get("coordinates") or {}
        three = alpha3(str(location.get("country", "")))
        two = None if three is None else alpha2(three)
        return Place(
            identity="",
            country=two if two in countries else three,
            latitude=_degrees(coordinates.get("latitude")),
            longitude=_degrees(coordinates.get("longitude")),
            time_zone=location.get("time_zone"),
            connector_types={_FIRST_EVSE + n: types for n, (_, types) in enumerate(self.evses())},
        )


class _Lookups(TokenLookups):
    """Our data, with a place that is not ours, and with what was charged at others (one indexed statement more for each)."""

    def __init__(self, connection: Connection, tenant: TenantConfig, owner: Folded, place: Place, spot: Spot | None) -> None:
        super().__init__(connection)
        self._tenant = tenant
        self._owner = owner
        self._place = place
        self._spot = spot

    async def places(self, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], Place]:
        return dict.fromkeys(keys, self._place)

    async def open_token_sessions(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[OpenSession]]:
        tenant_id = self._tenant.tenant_id
        found = await super().open_token_sessions(keys)
        abroad = await ocpi_abroad.open_sessions(
            self.connection, tenant_id, self._owner, [token_key for _, token_key in keys], self._spot
        )
        return {key: [*found.get(key, ()), *abroad.get(key[1], ())] for key in keys}

    async def token_usage(self, questions: Collection[UsageQuestion]) -> dict[UsageQuestion, Usage]:
        tenant = self._tenant
        here = await super().token_usage(questions)
        abroad = await ocpi_abroad.usage(self.connection, tenant.tenant_id, self._owner, tenant.currency, questions)
        return {one: Usage(here[one].sessions + abroad[one].sessions, here[one].amount + abroad[one].amount) for one in questions}


async def authorize(call: OwnCall) -> OcpiResponse:
    """POST {tokens}/{uid}/authorize?type: judged by the rules that hold at our own stations."""
    segments = call.request.segments
    if len(segments) != 2 or segments[1].lower() != "authorize":
        raise not_found("tokens have authorize only")
    uid, kind = segments[0], (call.request.parameter("type") or "RFID").upper()
    references = None if call.request.body in (None, {}) else read(LocationReferences, call.request.body).value
    party = asking_party(call)
    own = await call.ocpi.directory.parties()
    agreements = await call.ocpi.directory.agreements(call.tenant_id)
    parties = [one.party for one in own.of_tenant(call.tenant_id, "EMSP")]
    now, tenant_id = call.ocpi.clock.now(), call.tenant_id
    name = str(call.party.business_details.get("name") or call.party.slug)

    async def work(conn: Connection) -> tuple[dict[str, Any], AuthorizationStatus, dict[str, Any] | None]:
        source = await _find(conn, tenant_id, uid, kind)
        owner = None if source is None else owner_of_token(source, parties)
        to = call.request.headers.to_party
        wrong = owner is None or (to is not None and to.folded != owner.folded)
        if source is None or owner is None or wrong or not agreements.allows(party.folded, owner.folded, "tokens"):
            raise not_found("there is no such token", StatusCode.UNKNOWN_TOKEN)  # K5
        asked = None if references is None else Asked(references, await _location(conn, tenant_id, references, party))
        spot = None if asked is None else asked.spot(party.folded)
        status, location = await judge_own_token(conn, call.ocpi.tenants, tenant_id, source, owner, asked, now, spot=spot)
        return await token_document(conn, tenant_id, source, owner, name, now), status, location

    token, status, location = await call.ocpi.store.hub.tenant_unit(tenant_id, work)
    allowed = allowed_of(status)
    info: dict[str, Any] = {"allowed": allowed, "token": token}
    if allowed == "ALLOWED":
        info["authorization_reference"] = str(call.ocpi.ids.uuid4())
        if location is not None:
            info["location"] = location
    return OcpiResponse(data=info)


async def _find(conn: Connection, tenant_id: int, uid: str, kind: str) -> TokenSource | None:
    keys = {uid.lower(), *(canonical(uid, name).lower() for name in (None, "eMAID", "MacAddress"))}
    found = await ocpi_sources.tokens(conn, tenant_id, await ocpi_tokens.find_own_tokens(conn, tenant_id, keys))
    fitting = [one for one in found if token_type(one.ocpi_type, one.type, one.kind) == kind]
    return next((one for one in fitting if not one.retired), fitting[0] if fitting else None)


async def _location(conn: Connection, tenant_id: int, references: LocationReferences, party: Party) -> dict[str, Any] | None:
    """The location as the CPO has told it; None: we do not know it (K6)."""
    found = await ocpi_objects.find_by_id(conn, tenant_id, "locations", fold(references.location_id))
    return next((one.document for one in found if one.key.owner == party.folded), None)


async def judge_own_token(
    conn: Connection,
    tenants: TenantDirectory,
    tenant_id: int,
    source: TokenSource,
    owner: Party,
    asked: Asked | None,
    now: datetime,
    *,
    spot: Spot | None = None,
    begins: bool = True,
) -> tuple[AuthorizationStatus, dict[str, Any] | None]:
    """The verdict on a token of ours, told as a token of `owner`, and the location with the EVSEs where it holds. What it has used
    at others counts. `spot`: where its driver stands, if he may want to end what goes on there. `begins`: a session is to begin
    now. Raises OcpiProblem (2002) where the verdict depends on the location and none is named."""
    tenant = tenants.by_id(tenant_id)
    if source.retired or tenant is None:
        return "Blocked", None
    anywhere = TokenQuestion(tenant_id, 0, source.id_token, source.type)
    weighing = await Weighing.prepare(TokenLookups(conn), tenants, now, [anywhere])
    status = weighing.judge(anywhere).decision.status
    if status != "Accepted":
        return status, None
    key = (tenant_id, lookup_key(source.id_token, source.type))
    restrictions = restrictions_of((await load_known_tokens(conn, [key])).get(key, list[KnownToken]()))
    if asked is None and any(_needs_place(r) for r in restrictions):
        raise OcpiProblem(StatusCode.NOT_ENOUGH_INFORMATION, "this token may charge at some places only: name the location")
    place = _NOWHERE if asked is None else asked.place({country for r in restrictions for country in r.countries})
    numbered = [(uid, _FIRST_EVSE + n) for n, (uid, _) in enumerate([] if asked is None else asked.evses())]
    whole = TokenQuestion(tenant_id, _ELSEWHERE, source.id_token, source.type, concurrent=begins)
    questions = {uid: msgspec.structs.replace(whole, evse_id=number) for uid, number in numbered}
    lookups = _Lookups(conn, tenant, owner.folded, place, spot)
    weighing = await Weighing.prepare(lookups, tenants, now, [whole, *questions.values()])
    verdicts = {uid: weighing.judge(question).decision.status for uid, question in questions.items()}
    allowed = tuple(uid for uid, status in verdicts.items() if status == "Accepted")
    status = weighing.judge(whole).decision.status
    if status == "Accepted" and verdicts and not allowed:
        status = next(iter(verdicts.values()))
    if asked is None or status != "Accepted":
        return status, None
    named = allowed if asked.references.evse_uids or len(allowed) < len(verdicts) else ()
    return status, document(LocationReferences(location_id=asked.references.location_id, evse_uids=named))


def _needs_place(restrictions: Restrictions) -> bool:
    """Do they hold for something that only the location tells? Hours are those of the tenant without one."""
    return bool(
        restrictions.charge_points
        or restrictions.evse_ids
        or restrictions.station_groups
        or restrictions.locations
        or restrictions.countries
        or restrictions.areas
        or restrictions.connector_types
    )


async def token_document(
    conn: Connection, tenant_id: int, source: TokenSource, owner: Party, name: str, now: datetime
) -> dict[str, Any]:
    """A token of ours as partners were told, or would be; `name`: of the party. Raises OcpiProblem for one that cannot be told."""
    kind = token_type(source.ocpi_type, source.type, source.kind)
    stored = await ocpi_objects.get_object(conn, tenant_id, ObjectKey("tokens", owner.folded, fold(source.id_token), kind))
    if stored is not None and stored.origin == "own":
        return stored.document
    mapped = map_token(source, owner, name, now)
    if mapped.thing is None:
        raise not_found("there is no such token", StatusCode.UNKNOWN_TOKEN)
    return document(mapped.thing)


def _connector_types(evse: dict[str, Any]) -> tuple[str, ...]:
    """OCPP's names for what OCPI's connectors may be, and OCPI's own."""
    found: dict[str, None] = {}
    for connector in _dicts(evse.get("connectors")):
        standard, form = connector.get("standard"), connector.get("format")
        found |= {name: None for name, rating in RATINGS.items() if rating.standard == standard and rating.format == form}
        found[str(standard)] = None
    return tuple(found)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _degrees(value: Any) -> float | None:
    try:
        return None if value is None else float(Decimal(str(value)))
    except (InvalidOperation, ValueError):
        return None
