"""What a handshake needs to know of a station."""

from __future__ import annotations

from datetime import datetime

import msgspec

from csms.domain.operations import Registration
from csms.store.pool import Connection


class StationRecord(msgspec.Struct, frozen=True):
    station_id: int
    identity: str
    registration: Registration
    admission: str
    password_scheme: str | None
    password_hash: bytes | None
    password_salt: bytes | None
    security_profile: int
    certificate_name: str | None
    connection_epoch: int
    ocpp_version: str | None
    retired_at: datetime | None

    @property
    def retired(self) -> bool:
        return self.retired_at is not None


async def find_station(conn: Connection, tenant_id: int, identity: str) -> StationRecord | None:
    """The station with this identity, spelled in any case (the caller compares exactly: rule C2); retired ones too."""
    row = await conn.fetchrow(
        "SELECT station_id, identity, registration, admission, password_scheme, password_hash, password_salt, "
        "security_profile, certificate_name, connection_epoch, ocpp_version, retired_at "
        "FROM stations WHERE tenant_id = $1 AND lower(identity) = lower($2)",
        tenant_id,
        identity,
    )
    return None if row is None else StationRecord(*row)
