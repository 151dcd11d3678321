"""Reservations of stations: what changes them tells it in the outbox, in the same statement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.domain.reservations import Answer, End, Status, Use, answer_of
from csms.store.pool import Connection
from csms.store.queries.stations import ONLINE
from csms.store.unnest import RowType


class OcpiKey(msgspec.Struct, frozen=True):
    """Whose reservation it is in OCPI, and its id there (M10). Codes in capitals; ids are compared without regard to case."""

    reservation_id: str
    country_code: str
    party_id: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What may change when a reservation is replaced (M6). `evse_id` None: any of the station."""

    evse_id: int | None
    id_token: str
    id_token_type: str
    group_id_token: str | None
    expires_at: datetime


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """`reservation_id` is OCPP's. `replacing`: the station has been asked for other terms, and has not answered. `ocpi_session_id`:
    by which its party is told of it (E5)."""

    reservation_id: int
    station_id: int
    charge_point_id: str
    evse_id: int | None
    id_token: str
    id_token_type: str
    group_id_token: str | None
    status: Status
    status_reason: str | None
    expires_at: datetime
    replacing: bool
    ocpi_reservation_id: str | None
    ocpi_country_code: str | None
    ocpi_party_id: str | None
    ocpi_session_id: UUID | None
    session_id: UUID | None
    command_id: UUID | None
    requested_by: str
    cancelled_by: str | None
    created_at: datetime
    updated_at: datetime


class Evse(msgspec.Struct, frozen=True):
    """An EVSE as far as it is known. `statuses`: of its connectors; `charging`, `reserved`: there is one open on it."""

    evse_id: int
    statuses: list[str]
    charging: bool
    reserved: bool


class Surroundings(msgspec.Struct, frozen=True):
    """What a new reservation has to fit in with. `anywhere`: open reservations that name no EVSE; `variables`: of the station's
    ReservationCtrlr (OCPP 2.x), in lower case."""

    station_id: int
    registration: str
    online: bool
    evses: list[Evse]
    anywhere: int
    variables: dict[str, str]


_LOCK_KEY: Final = 0x72737672  # "rsvr"
_OPEN: Final = "status IN ('requested', 'active')"
_COLUMNS: Final = (
    "r.reservation_id, r.station_id, s.identity AS charge_point_id, r.evse_id, r.id_token, r.id_token_type, r.group_id_token, "
    "r.status, r.status_reason, r.expires_at, r.replacement IS NOT NULL AS replacing, r.ocpi_reservation_id, r.ocpi_country_code, "
    "r.ocpi_party_id, r.ocpi_session_id, r.session_id, r.command_id, r.requested_by, r.cancelled_by, r.created_at, r.updated_at"
)
_FROM: Final = "reservations r JOIN stations s ON s.tenant_id = r.tenant_id AND s.station_id = r.station_id"
_TELL: Final = (
    "INSERT INTO outbox (tenant_id, type, station_id, session_id, occurred_at, data) "
    "SELECT c.tenant_id, 'reservation.' || c.told, c.station_id, c.session_id, now(), json_build_object("
    "'reservation_id', c.reservation_id, 'status', c.status, 'reason', c.status_reason, 'evse_id', c.evse_id, "
    "'expires_at', to_char(c.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'session_id', c.session_id, "
    "'ocpi_reservation_id', c.ocpi_reservation_id, 'ocpi_country_code', c.ocpi_country_code, 'ocpi_party_id', c.ocpi_party_id, "
    "'ocpi_session_id', c.ocpi_session_id, "
    "'requested_by', c.requested_by, 'cancelled_by', c.cancelled_by) FROM changed c WHERE c.told IS NOT NULL"
)
_REPLACED: Final = "evse_id, id_token, id_token_type, group_id_token, expires_at"

_USE: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("reservation_id", "int8"), ("session_id", "uuid")))
_END: Final = RowType(
    (("tenant_id", "int4"), ("station_id", "int8"), ("reservation_id", "int8"), ("status", "text"), ("reason", "text"))
)
_ANSWER: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("command_id", "uuid"), ("refusal", "text")))


# -- what happens to reservations


async def note_uses(conn: Connection, uses: Sequence[Use]) -> None:
    """Sessions began with them: also with one that was taken for over, as clocks differ."""
    await conn.execute(
        "WITH changed AS (UPDATE reservations r SET status = 'used', status_reason = NULL, replacement = NULL, "
        "session_id = n.session_id, updated_at = now() "
        f"FROM {_USE.source('n')} WHERE r.tenant_id = n.tenant_id AND r.station_id = n.station_id "
        "AND r.reservation_id = n.reservation_id AND r.status <> 'used' RETURNING r.*, 'used' AS told) " + _TELL,
        *_USE.parameters(uses),
    )


async def note_ends(conn: Connection, ends: Sequence[End]) -> None:
    """Their stations ended them."""
    await conn.execute(
        "WITH changed AS (UPDATE reservations r SET status = n.status, status_reason = n.reason, replacement = NULL, "
        "ended_at = now(), updated_at = now() "
        f"FROM {_END.source('n')} WHERE r.tenant_id = n.tenant_id AND r.station_id = n.station_id "
        f"AND r.reservation_id = n.reservation_id AND r.{_OPEN} RETURNING r.*, r.status AS told) " + _TELL,
        *_END.parameters(ends),
    )


async def note_answers(conn: Connection, answers: Sequence[Answer]) -> None:
    """Commands about them ended. What an answer has done already is not done again.

    A station that refuses to cancel knows no such reservation; one that did not answer may have it still.
    """
    made = [(a.tenant_id, a.station_id, a.command_id, a.refusal) for a in answers if not a.cancels]
    if made:
        await conn.execute(
            "WITH changed AS (UPDATE reservations r SET "
            "status = CASE WHEN n.refusal IS NULL OR r.replacement IS NOT NULL THEN 'active' ELSE 'refused' END, "
            f"status_reason = n.refusal, ({_REPLACED}) = (SELECT p.evse_id, p.id_token, p.id_token_type, p.group_id_token, "
            "p.expires_at FROM json_populate_record(r, CASE WHEN n.refusal IS NULL THEN coalesce(r.replacement, '{}'::json) "
            "ELSE '{}'::json END) p), replacement = NULL, shown_at = NULL, "
            "made_at = CASE WHEN n.refusal IS NULL THEN coalesce(r.made_at, now()) ELSE r.made_at END, updated_at = now() "
            f"FROM {_ANSWER.source('n')} WHERE r.tenant_id = n.tenant_id AND r.station_id = n.station_id "
            f"AND r.command_id = n.command_id AND r.{_OPEN} AND (r.status = 'requested' OR r.replacement IS NOT NULL) "
            "RETURNING r.*, CASE WHEN n.refusal IS NULL THEN 'made' END AS told) " + _TELL,
            *_ANSWER.parameters(made),
        )
    cancelled = [(a.tenant_id, a.station_id, a.command_id, a.refusal) for a in answers if a.cancels]
    if cancelled:
        await conn.execute(
            "WITH changed AS (UPDATE reservations r SET status = 'cancelled', replacement = NULL, ended_at = now(), "
            "updated_at = now(), status_reason = CASE WHEN n.refusal IS NULL THEN 'ordered' ELSE 'unknown_to_station' END "
            f"FROM {_ANSWER.source('n')} WHERE r.tenant_id = n.tenant_id AND r.station_id = n.station_id "
            f"AND r.cancel_command_id = n.command_id AND r.{_OPEN} AND coalesce(n.refusal, 'rejected') = 'rejected' "
            "RETURNING r.*, 'cancelled' AS told) " + _TELL,
            *_ANSWER.parameters(cancelled),
        )


async def settle(conn: Connection, limit: int) -> int:
    """What nobody has told: reservations that ran out, that wait for a command which has ended or was never sent, and of OCPP 1.6
    stations those that their connectors show no more. Of all tenants; gives how many were looked at."""
    open_rows = await conn.fetch(
        "SELECT r.tenant_id, r.station_id, c.command_id, c.command, c.status, c.result::text, c.error FROM reservations r "
        "JOIN commands c ON c.tenant_id = r.tenant_id AND c.command_id IN (r.command_id, r.cancel_command_id) "
        f"WHERE r.{_OPEN} AND c.status NOT IN ('queued', 'sent') "
        "AND (r.cancel_command_id = c.command_id AND c.status IN ('accepted', 'rejected') "
        "OR r.command_id = c.command_id AND (r.status = 'requested' OR r.replacement IS NOT NULL)) "
        "LIMIT $1 FOR UPDATE OF r SKIP LOCKED",
        limit,
    )
    answers = [
        answer_of(
            row["tenant_id"],
            row["station_id"],
            row["command_id"],
            row["command"],
            row["status"],
            None if row["result"] is None else row["result"].encode(),
            row["error"],
        )
        for row in open_rows
    ]
    await note_answers(conn, answers)
    over = await conn.fetch(
        "WITH due AS (SELECT r.tenant_id, r.reservation_id, "
        "CASE WHEN r.status = 'active' AND r.expires_at <= now() THEN 'expired' WHEN r.status = 'active' THEN 'cancelled' "
        "ELSE 'refused' END AS status, "
        "CASE WHEN r.status = 'requested' THEN 'failed' WHEN r.expires_at > now() THEN 'removed' END AS reason "
        "FROM reservations r JOIN stations s USING (tenant_id, station_id) "
        f"WHERE r.{_OPEN} AND ("
        # ordered by a process that was gone before the command was recorded
        "r.status = 'requested' AND r.updated_at < now() - interval '1 min' AND NOT EXISTS (SELECT FROM commands c "
        "WHERE c.tenant_id = r.tenant_id AND c.command_id = r.command_id) "
        "OR r.status = 'active' AND r.expires_at <= now() "
        # 1.6 does not tell of the end of a reservation, but of what its connector has become
        "OR r.status = 'active' AND s.ocpp_version = 'ocpp1.6' AND EXISTS (SELECT FROM connectors k "
        "WHERE k.tenant_id = r.tenant_id AND k.station_id = r.station_id AND k.evse_id = r.evse_id "
        "AND (k.status IN ('Faulted', 'Unavailable') AND k.status_recorded_at > r.updated_at "
        "OR k.status = 'Available' AND k.status_recorded_at > r.shown_at))) "
        "LIMIT $1 FOR UPDATE OF r SKIP LOCKED), "
        "changed AS (UPDATE reservations r SET status = due.status, status_reason = due.reason, replacement = NULL, "
        "ended_at = CASE WHEN due.status <> 'refused' THEN now() END, updated_at = now() "
        "FROM due WHERE r.tenant_id = due.tenant_id AND r.reservation_id = due.reservation_id "
        "RETURNING r.*, CASE WHEN r.status <> 'refused' THEN r.status END AS told), "
        f"told AS ({_TELL}) SELECT count(*) AS count FROM changed",
        limit,
    )
    # asked to become another one by a process that was gone before the command was recorded
    await conn.execute(
        f"UPDATE reservations r SET replacement = NULL WHERE r.{_OPEN} AND r.status = 'active' AND r.replacement IS NOT NULL "
        "AND r.updated_at < now() - interval '1 min' AND NOT EXISTS (SELECT FROM commands c "
        "WHERE c.tenant_id = r.tenant_id AND c.command_id = r.command_id)"
    )
    await conn.execute(
        "UPDATE reservations r SET shown_at = k.status_recorded_at FROM connectors k, stations s "
        f"WHERE r.{_OPEN} AND r.status = 'active' AND r.shown_at IS NULL AND s.tenant_id = r.tenant_id "
        "AND s.station_id = r.station_id AND s.ocpp_version = 'ocpp1.6' AND k.tenant_id = r.tenant_id "
        "AND k.station_id = r.station_id AND k.evse_id = r.evse_id AND k.status = 'Reserved'"
    )
    return len(open_rows) + int(over[0]["count"])


# -- orders


async def hold_station(conn: Connection, tenant_id: int, identity: str) -> Surroundings | None:
    """What is known of a station; nobody else of the tenant reserves until the transaction ends. None: there is none, or it is
    retired."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK_KEY, tenant_id)
    station = await conn.fetchrow(
        f"SELECT s.station_id, s.registration, {ONLINE} AS online FROM stations s "
        "WHERE s.tenant_id = $1 AND s.identity = $2 AND s.retired_at IS NULL",
        tenant_id,
        identity,
    )
    if station is None:
        return None
    station_id = station["station_id"]
    evses = await conn.fetch(
        "SELECT e.evse_id, array_remove(array_agg(k.status), NULL) AS statuses, "
        "EXISTS (SELECT FROM sessions x WHERE x.tenant_id = e.tenant_id AND x.station_id = e.station_id AND x.status = 'active' "
        "AND x.evse_id = e.evse_id) AS charging, "
        "EXISTS (SELECT FROM reservations r WHERE r.tenant_id = e.tenant_id AND r.station_id = e.station_id "
        f"AND r.{_OPEN} AND e.evse_id IN (r.evse_id, (r.replacement ->> 'evse_id')::int4)) AS reserved "
        "FROM evses e LEFT JOIN connectors k USING (tenant_id, station_id, evse_id) "
        "WHERE e.tenant_id = $1 AND e.station_id = $2 AND e.evse_id > 0 GROUP BY e.tenant_id, e.station_id, e.evse_id "
        "ORDER BY e.evse_id",
        tenant_id,
        station_id,
    )
    anywhere = await conn.fetchval(
        f"SELECT count(*) FROM reservations r WHERE r.tenant_id = $1 AND r.station_id = $2 AND r.{_OPEN} AND r.evse_id IS NULL",
        tenant_id,
        station_id,
    )
    variables = await conn.fetch(
        "SELECT variable, lower(value) FROM device_variables WHERE tenant_id = $1 AND station_id = $2 "
        "AND component = 'ReservationCtrlr' AND component_instance = '' AND evse_id = 0 AND connector_id = 0 "
        "AND variable_instance = '' AND attribute = 'Actual' AND value IS NOT NULL",
        tenant_id,
        station_id,
    )
    return Surroundings(
        station_id,
        station["registration"],
        station["online"],
        [Evse(*row) for row in evses],
        anywhere,
        {row[0]: row[1] for row in variables},
    )


async def insert_reservation(
    conn: Connection,
    tenant_id: int,
    station_id: int,
    terms: Terms,
    command_id: UUID,
    requested_by: str,
    ocpi: OcpiKey | None,
    ocpi_session_id: UUID | None = None,
) -> int:
    """Record what the station is about to be asked for; gives its number."""
    number: int = await conn.fetchval(
        f"INSERT INTO reservations (tenant_id, station_id, {_REPLACED}, command_id, requested_by, ocpi_reservation_id, "
        "ocpi_country_code, ocpi_party_id, ocpi_session_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
        "RETURNING reservation_id",
        tenant_id,
        station_id,
        *msgspec.structs.astuple(terms),
        command_id,
        requested_by,
        *((None, None, None) if ocpi is None else msgspec.structs.astuple(ocpi)),
        ocpi_session_id,
    )
    return number


async def replace_reservation(
    conn: Connection, tenant_id: int, reservation_id: int, terms: Terms, command_id: UUID, requested_by: str
) -> None:
    """Record the other terms that the station is about to be asked for; the present ones hold until it has taken them."""
    await conn.execute(
        "UPDATE reservations SET replacement = $3::json, command_id = $4, requested_by = $5, updated_at = now() "
        f"WHERE tenant_id = $1 AND reservation_id = $2 AND {_OPEN}",
        tenant_id,
        reservation_id,
        msgspec.json.encode(terms).decode(),
        command_id,
        requested_by,
    )


async def try_elsewhere(conn: Connection, tenant_id: int, reservation_id: int, evse_id: int, command_id: UUID) -> None:
    """Its station refused one EVSE and is about to be asked for another."""
    await conn.execute(
        "UPDATE reservations SET status = 'requested', status_reason = NULL, evse_id = $3, command_id = $4, updated_at = now() "
        "WHERE tenant_id = $1 AND reservation_id = $2 AND status = 'refused'",
        tenant_id,
        reservation_id,
        evse_id,
        command_id,
    )


async def order_cancellation(conn: Connection, tenant_id: int, reservation_id: int, command_id: UUID, by: str) -> None:
    await conn.execute(
        "UPDATE reservations SET cancel_command_id = $3, cancelled_by = $4 "
        f"WHERE tenant_id = $1 AND reservation_id = $2 AND {_OPEN}",
        tenant_id,
        reservation_id,
        command_id,
        by,
    )


# -- reading


async def get_reservation(conn: Connection, tenant_id: int, reservation_id: int, *, lock: bool = False) -> Reservation | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.tenant_id = $1 AND r.reservation_id = $2 {'FOR UPDATE OF r' if lock else ''}",
        tenant_id,
        reservation_id,
    )
    return None if row is None else Reservation(**row)


async def find_ocpi(conn: Connection, tenant_id: int, key: OcpiKey) -> Reservation | None:
    """The newest reservation with this id of this party, an open one before all others."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.tenant_id = $1 AND r.ocpi_country_code = $2 AND r.ocpi_party_id = $3 "
        f"AND lower(r.ocpi_reservation_id) = lower($4) ORDER BY (r.{_OPEN}) DESC, r.created_at DESC LIMIT 1",
        tenant_id,
        key.country_code,
        key.party_id,
        key.reservation_id,
    )
    return None if row is None else Reservation(**row)


async def list_reservations(
    conn: Connection, tenant_id: int, before: int | None, limit: int, *, status: Status | None, charge_point_id: str | None
) -> list[Reservation]:
    """The newest first."""
    parameters: list[Any] = [tenant_id, before, limit, status, charge_point_id]
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.tenant_id = $1 AND ($2::int4 IS NULL OR r.reservation_id < $2) "
        "AND ($4::text IS NULL OR r.status = $4) AND ($5::text IS NULL OR s.identity = $5) "
        "ORDER BY r.reservation_id DESC LIMIT $3",
        *parameters,
    )
    return [Reservation(**row) for row in rows]
