"""Who has vouched for which token (ocpi_authorizations), and where a token is shown."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

import msgspec

from csms.roaming.details import LocationDetails, read_location
from csms.store.pool import Connection
from csms.store.queries.ocpi_tokens import ForeignToken

Method = Literal["AUTH_REQUEST", "COMMAND"]


class AskedPlace(msgspec.Struct, frozen=True):
    """Where a token is shown. `location_id` None: the station stands at none; `evse_uid` None: nobody says at which EVSE."""

    station_id: int
    location_id: UUID | None
    evse_uid: UUID | None
    details: LocationDetails | None


_INSERT: Final = (
    "INSERT INTO ocpi_authorizations "
    "(tenant_id, authorization_id, country_code, party_id, token_key, method, reference, station_id) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
)


async def insert_authorization(
    conn: Connection,
    tenant_id: int,
    authorization_id: UUID,
    token: ForeignToken,
    method: Method,
    reference: str | None,
    station_id: int | None,
) -> None:
    """The party of `token` answers for it; `token` is what a station shows, be it an alias."""
    await conn.execute(
        _INSERT, tenant_id, authorization_id, token.country_code, token.party_id, token.key, method, reference, station_id
    )


async def find_asked_place(conn: Connection, tenant_id: int, charge_point_id: str, evse_id: int | None) -> AskedPlace | None:
    """None: there is no such station. OCPP 1.6 has one connector on each EVSE, and names it alike."""
    row = await conn.fetchrow(
        "SELECT s.station_id, l.location_id, e.evse_uid, l.roaming FROM stations s "
        "LEFT JOIN locations l ON l.tenant_id = s.tenant_id AND l.location_id = s.location_id "
        "LEFT JOIN evses e ON e.tenant_id = s.tenant_id AND e.station_id = s.station_id AND e.evse_id = $3 AND e.evse_id > 0 "
        "WHERE s.tenant_id = $1 AND s.identity = $2",
        tenant_id,
        charge_point_id,
        evse_id,
    )
    if row is None:
        return None
    return AskedPlace(row[0], row[1], row[2], None if row[3] is None else read_location(row[3]))
