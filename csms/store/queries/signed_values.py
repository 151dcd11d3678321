"""Signed meter values of sessions, as received; and the public keys of meters, whose history is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.domain.metering import CONTEXT_NUMBER, CONTEXTS, Channel
from csms.signed_metering import MeterKey, SignedValue, read_signed_value
from csms.store.pool import Connection

MOST_VALUES: Final = 1_000
"""Of one session; those of its begin and its end first."""
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of all values of one session together."""
MOST_KEYS: Final = 1_000
"""Of one charge point, with its history."""

_read_shape: Final = msgspec.json.Decoder(tuple[Channel, ...]).decode
_BOUNDS: Final = [CONTEXT_NUMBER["Transaction.Begin"], CONTEXT_NUMBER["Transaction.End"]]


async def signed_values(conn: Connection, tenant_id: int, session_id: UUID) -> list[SignedValue]:
    """The signed meter values of a session in the order of time, each once; empty when there are none (any more: they are
    kept as long as the readings)."""
    rows = await conn.fetch(
        "SELECT * FROM (SELECT r.ts, r.context, r.texts, coalesce(r.shape, h.shape) AS shape, r.recorded_at, "
        "sum(octet_length(array_to_string(r.texts, ''))) OVER "
        "(ORDER BY r.context <> ALL($3), r.ts, r.recorded_at, r.ctid) AS bytes FROM samples r "
        "LEFT JOIN sample_shapes h ON h.tenant_id = r.tenant_id AND h.shape_id = r.shape_id "
        "WHERE r.tenant_id = $1 AND r.session_id = $2 AND r.texts IS NOT NULL "
        "ORDER BY r.context <> ALL($3), r.ts, r.recorded_at, r.ctid LIMIT $4) AS found WHERE bytes <= $5",
        tenant_id,
        session_id,
        _BOUNDS,
        MOST_VALUES,
        MOST_BYTES,
    )
    found: dict[SignedValue, datetime] = {}
    for row in rows:
        context = CONTEXTS[row["context"]]
        for channel, text in zip(_read_shape(row["shape"]), row["texts"], strict=True):
            if text is not None:
                value = read_signed_value(text, signed=channel.format == "SignedData", context=context, time=row["ts"])
                if value is not None:
                    found.setdefault(value, row["ts"] or row["recorded_at"])
    # at one moment the begin comes first and the end last
    natures = {"Start": 0, "Intermediate": 1, "End": 2}
    return sorted(found, key=lambda value: (found[value], natures[value.nature]))[:MOST_VALUES]


class SessionMeter(msgspec.Struct, frozen=True):
    """At which meter a session was; `start` is by our own clock where the station had none."""

    station_id: int
    evse_id: int | None
    connector_id: int | None
    id_token: str | None
    transaction_id: str
    start: datetime
    samples_gone: bool
    """Its readings are past their retention."""


async def session_meter(conn: Connection, tenant_id: int, session_id: UUID) -> SessionMeter | None:
    row = await conn.fetchrow(
        "SELECT x.station_id, x.evse_id, x.connector_id, x.id_token, x.transaction_ref, coalesce(x.start_time, x.created_at), "
        "coalesce(x.created_at < now() - make_interval(days => t.samples_kept_days), false) "
        "FROM sessions x JOIN tenants t ON t.tenant_id = x.tenant_id WHERE x.tenant_id = $1 AND x.session_id = $2",
        tenant_id,
        session_id,
    )
    return None if row is None else SessionMeter(*row)


_KEY: Final = "key_id, evse_id, connector_id, meter_serial, public_key, valid_from, valid_until, created_by, created_at"


async def find_station(conn: Connection, tenant_id: int, identity: str, *, lock: bool = False) -> int | None:
    """The internal id of a charge point that is not retired."""
    found: int | None = await conn.fetchval(
        "SELECT station_id FROM stations WHERE tenant_id = $1 AND identity = $2 AND retired_at IS NULL"
        + (" FOR NO KEY UPDATE" if lock else ""),
        tenant_id,
        identity,
    )
    return found


async def meter_keys(conn: Connection, tenant_id: int, station_id: int) -> list[MeterKey]:
    """All public keys that were ever registered for a charge point, the newest first; at most MOST_KEYS."""
    rows = await conn.fetch(
        f"SELECT {_KEY} FROM meter_public_keys WHERE tenant_id = $1 AND station_id = $2 "
        "ORDER BY valid_from DESC, key_id DESC LIMIT $3",
        tenant_id,
        station_id,
        MOST_KEYS,
    )
    return [MeterKey(*row) for row in rows]


class KeyBefore(Exception):
    """A key of the same meter is valid from then or from later on already."""


class TooManyKeys(Exception):
    """The charge point has MOST_KEYS keys already."""


async def register_key(conn: Connection, tenant_id: int, station_id: int, key: MeterKey) -> MeterKey:
    """Register a key; that of the same meter which was valid until now is so no longer. The one that is valid already stays, and is
    given back. The charge point's row must be locked. Raises KeyBefore and TooManyKeys."""
    rows = await conn.fetch(
        f"SELECT {_KEY} FROM meter_public_keys WHERE tenant_id = $1 AND station_id = $2 AND evse_id IS NOT DISTINCT FROM $3 "
        "AND connector_id IS NOT DISTINCT FROM $4 AND meter_serial IS NOT DISTINCT FROM $5 ORDER BY valid_from DESC LIMIT 1",
        tenant_id,
        station_id,
        key.evse_id,
        key.connector_id,
        key.meter_serial,
    )
    newest = MeterKey(*rows[0]) if rows else None
    if newest is not None and newest.public_key == key.public_key:
        return newest
    if newest is not None and newest.valid_from >= key.valid_from:
        raise KeyBefore
    count: int = await conn.fetchval(
        "SELECT count(*) FROM meter_public_keys WHERE tenant_id = $1 AND station_id = $2", tenant_id, station_id
    )
    if count >= MOST_KEYS:
        raise TooManyKeys
    if newest is not None:
        await conn.execute(
            "UPDATE meter_public_keys SET valid_until = $3 WHERE tenant_id = $1 AND key_id = $2",
            tenant_id,
            newest.key_id,
            key.valid_from,
        )
    row = await conn.fetchrow(
        "INSERT INTO meter_public_keys (tenant_id, station_id, key_id, evse_id, connector_id, meter_serial, public_key, "
        f"valid_from, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_KEY}",
        tenant_id,
        station_id,
        key.key_id,
        key.evse_id,
        key.connector_id,
        key.meter_serial,
        key.public_key,
        key.valid_from,
        key.created_by,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return MeterKey(*row)
