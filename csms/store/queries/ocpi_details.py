"""What people enter for partners about EVSEs and connectors (columns `roaming`)."""

from __future__ import annotations

import msgspec

from csms.roaming.details import ConnectorDetails, EvseDetails, read_connector, read_evse
from csms.store.pool import Connection

_STATION = "(SELECT s.station_id FROM stations s WHERE s.tenant_id = $1 AND s.identity = $2 AND s.retired_at IS NULL)"


class StoredEvse(msgspec.Struct, frozen=True):
    """An EVSE as partners may be told of it."""

    emi3_evse_id: str | None
    details: EvseDetails


async def get_evse(conn: Connection, tenant_id: int, identity: str, evse_id: int) -> StoredEvse | None:
    """None when there is no such EVSE."""
    row = await conn.fetchrow(
        f"SELECT emi3_evse_id, roaming FROM evses WHERE tenant_id = $1 AND station_id = {_STATION} AND evse_id = $3 "
        "AND evse_id > 0",
        tenant_id,
        identity,
        evse_id,
    )
    if row is None:
        return None
    return StoredEvse(row["emi3_evse_id"], EvseDetails() if row["roaming"] is None else read_evse(row["roaming"]))


async def put_evse(conn: Connection, tenant_id: int, identity: str, evse_id: int, evse: StoredEvse) -> bool:
    """False when there is no such EVSE."""
    done = await conn.fetchval(
        f"UPDATE evses SET emi3_evse_id = $4, roaming = $5::json WHERE tenant_id = $1 AND station_id = {_STATION} AND evse_id = $3 "
        "AND evse_id > 0 RETURNING true",
        tenant_id,
        identity,
        evse_id,
        evse.emi3_evse_id,
        msgspec.json.encode(evse.details).decode(),
    )
    return done is not None


async def get_connector(
    conn: Connection, tenant_id: int, identity: str, evse_id: int, connector_id: int
) -> ConnectorDetails | None:
    """None when there is no such connector."""
    row = await conn.fetchrow(
        f"SELECT roaming FROM connectors WHERE tenant_id = $1 AND station_id = {_STATION} AND evse_id = $3 AND connector_id = $4 "
        "AND connector_id > 0",
        tenant_id,
        identity,
        evse_id,
        connector_id,
    )
    if row is None:
        return None
    return ConnectorDetails() if row["roaming"] is None else read_connector(row["roaming"])


async def put_connector(
    conn: Connection, tenant_id: int, identity: str, evse_id: int, connector_id: int, details: ConnectorDetails
) -> bool:
    """False when there is no such connector."""
    done = await conn.fetchval(
        f"UPDATE connectors SET roaming = $5::json WHERE tenant_id = $1 AND station_id = {_STATION} AND evse_id = $3 "
        "AND connector_id = $4 AND connector_id > 0 RETURNING true",
        tenant_id,
        identity,
        evse_id,
        connector_id,
        msgspec.json.encode(details).decode(),
    )
    return done is not None
