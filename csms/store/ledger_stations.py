"""Stations in the ledger's transaction: connection epochs, presence, boots, connector status."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from csms.domain.operations import BootStation, Connected, ConnectStation, DisconnectStation, ReportConnectorStatus, SeenStation
from csms.ledger.rows import GoneStation, Presence, StationRow
from csms.store.pool import Connection
from csms.store.unnest import RowType

PROCESS_DEAD_AFTER_S: Final = 60

EVSES_MAX: Final = 500
CONNECTORS_MAX: Final = 50
"""Rows that a station can make by naming numbers, per station and per EVSE; the status of others is published, not kept."""

_STATION_KEY: Final = RowType((("tenant_id", "int4"), ("station_id", "int8")))
_NEW_STATION: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("identity", "text"),
        ("admission", "text"),
        ("password_scheme", "text"),
        ("password_hash", "bytea"),
        ("password_salt", "bytea"),
    )
)
_CONNECT: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("station_id", "int8"),
        ("identity", "text"),
        ("password_hash", "bytea"),
        ("certificate_name", "text"),
        ("process_id", "uuid"),
        ("ocpp_version", "text"),
        ("remote_address", "text"),
        ("security_profile", "int2"),
    )
)
_DISCONNECT: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("epoch", "int8")))
_SEEN: Final = RowType((("tenant_id", "int4"), ("station_id", "int8"), ("epoch", "int8"), ("seen_at", "timestamptz")))
_BOOT: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("station_id", "int8"),
        ("epoch", "int8"),
        ("registration", "text"),
        ("vendor", "text"),
        ("model", "text"),
        ("serial_number", "text"),
        ("firmware_version", "text"),
        ("iccid", "text"),
        ("imsi", "text"),
        ("meter_type", "text"),
        ("meter_serial", "text"),
        ("boot_reason", "text"),
    )
)
_STATUS: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("station_id", "int8"),
        ("evse_id", "int4"),
        ("connector_id", "int4"),
        ("status", "text"),
        ("error_code", "text"),
        ("info", "text"),
        ("vendor_id", "text"),
        ("vendor_error_code", "text"),
        ("status_time", "timestamptz"),
    )
)


class StationStatements:
    connection: Connection

    async def connect_stations(self, ops: Sequence[ConnectStation]) -> list[Connected | None]:
        created: set[tuple[int, str]] = set()
        new = [
            (op.tenant_id, op.identity, op.admission, op.password_scheme, op.password_hash, op.password_salt)
            for op in sorted(ops, key=lambda op: (op.tenant_id, op.identity))
            if op.create
        ]
        if new:
            rows = await self.connection.fetch(
                "INSERT INTO stations (tenant_id, identity, admission, password_scheme, password_hash, password_salt, "
                "seen_on_wire) "
                f"SELECT n.*, true FROM {_NEW_STATION.source('n')} ON CONFLICT (tenant_id, lower(identity)) DO NOTHING "
                "RETURNING tenant_id, identity",
                *_NEW_STATION.parameters(new),
            )
            created = {(row["tenant_id"], row["identity"]) for row in rows}
        # Only the very row and credentials that the handshake was checked against: both may have changed since (a station made
        # by somebody else, a new password), and then the newcomer has proved nothing.
        proved = [op for op in ops if not op.create or (op.tenant_id, op.identity) in created]
        rows = await self.connection.fetch(
            "UPDATE stations s SET connection_epoch = s.connection_epoch + 1, connected_process = c.process_id, "
            "connected_at = now(), last_seen_at = now(), ocpp_version = c.ocpp_version, remote_address = c.remote_address, "
            "security_profile = greatest(s.security_profile, c.security_profile), seen_on_wire = true "
            f"FROM {_CONNECT.source('c')} WHERE s.tenant_id = c.tenant_id AND lower(s.identity) = lower(c.identity) "
            "AND s.identity = c.identity AND (c.station_id = 0 OR s.station_id = c.station_id) "
            "AND s.password_hash IS NOT DISTINCT FROM c.password_hash "
            "AND s.certificate_name IS NOT DISTINCT FROM c.certificate_name AND s.retired_at IS NULL "
            "RETURNING s.tenant_id, s.identity, s.station_id, s.connection_epoch, s.registration, s.vendor, s.model, "
            "s.call_timeout_s, s.offline_epoch = s.connection_epoch - 1 AS was_offline",
            *_CONNECT.parameters(
                (
                    op.tenant_id,
                    0 if op.create else op.station_id,
                    op.identity,
                    op.password_hash,
                    op.certificate_name,
                    op.process_id,
                    op.ocpp_version,
                    op.remote_address,
                    op.security_profile,
                )
                for op in proved
            ),
        )
        found = {(row["tenant_id"], row["identity"]): row for row in rows}
        outcomes: list[Connected | None] = []
        for op in ops:
            key = (op.tenant_id, op.identity)
            row = found.get(key)
            outcomes.append(
                None
                if row is None
                else Connected(
                    row["station_id"],
                    row["connection_epoch"],
                    row["registration"],
                    key in created,
                    row["vendor"],
                    row["model"],
                    row["call_timeout_s"],
                    row["was_offline"],
                )
            )
        return outcomes

    async def disconnect_stations(self, ops: Sequence[DisconnectStation]) -> list[bool]:
        rows = await self.connection.fetch(
            "UPDATE stations s SET connected_process = NULL, disconnected_at = now() "
            f"FROM {_DISCONNECT.source('d')} WHERE s.tenant_id = d.tenant_id AND s.station_id = d.station_id "
            "AND s.connection_epoch = d.epoch AND s.connected_process IS NOT NULL RETURNING s.tenant_id, s.station_id",
            *_DISCONNECT.parameters((op.tenant_id, op.station_id, op.epoch) for op in ops),
        )
        done = {(row["tenant_id"], row["station_id"]) for row in rows}
        return [(op.tenant_id, op.station_id) in done for op in ops]

    async def see_stations(self, process_id: UUID, seen: Sequence[SeenStation], *, look_around: bool) -> Presence:
        back: list[SeenStation] = []
        overtaken: list[SeenStation] = []
        was_away = await self.connection.fetchval(
            "SELECT seen_at < now() - make_interval(secs => $2) FROM gateway_processes WHERE process_id = $1",
            process_id,
            PROCESS_DEAD_AFTER_S / 2,
        )
        await self.connection.execute(
            "INSERT INTO gateway_processes (process_id) VALUES ($1) ON CONFLICT (process_id) DO UPDATE SET seen_at = now()",
            process_id,
        )
        if seen:
            # a row that another transaction holds is seen by that one's message anyway
            rows = await self.connection.fetch(
                "WITH heard AS (SELECT s.tenant_id, s.station_id, h.seen_at, "
                "s.connected_process IS NULL AND s.connection_epoch = h.epoch AS is_back, s.connection_epoch > h.epoch AS is_old "
                f"FROM {_SEEN.source('h')} JOIN stations s USING (tenant_id, station_id) FOR UPDATE OF s SKIP LOCKED), "
                "noted AS (UPDATE stations s SET last_seen_at = heard.seen_at, "
                # this process was taken for dead, and is not
                f"connected_process = CASE WHEN heard.is_back THEN ${len(_SEEN.columns) + 1} ELSE s.connected_process END "
                "FROM heard WHERE s.tenant_id = heard.tenant_id AND s.station_id = heard.station_id) "
                "SELECT tenant_id, station_id, is_back FROM heard WHERE is_back OR is_old",
                *_SEEN.parameters(seen),
                process_id,
            )
            noted = {(row["tenant_id"], row["station_id"]): row["is_back"] for row in rows}
            back = [sign for sign in seen if noted.get((sign.tenant_id, sign.station_id)) is True]
            overtaken = [sign for sign in seen if noted.get((sign.tenant_id, sign.station_id)) is False]
        if not look_around:
            return Presence([], back, overtaken)
        if was_away:
            # the store was away for all of us: give the others the time to come back before calling them dead
            return Presence([], back, overtaken)
        rows = await self.connection.fetch(
            "WITH dead AS (SELECT s.tenant_id, s.station_id FROM stations s "
            "LEFT JOIN gateway_processes p ON p.process_id = s.connected_process WHERE s.connected_process IS NOT NULL "
            "AND coalesce(p.seen_at, s.connected_at) < now() - make_interval(secs => $1) "
            "ORDER BY 1, 2 LIMIT 1000 FOR UPDATE OF s SKIP LOCKED) "
            "UPDATE stations s SET connected_process = NULL, disconnected_at = now() FROM dead "
            "WHERE s.tenant_id = dead.tenant_id AND s.station_id = dead.station_id RETURNING s.tenant_id, s.station_id",
            float(PROCESS_DEAD_AFTER_S),
        )
        await self.connection.execute("DELETE FROM gateway_processes WHERE seen_at < now() - interval '1 day'")
        return Presence([(row["tenant_id"], row["station_id"]) for row in rows], back, overtaken)

    async def tell_offline(self, after: timedelta, limit: int) -> list[GoneStation]:
        rows = await self.connection.fetch(
            "WITH gone AS (SELECT tenant_id, station_id FROM stations WHERE connected_process IS NULL "
            "AND offline_epoch < connection_epoch AND disconnected_at < now() - $1::interval "
            "ORDER BY tenant_id, station_id LIMIT $2 FOR UPDATE SKIP LOCKED) "
            "UPDATE stations s SET offline_epoch = s.connection_epoch FROM gone "
            "WHERE s.tenant_id = gone.tenant_id AND s.station_id = gone.station_id "
            "RETURNING s.tenant_id, s.station_id, s.connection_epoch, s.disconnected_at",
            after,
            limit,
        )
        return sorted(GoneStation(*row) for row in rows)

    async def tell_online(self, keys: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
        rows = await self.connection.fetch(
            "UPDATE stations s SET offline_epoch = s.connection_epoch - 1 "
            f"FROM {_STATION_KEY.source('k')} WHERE s.tenant_id = k.tenant_id AND s.station_id = k.station_id "
            "AND s.connected_process IS NOT NULL AND s.offline_epoch = s.connection_epoch RETURNING s.tenant_id, s.station_id",
            *_STATION_KEY.parameters(sorted(keys)),
        )
        return sorted((row[0], row[1]) for row in rows)

    async def lock_stations(self, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], StationRow]:
        rows = await self.connection.fetch(
            "SELECT s.tenant_id, s.station_id, s.identity, s.registration, s.admission, s.connection_epoch, "
            "s.retired_at IS NOT NULL "
            f"FROM {_STATION_KEY.source('k')} JOIN stations s USING (tenant_id, station_id) "
            "ORDER BY s.tenant_id, s.station_id FOR UPDATE OF s",
            *_STATION_KEY.parameters(sorted(keys)),
        )
        return {(row[0], row[1]): StationRow(*row) for row in rows}

    async def boot_stations(self, ops: Sequence[BootStation], registrations: Sequence[str]) -> None:
        await self.connection.execute(
            "UPDATE stations s SET registration = b.registration, vendor = b.vendor, model = b.model, "
            "serial_number = b.serial_number, firmware_version = b.firmware_version, iccid = b.iccid, imsi = b.imsi, "
            "meter_type = b.meter_type, meter_serial = b.meter_serial, boot_reason = b.boot_reason, booted_at = now(), "
            f"last_seen_at = now(), updated_at = now() FROM {_BOOT.source('b')} "
            "WHERE s.tenant_id = b.tenant_id AND s.station_id = b.station_id AND s.connection_epoch = b.epoch",
            *_BOOT.parameters(
                (
                    op.tenant_id,
                    op.station_id,
                    op.epoch,
                    registration,
                    op.vendor,
                    op.model,
                    op.serial_number,
                    op.firmware_version,
                    op.iccid,
                    op.imsi,
                    op.meter_type,
                    op.meter_serial,
                    op.reason,
                )
                for op, registration in zip(ops, registrations, strict=True)
            ),
        )

    async def set_connector_status(self, ops: Sequence[ReportConnectorStatus]) -> None:
        rows = _STATUS.parameters(
            (
                op.tenant_id,
                op.station_id,
                op.evse_id,
                op.connector_id,
                op.status,
                op.error_code,
                op.info,
                op.vendor_id,
                op.vendor_error_code,
                None if op.time is None else op.time.ts,
            )
            for op in sorted(ops, key=lambda op: (op.tenant_id, op.station_id))
        )
        if await self._store_status(rows):
            await self.connection.execute(
                "INSERT INTO evses (tenant_id, station_id, evse_id, seen_on_wire) "
                f"SELECT n.tenant_id, n.station_id, n.evse_id, true FROM {_STATUS.source('n')} WHERE (SELECT count(*) FROM evses e "
                f"WHERE e.tenant_id = n.tenant_id AND e.station_id = n.station_id) < {EVSES_MAX} ON CONFLICT DO NOTHING",
                *rows,
            )
            await self._store_status(rows)

    async def _store_status(self, rows: Sequence[Sequence[Any]]) -> bool:
        """Store what connectors of known EVSEs have told of themselves; True when some of the EVSEs are not known."""
        unknown: bool = await self.connection.fetchval(
            f"WITH n AS (SELECT * FROM {_STATUS.source('n')}), stored AS ("
            "INSERT INTO connectors (tenant_id, station_id, evse_id, connector_id, status, error_code, info, vendor_id, "
            "vendor_error_code, status_time, status_recorded_at, seen_on_wire) "
            "SELECT n.*, now(), true FROM n JOIN evses e USING (tenant_id, station_id, evse_id) "
            "WHERE (SELECT count(*) FROM connectors k WHERE k.tenant_id = n.tenant_id AND k.station_id = n.station_id "
            f"AND k.evse_id = n.evse_id AND k.connector_id <> n.connector_id) < {CONNECTORS_MAX} "
            "ON CONFLICT (tenant_id, station_id, evse_id, connector_id) DO UPDATE SET status = excluded.status, "
            "error_code = excluded.error_code, info = excluded.info, vendor_id = excluded.vendor_id, "
            "vendor_error_code = excluded.vendor_error_code, status_time = excluded.status_time, "
            "status_recorded_at = excluded.status_recorded_at "
            # a status that is older than the stored one (a queue that came late) does not replace it;
            # but a clock that once ran ahead must not freeze the connector
            "WHERE connectors.status_time IS NULL OR excluded.status_time IS NULL "
            "OR excluded.status_time >= least(connectors.status_time, connectors.status_recorded_at)) "
            "SELECT EXISTS (SELECT FROM n WHERE NOT EXISTS (SELECT FROM evses e "
            "WHERE e.tenant_id = n.tenant_id AND e.station_id = n.station_id AND e.evse_id = n.evse_id))",
            *rows,
        )
        return unknown


def hold_lanes(keys: Collection[tuple[int, int]]) -> str:
    """The statement that holds these stations' lanes to the end of the transaction; empty for none of them."""
    lanes = ",".join(str(_lane(*key)) for key in sorted(keys))
    return lanes and f"SELECT count(pg_advisory_xact_lock(lane)) FROM unnest('{{{lanes}}}'::int8[]) AS lane"


def _lane(tenant_id: int, station_id: int) -> int:
    """The key of a station's advisory lock: 64 bits, signed. Two stations that share one wait for each other, no more."""
    return ((tenant_id << 44 ^ station_id) & 0xFFFF_FFFF_FFFF_FFFF) - (1 << 63)
