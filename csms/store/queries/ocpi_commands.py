"""Commands and charging profiles over OCPI, ours and those of partners, with what has to follow them (table ocpi_commands).

Any number of hub processes work on them: a row is leased to one of them for a while, and another one goes on where it is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from csms.domain.reservations import Status as ReservationStatus
from csms.roaming.commands import Kind, StationEnd, StationEvse
from csms.roaming.details import EvseDetails, LocationDetails, read_evse, read_location
from csms.roaming.parties import Folded
from csms.store.pool import Connection
from csms.store.queries.ocpi_objects import decode_document
from csms.store.queries.reservations import OcpiKey
from csms.store.queries.stations import ONLINE
from schemas.ocpi221.writing import encode

Direction = Literal["received", "sent"]
Status = Literal["asked", "waiting", "delivering", "done", "failed"]
Document = dict[str, Any]

OPEN: Final = frozenset({"asked", "waiting", "delivering"})


class OcpiCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A row. Codes in capitals. `request` holds the other side's message as `body`, and for some commands what follows from it.

    A received RESERVE_NOW or SET_PROFILE that was carried out stays `waiting` with its result: the reservation may be cancelled by
    us (M7), and the profile changed (Q3).
    """

    ocpi_command_id: UUID
    direction: Direction
    command: Kind
    country_code: str
    party_id: str
    own_country_code: str
    own_party_id: str
    response_url: str | None
    correlation_id: str | None
    request: Document
    command_id: UUID | None
    session_id: str | None
    reservation_id: str | None
    status: Status
    response: str | None
    result: str | None
    result_document: Document | None
    error: str | None
    requested_by: str | None
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None

    @property
    def reservation(self) -> OcpiKey | None:
        """Of a received command."""
        if self.reservation_id is None:
            return None
        return OcpiKey(self.reservation_id, self.country_code, self.party_id)


class NewOcpiCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded before anything is done. `response_key`: hashed."""

    ocpi_command_id: UUID
    direction: Direction
    command: Kind
    country_code: str
    party_id: str
    own_country_code: str
    own_party_id: str
    request: Document
    status: Status
    deadline: datetime
    response_url: str | None = None
    response_key: bytes | None = None
    correlation_id: str | None = None
    command_id: UUID | None = None
    session_id: str | None = None
    reservation_id: str | None = None
    response: str | None = None
    requested_by: str | None = None


class StationSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of ours with what is needed to give orders about it."""

    session_id: UUID
    charge_point_id: str
    ocpp_version: str
    transaction_ref: str
    evse_id: int | None
    active: bool
    online: bool
    location_id: UUID | None
    country: str | None
    details: EvseDetails


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A command on which something has to be done. `end`: how its order to the station ended; `reservation`: what became of its
    reservation, and whether the party itself cancelled it; `session_over`, `profile_changed`: of a profile that was set."""

    command: OcpiCommand
    end: StationEnd | None
    reservation: ReservationStatus | None
    cancelled_by: str | None
    session_over: bool
    profile_changed: datetime | None
    overdue: bool


_NAMES: Final = OcpiCommand.__struct_fields__
_COLUMNS: Final = ", ".join(f"c.{name}" for name in _NAMES)
_NEW: Final = NewOcpiCommand.__struct_fields__
_JSON: Final = frozenset({"request"})


async def insert_command(conn: Connection, tenant_id: int, new: NewOcpiCommand) -> None:
    values = msgspec.structs.asdict(new) | {"request": encode(new.request).decode()}
    places = ", ".join(f"${n}{'::json' if name in _JSON else ''}" for n, name in enumerate(_NEW, 2))
    await conn.execute(
        f"INSERT INTO ocpi_commands (tenant_id, {', '.join(_NEW)}) VALUES ($1, {places})",
        tenant_id,
        *(values[name] for name in _NEW),
    )


async def find_replayed(conn: Connection, tenant_id: int, party: tuple[str, str], response_url: str) -> list[OcpiCommand]:
    """What this party (capitals) has asked for with this response_url within its time. Nobody else inserts such commands until the
    transaction ends: the same message that comes twice at once is one."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", response_url, tenant_id)
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_commands c WHERE c.tenant_id = $1 AND c.direction = 'received' AND c.country_code = $2 "
        "AND c.party_id = $3 AND c.response_url = $4 AND c.deadline > now() ORDER BY c.ocpi_command_id DESC LIMIT 10",
        tenant_id,
        *party,
        response_url,
    )
    return [_command(row) for row in rows]


async def get_command(conn: Connection, tenant_id: int, command_id: UUID) -> OcpiCommand | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ocpi_commands c WHERE c.tenant_id = $1 AND c.ocpi_command_id = $2", tenant_id, command_id
    )
    return None if row is None else _command(row)


async def find_sent(conn: Connection, tenant_id: int, response_key: bytes) -> OcpiCommand | None:
    """The command of ours whose response_url has this key; locked."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ocpi_commands c "
        "WHERE c.tenant_id = $1 AND c.response_key = $2 AND c.direction = 'sent' FOR UPDATE",
        tenant_id,
        response_key,
    )
    return None if row is None else _command(row)


async def list_commands(
    conn: Connection,
    tenant_id: int,
    before: UUID | None,
    limit: int,
    *,
    direction: Direction | None = None,
    command: Kind | None = None,
    session_id: str | None = None,
) -> list[OcpiCommand]:
    """The newest first."""
    parameters: list[Any] = [tenant_id, before, limit, direction, command, session_id]
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_commands c WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.ocpi_command_id < $2) "
        "AND ($4::text IS NULL OR c.direction = $4) AND ($5::text IS NULL OR c.command = $5) "
        "AND ($6::text IS NULL OR c.session_id = $6) ORDER BY c.ocpi_command_id DESC LIMIT $3",
        *parameters,
    )
    return [_command(row) for row in rows]


async def count_recent(conn: Connection, tenant_id: int, session_id: str, since: UUID, kinds: Collection[Kind]) -> int:
    """How often partners have asked for one of `kinds` for a session; `since`: the least id of the moment."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM ocpi_commands WHERE tenant_id = $1 AND ocpi_command_id >= $3 AND session_id = $2 "
        "AND direction = 'received' AND command = ANY($4::text[])",
        tenant_id,
        session_id,
        since,
        list(kinds),
    )
    return count


async def set_state(
    conn: Connection,
    tenant_id: int,
    command_id: UUID,
    status: Status,
    *,
    response: str | None = None,
    result: str | None = None,
    result_document: Document | None = None,
    error: str | None = None,
    deadline: datetime | None = None,
    station_command_id: UUID | None = None,
) -> None:
    """How far a command has come; what is None stays as it is. Its lease ends."""
    await conn.execute(
        "UPDATE ocpi_commands SET status = $3, response = coalesce($4, response), result = coalesce($5, result), "
        "result_document = coalesce($6::json, result_document), error = coalesce($7, error), "
        "deadline = coalesce($8, deadline), command_id = coalesce($9, command_id), leased_until = NULL, "
        "finished_at = CASE WHEN $3 IN ('done', 'failed') THEN now() ELSE finished_at END "
        "WHERE tenant_id = $1 AND ocpi_command_id = $2",
        tenant_id,
        command_id,
        status,
        response,
        result,
        None if result_document is None else encode(result_document).decode(),
        None if error is None else error[:500],
        deadline,
        station_command_id,
    )


async def note_response(
    conn: Connection, tenant_id: int, command_id: UUID, response: str | None, error: str | None, deadline: datetime
) -> None:
    """How a command of ours was answered at once: with its result it goes on from there. A result that was faster stands."""
    status = "failed" if response is None else "waiting" if response == "ACCEPTED" else "done"
    await conn.execute(
        "UPDATE ocpi_commands SET response = $3, error = $4, deadline = $5, "
        "status = CASE WHEN status = 'asked' THEN $6 ELSE status END, "
        "finished_at = CASE WHEN status = 'asked' AND $6 <> 'waiting' THEN now() ELSE finished_at END "
        "WHERE tenant_id = $1 AND ocpi_command_id = $2",
        tenant_id,
        command_id,
        response,
        None if error is None else error[:500],
        deadline,
        status,
    )


async def find_limited(conn: Connection, tenant_id: int, session_id: str) -> list[OcpiCommand]:
    """The profiles that we have had set for a received session (its id folded), the newest first; locked."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ocpi_commands c WHERE c.tenant_id = $1 AND c.direction = 'sent' AND c.command = 'SET_PROFILE' "
        "AND lower(c.session_id) = $2 AND c.result = 'ACCEPTED' ORDER BY c.ocpi_command_id DESC LIMIT 20 FOR UPDATE",
        tenant_id,
        session_id,
    )
    return [_command(row) for row in rows]


async def end_watches(conn: Connection, tenant_id: int, session_id: str, party: tuple[str, str]) -> None:
    """A party has set or cleared the profile of a session anew: what it was told to be told of before is settled."""
    await conn.execute(
        "UPDATE ocpi_commands SET status = 'done', finished_at = now(), leased_until = NULL WHERE tenant_id = $1 "
        "AND session_id = $2 AND (country_code, party_id) = ($3, $4) AND direction = 'received' AND command = 'SET_PROFILE' "
        "AND status = 'waiting' AND result IS NOT NULL",
        tenant_id,
        session_id,
        *party,
    )


async def end_reservation_watches(conn: Connection, tenant_id: int, reservation_id: str, party: tuple[str, str]) -> None:
    """A reservation was replaced or cancelled by its party: who asked for it first is told no more of it."""
    await conn.execute(
        "UPDATE ocpi_commands SET status = 'done', finished_at = now(), leased_until = NULL WHERE tenant_id = $1 "
        "AND lower(reservation_id) = lower($2) AND (country_code, party_id) = ($3, $4) AND direction = 'received' "
        "AND command = 'RESERVE_NOW' AND status = 'waiting' AND result IS NOT NULL",
        tenant_id,
        reservation_id,
        *party,
    )


# -- what is due

_SEEN: Final = "coalesce((c.request ->> 'seen')::timestamptz, c.created_at)"
# what partners ask others about has ids of any form
_SESSION: Final = "CASE WHEN c.direction = 'received' AND c.command = 'SET_PROFILE' THEN c.session_id::uuid END"
# a change of limits by somebody else, at the EVSE of the session or at the whole station, since the last that was told
_CHANGED: Final = (
    "(SELECT max(o.finished_at) FROM sessions x JOIN commands o ON o.tenant_id = x.tenant_id AND o.station_id = x.station_id "
    f"WHERE x.tenant_id = c.tenant_id AND x.session_id = {_SESSION} AND o.command_id > c.ocpi_command_id "
    "AND o.command IN ('set_charging_profile', 'clear_charging_profile') AND o.status = 'accepted' "
    "AND o.command_id <> c.command_id AND o.requested_by <> 'ocpi:' || c.country_code || '-' || c.party_id "
    "AND coalesce((o.parameters ->> 'evse_id')::int4, 0) IN (0, x.evse_id) "
    f"AND o.finished_at > {_SEEN})"
)
_SETTLED: Final = "c.direction = 'received' AND c.status = 'waiting' AND c.result IS NOT NULL"


async def tenants_with_open(conn: Connection) -> list[int]:
    """Tenants that have open commands; the gateway role, which sees all."""
    rows = await conn.fetch("SELECT DISTINCT tenant_id FROM ocpi_commands WHERE status IN ('asked', 'waiting', 'delivering')")
    return [row[0] for row in rows]


async def claim_due(conn: Connection, tenant_id: int, limit: int, lease: timedelta) -> list[Due]:
    """Take the oldest commands on which something has to be done, for as long as `lease`; nobody else is given them till then."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS}, k.status AS station_status, k.result::text AS station_result, k.error AS station_error, "
        "r.status AS reservation_status, r.cancelled_by, "
        f"{_SETTLED} AND c.command = 'SET_PROFILE' AND NOT EXISTS (SELECT FROM sessions x WHERE x.tenant_id = c.tenant_id "
        f"AND x.session_id = {_SESSION} AND x.status = 'active') AS session_over, "
        f"CASE WHEN {_SETTLED} AND c.command = 'SET_PROFILE' THEN {_CHANGED} END AS profile_changed, "
        "c.deadline <= now() AS overdue FROM ocpi_commands c "
        "LEFT JOIN commands k ON k.tenant_id = c.tenant_id AND k.command_id = c.command_id AND k.status NOT IN ('queued', 'sent') "
        "LEFT JOIN LATERAL (SELECT r.status, r.cancelled_by FROM reservations r WHERE r.tenant_id = c.tenant_id "
        "AND c.command = 'RESERVE_NOW' AND c.direction = 'received' AND r.ocpi_country_code = c.country_code "
        "AND r.ocpi_party_id = c.party_id AND lower(r.ocpi_reservation_id) = lower(c.reservation_id) "
        "ORDER BY r.status IN ('requested', 'active') DESC, r.created_at DESC LIMIT 1) r ON true "
        "WHERE c.tenant_id = $1 AND c.status IN ('asked', 'waiting', 'delivering') "
        "AND (c.leased_until IS NULL OR c.leased_until < now()) AND (c.status = 'delivering' OR c.deadline <= now() "
        "OR c.direction = 'received' AND (c.status = 'asked' OR c.result IS NULL AND k.status IS NOT NULL "
        f"OR {_SETTLED} AND CASE c.command WHEN 'RESERVE_NOW' THEN r.status NOT IN ('requested', 'active') "
        f"ELSE NOT EXISTS (SELECT FROM sessions x WHERE x.tenant_id = c.tenant_id AND x.session_id = {_SESSION} "
        f"AND x.status = 'active') OR {_CHANGED} IS NOT NULL END)) "
        "ORDER BY c.ocpi_command_id LIMIT $2 FOR UPDATE OF c SKIP LOCKED",
        tenant_id,
        limit,
    )
    if rows:
        await conn.execute(
            "UPDATE ocpi_commands SET leased_until = now() + $3 WHERE tenant_id = $1 AND ocpi_command_id = ANY($2::uuid[])",
            tenant_id,
            [row["ocpi_command_id"] for row in rows],
            lease,
        )
    return [_due(row) for row in rows]


async def renew_leases(conn: Connection, tenant_id: int, command_ids: Collection[UUID], lease: timedelta) -> None:
    """Whoever works on these goes on."""
    await conn.execute(
        "UPDATE ocpi_commands SET leased_until = now() + $3 WHERE tenant_id = $1 AND ocpi_command_id = ANY($2::uuid[]) "
        "AND leased_until IS NOT NULL",
        tenant_id,
        list(command_ids),
        lease,
    )


async def put_off(conn: Connection, tenant_id: int, command_id: UUID, until: timedelta) -> None:
    """Nothing can be done about it for a while."""
    await conn.execute(
        "UPDATE ocpi_commands SET leased_until = now() + $3 WHERE tenant_id = $1 AND ocpi_command_id = $2",
        tenant_id,
        command_id,
        until,
    )


async def note_begun(conn: Connection, tenant_id: int, command_id: UUID) -> None:
    """A reservation is being asked for: what becomes of it is told by its row from now on."""
    await conn.execute(
        """UPDATE ocpi_commands SET request = (request::jsonb || '{"begun": true}')::json """
        "WHERE tenant_id = $1 AND ocpi_command_id = $2",
        tenant_id,
        command_id,
    )


async def note_seen(conn: Connection, tenant_id: int, command_id: UUID, until: datetime) -> None:
    """Changes of a profile up to `until` are being told."""
    await conn.execute(
        "UPDATE ocpi_commands SET request = (request::jsonb || jsonb_build_object('seen', $3::timestamptz))::json, "
        "leased_until = NULL WHERE tenant_id = $1 AND ocpi_command_id = $2",
        tenant_id,
        command_id,
        until,
    )


# -- where orders go


_EVSE: Final = (
    "SELECT s.station_id, s.identity AS charge_point_id, s.ocpp_version, "
    f"{ONLINE} AND s.registration <> 'rejected' AS online, e.evse_id, e.evse_uid, s.location_id, l.country, e.roaming, "
    "l.roaming AS place, array(SELECT k.connector_id FROM connectors k WHERE k.tenant_id = e.tenant_id "
    "AND k.station_id = e.station_id AND k.evse_id = e.evse_id AND k.connector_id > 0 ORDER BY 1) AS connectors, "
    "array(SELECT k.status FROM connectors k WHERE k.tenant_id = e.tenant_id AND k.station_id = e.station_id "
    "AND k.evse_id = e.evse_id AND k.connector_id > 0 AND k.status IS NOT NULL) AS statuses, "
    "EXISTS (SELECT FROM sessions x WHERE x.tenant_id = e.tenant_id AND x.station_id = e.station_id AND x.evse_id = e.evse_id "
    "AND x.status = 'active') OR EXISTS (SELECT FROM reservations r WHERE r.tenant_id = e.tenant_id "
    "AND r.station_id = e.station_id AND r.evse_id = e.evse_id AND r.status IN ('requested', 'active')) AS busy "
    "FROM stations s JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
    "JOIN evses e ON e.tenant_id = s.tenant_id AND e.station_id = s.station_id "
)


class Place(msgspec.Struct, frozen=True):
    """A location with the EVSEs that partners may know."""

    details: LocationDetails
    country: str | None
    evses: list[StationEvse]


async def find_place(conn: Connection, tenant_id: int, location_id: UUID) -> Place | None:
    """None: there is no such location, or partners know nothing of it."""
    location = await conn.fetchrow(
        "SELECT roaming, country FROM locations WHERE tenant_id = $1 AND location_id = $2", tenant_id, location_id
    )
    if location is None:
        return None
    details = LocationDetails() if location["roaming"] is None else read_location(location["roaming"])
    if not details.shared:
        return None
    rows = await conn.fetch(
        f"{_EVSE} WHERE s.tenant_id = $1 AND s.location_id = $2 AND s.retired_at IS NULL AND e.evse_id > 0 "
        "ORDER BY s.identity, e.evse_id LIMIT 1000",
        tenant_id,
        location_id,
    )
    evses = [_evse(row) for row in rows]
    return Place(details, location["country"], [evse for evse in evses if evse.details.shared])


async def find_session(conn: Connection, tenant_id: int, session_id: UUID) -> StationSession | None:
    row = await conn.fetchrow(
        "SELECT x.session_id, s.identity AS charge_point_id, x.ocpp_version, x.transaction_ref, x.evse_id, "
        f"x.status = 'active' AS active, {ONLINE} AND s.registration <> 'rejected' AS online, s.location_id, l.country, e.roaming "
        "FROM sessions x JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "LEFT JOIN evses e ON e.tenant_id = x.tenant_id AND e.station_id = x.station_id AND e.evse_id = x.evse_id "
        "WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    if row is None:
        return None
    fields = dict(row)
    return StationSession(details=_details(fields.pop("roaming")), **fields)


def party_of(command: OcpiCommand) -> Folded:
    """The other side, folded."""
    return command.country_code.lower(), command.party_id.lower()


def _details(text: str | None) -> EvseDetails:
    return EvseDetails() if text is None else read_evse(text)


def _evse(row: Any) -> StationEvse:
    fields = dict(row)
    del fields["place"]
    return StationEvse(
        details=_details(fields.pop("roaming")),
        connectors=tuple(fields.pop("connectors")),
        statuses=tuple(fields.pop("statuses")),
        **fields,
    )


def _command(row: Any) -> OcpiCommand:
    fields = {name: row[name] for name in _NAMES}
    fields["request"] = decode_document(fields["request"])
    if fields["result_document"] is not None:
        fields["result_document"] = decode_document(fields["result_document"])
    return OcpiCommand(**fields)


def _due(row: Any) -> Due:
    end = None
    if row["station_status"] is not None:
        result = row["station_result"]
        end = StationEnd(row["station_status"], None if result is None else result.encode(), row["station_error"])
    return Due(
        command=_command(row),
        end=end,
        reservation=row["reservation_status"],
        cancelled_by=row["cancelled_by"],
        session_over=bool(row["session_over"]),
        profile_changed=row["profile_changed"],
        overdue=row["overdue"],
    )
