"""What billing and the API ask of stored tariffs. All of it runs inside a unit of work."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from csms.pricing.tariff import PriceSeries, Tariff
from csms.store.pool import Connection
from csms.store.queries import price_series as series_queries
from csms.store.queries import tariff_assignments as queries
from csms.store.queries import tariffs as tariff_queries
from csms.store.queries.tariff_assignments import Assignment, StartedSession
from csms.store.queries.tariffs import OnChange
from csms.store.queries.token_limits import token_facts
from csms.tariffs.choice import MOST_LISTED, Candidate, Choice, Facts, NearGroup, choose


class TariffVersion(msgspec.Struct, frozen=True):
    """A version of a tariff as billing needs it."""

    tariff_id: str
    version: int
    valid_from: datetime
    on_change: OnChange
    tariff: Tariff


class Question(msgspec.Struct, frozen=True):
    """A session that may never be: which tariff would it have?"""

    charge_point_id: str
    evse_id: int | None
    connector_id: int | None
    id_token: str | None
    id_token_type: str | None
    user_type: str | None
    at: datetime


async def choose_for_session(conn: Connection, tenant_id: int, session_id: UUID) -> Choice:
    """The tariff that a session has from its start on. Raises LookupError when there is no such session."""
    session = await queries.started_session(conn, tenant_id, session_id)
    if session is None:
        raise LookupError(f"no session {session_id}")
    return await choose_from(conn, tenant_id, session)


async def choose_from(conn: Connection, tenant_id: int, session: StartedSession) -> Choice:
    """As `choose_for_session`, of a session that begins like this."""
    groups = await queries.station_groups_of(conn, tenant_id, session.station_id)
    token_groups, user_type = await _of_token(conn, tenant_id, session.id_token, session.id_token_type)
    facts = Facts(
        at=session.started_at,
        time_zone=session.time_zone,
        charge_point_id=session.charge_point_id,
        evse_id=session.evse_id,
        connector_id=session.connector_id,
        location_id=session.location_id,
        station_groups=_near(groups),
        token_groups=_near(token_groups),
        user_type=user_type,
    )
    found = await queries.candidates(conn, tenant_id, session.station_id, session.location_id, list(groups), list(token_groups))
    return choose(await _with_tariffs(conn, tenant_id, found, facts.at), facts)


async def explain(conn: Connection, tenant_id: int, question: Question) -> Choice | None:
    """As `choose_for_session`, and with assignments that are for other places or groups too. None: no such charge point."""
    place = await queries.place_of(conn, tenant_id, question.charge_point_id)
    if place is None:
        return None
    groups = await queries.station_groups_of(conn, tenant_id, place.station_id)
    token_groups, user_type = await _of_token(conn, tenant_id, question.id_token, question.id_token_type)
    facts = Facts(
        at=question.at,
        time_zone=place.time_zone,
        charge_point_id=question.charge_point_id,
        evse_id=question.evse_id,
        connector_id=question.connector_id,
        location_id=place.location_id,
        station_groups=_near(groups),
        token_groups=_near(token_groups),
        user_type=question.user_type or user_type,
    )
    sought = (conn, tenant_id, place.station_id, place.location_id, list(groups), list(token_groups))
    found = [*await queries.candidates(*sought), *await queries.others(*sought, limit=MOST_LISTED)]
    return choose(await _with_tariffs(conn, tenant_id, found, facts.at), facts)


async def load_version(conn: Connection, tenant_id: int, tariff_id: str, version: int) -> TariffVersion:
    """Raises LookupError when there is no such version."""
    on_change = await tariff_queries.on_change_of(conn, tenant_id, tariff_id)
    found = await tariff_queries.get_version(conn, tenant_id, tariff_id, version)
    if on_change is None or found is None:
        raise LookupError(f"no version {version} of tariff {tariff_id}")
    return TariffVersion(tariff_id, version, found.valid_from, on_change, found.tariff)


async def load_series(conn: Connection, tenant_id: int, series_id: str, start: datetime, end: datetime) -> PriceSeries:
    """The prices that hold and overlap a time; of a series that does not exist there are none."""
    return PriceSeries(tuple(await series_queries.steps_between(conn, tenant_id, series_id, start, end)))


async def load_series_of(conn: Connection, tenant_id: int, tariff: Tariff, start: datetime, end: datetime) -> PriceSeries:
    """The prices of a time for a tariff with dynamic prices; none for others."""
    return PriceSeries() if tariff.series_id is None else await load_series(conn, tenant_id, tariff.series_id, start, end)


async def newer_version(conn: Connection, tenant_id: int, tariff_id: str, at: datetime) -> int | None:
    """The version in force at a time: for tariffs whose running sessions follow. None: there is none."""
    return await tariff_queries.version_in_force(conn, tenant_id, tariff_id, at)


async def version_of_session(conn: Connection, tenant_id: int, tariff_id: str, version: int, at: datetime) -> TariffVersion:
    """What a session that began with a version is priced by: that, or the one in force `at` where sessions follow their tariff.
    Raises LookupError."""
    own = await load_version(conn, tenant_id, tariff_id, version)
    if own.on_change == "keep":
        return own
    newest = await newer_version(conn, tenant_id, tariff_id, at)
    return own if newest in (None, version) else await load_version(conn, tenant_id, tariff_id, newest)


async def has_assignments(conn: Connection, tenant_id: int) -> bool:
    """Whether the tenant prices anything at all."""
    return await queries.has_assignments(conn, tenant_id)


def _near(groups: dict[UUID, int]) -> list[NearGroup]:
    return [NearGroup(group_id, distance) for group_id, distance in groups.items()]


async def _of_token(
    conn: Connection, tenant_id: int, id_token: str | None, id_token_type: str | None
) -> tuple[dict[UUID, int], str | None]:
    """The groups of a token with their distance, and its user type. A token that stands for another has what that one has too."""
    facts = None if id_token is None else await token_facts(conn, tenant_id, id_token, id_token_type)
    groups: dict[UUID, int] = {}
    user_type = None
    while facts is not None:
        for distance, group_id in enumerate(facts.group_ids):
            groups[group_id] = min(distance, groups.get(group_id, distance))
        user_type = user_type or facts.user_type
        facts = facts.parent
    return groups, user_type


async def _with_tariffs(conn: Connection, tenant_id: int, found: list[Assignment], at: datetime) -> list[Candidate]:
    states = await tariff_queries.tariff_states(conn, tenant_id, sorted({one.tariff_id for one in found}), at)
    return [Candidate(one, states[one.tariff_id]) for one in found]
