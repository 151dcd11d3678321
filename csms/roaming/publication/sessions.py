"""Publication of sessions and CDRs of other parties' tokens, to the party of the token alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from csms.billing.cdr import Cdr
from csms.roaming.details import ConnectorDetails
from csms.roaming.mapping.cdrs import MODULE as CDRS
from csms.roaming.mapping.cdrs import map_cdr
from csms.roaming.mapping.findings import Finding, Mapped
from csms.roaming.mapping.sessions import MODULE as SESSIONS
from csms.roaming.mapping.sessions import map_session
from csms.roaming.mapping.tokens import cdr_token
from csms.roaming.parties import Folded, OwnParty
from csms.roaming.publication.saving import Made, Saved, save
from csms.roaming.publication.view import TenantView
from csms.roaming.sources import LocationSource, SessionSource
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects as object_queries
from csms.store.queries import ocpi_sources as sources
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from csms.store.queries.ocpi_reservations import reserved
from schemas.ocpi221.base import fold
from schemas.ocpi221.cdrs import CDR, CdrToken
from schemas.ocpi221.reading import read
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.writing import document


class _Told(msgspec.Struct, frozen=True):
    """A session and its CDRs as they are told."""

    source: SessionSource
    owner: OwnParty
    with_party: Folded
    session: Mapped[Session]
    cdrs: list[tuple[Cdr, Mapped[CDR]]]


async def publish_sessions(
    conn: Connection, tenant_id: int, view: TenantView, session_ids: Collection[UUID], now: datetime
) -> Saved:
    """Tell those of these sessions whose token is another party's, and their CDRs. A CDR that was told stays as it is (D2). Among
    the ids may be those by which reservations are told (E5)."""
    found = await _map(conn, tenant_id, view, session_ids, now)
    made: list[Made] = []
    for told in found:
        owner = told.owner.party.folded
        if told.session.thing is not None:
            made.append(
                Made(
                    key=ObjectKey(SESSIONS, owner, told.session.thing.id),
                    document=document(told.session.thing),
                    receivers=_receivers(view, told, SESSIONS),
                    with_party=told.with_party,
                )
            )
    saved = await save(conn, tenant_id, made, now)
    records = [
        Made(
            key=ObjectKey(CDRS, told.owner.party.folded, fold(cdr.id)),
            document=document(mapped.thing),
            receivers=_receivers(view, told, CDRS),
            with_party=told.with_party,
        )
        for told in found
        for cdr, mapped in told.cdrs
        if mapped.thing is not None
    ]
    known = await object_queries.own_by_ids(conn, tenant_id, CDRS, [one.key.object_id for one in records])
    before = {one.key.object_id for one in known}
    for record in records:  # one by one: a credit is told after what it takes back
        if record.key.object_id not in before:
            saved += await save(conn, tenant_id, [record], now)
    return saved


async def session_findings(
    conn: Connection, tenant_id: int, view: TenantView, session_ids: Collection[UUID], now: datetime
) -> dict[UUID, list[Finding]]:
    """Why which of these sessions and their CDRs are not told, or with something assumed, by their ids."""
    return {
        told.source.session_id: [*told.session.findings, *(finding for _, mapped in told.cdrs for finding in mapped.findings)]
        for told in await _map(conn, tenant_id, view, session_ids, now)
    }


async def _map(conn: Connection, tenant_id: int, view: TenantView, session_ids: Collection[UUID], now: datetime) -> list[_Told]:
    if not view.cpos:
        return []
    tokens = await sources.foreign_tokens(conn, tenant_id, session_ids)
    found = await sources.sessions(conn, tenant_id, tokens) if tokens else []
    found += await reserved(conn, tenant_id, session_ids)
    if not found:
        return []
    records = await sources.cdrs(conn, tenant_id, [source.session_id for source in found])
    places = await sources.locations(conn, tenant_id, _location_ids(found, records))
    uids = {uid for cdrs in records.values() for cdr in cdrs if (uid := cdr.cdr_location.evse_uid) is not None}
    entered = await sources.connector_details(conn, tenant_id, uids)
    stored = await object_queries.own_by_ids(conn, tenant_id, SESSIONS, [str(source.told_as) for source in found])
    known = {one.key.object_id: one for one in stored}
    return [
        told
        for source in found
        if (told := _told(view, source, known.get(str(source.told_as)), records.get(source.session_id, []), places, entered, now))
        is not None
    ]


def _told(
    view: TenantView,
    source: SessionSource,
    known: StoredObject | None,
    cdrs: Sequence[Cdr],
    places: dict[UUID, LocationSource],
    entered: dict[tuple[UUID, int], ConnectorDetails],
    now: datetime,
) -> _Told | None:
    place = None if source.location_id is None else places.get(source.location_id)
    owner = _owner(view, known, place)
    if owner is None:
        return None
    token = cdr_token(source.token)
    if known is not None:  # the token as it was, whoever changes it meanwhile (D5)
        token = read(CdrToken, known.document["cdr_token"]).value
    mapped = []
    for cdr in cdrs:
        was = cdr.cdr_location
        there = None if was.location_id is None else places.get(was.location_id)
        plain = ConnectorDetails()
        details = (
            plain if was.evse_uid is None or was.connector_id is None else entered.get((was.evse_uid, was.connector_id), plain)
        )
        mapped.append((cdr, map_cdr(cdr, source.told_as, owner.party, token, source.vouching, there or place, details, now)))
    with_party = (fold(token.country_code), fold(token.party_id))
    return _Told(source, owner, with_party, map_session(source, owner.party, token, now), mapped)


def _owner(view: TenantView, known: StoredObject | None, place: LocationSource | None) -> OwnParty | None:
    """Who told the session first tells it to its end."""
    if known is not None:
        before = next((party for party in view.cpos if party.party.folded == known.key.owner), None)
        if before is not None:
            return before
    return view.cpo(None if place is None else place.details.party)


def _receivers(view: TenantView, told: _Told, module: str) -> tuple[Folded, ...]:
    allowed = view.may_have(told.with_party, told.owner.party.folded, module)
    return (told.with_party,) if allowed else ()


def _location_ids(found: Sequence[SessionSource], records: dict[UUID, list[Cdr]]) -> set[UUID]:
    there = {source.location_id for source in found}
    there |= {cdr.cdr_location.location_id for cdrs in records.values() for cdr in cdrs}
    return {location_id for location_id in there if location_id is not None}
