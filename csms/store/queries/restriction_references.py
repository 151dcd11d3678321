"""What restrictions name must be there when they are written: a name that is nobody's would allow nothing."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from csms.domain.restrictions import Restrictions
from csms.store.pool import Connection


class Named(msgspec.Struct, frozen=True):
    """What is there of what restrictions name; identities in lower case."""

    charge_points: frozenset[str]
    station_groups: frozenset[UUID]
    locations: frozenset[UUID]

    def missing(self, restrictions: Restrictions) -> str | None:
        """The member that names something which is not there."""
        if any(identity.lower() not in self.charge_points for identity in restrictions.charge_points):
            return "charge_points"
        if not self.station_groups.issuperset(restrictions.station_groups):
            return "station_groups"
        if not self.locations.issuperset(restrictions.locations):
            return "locations"
        return None


async def find_named(conn: Connection, tenant_id: int, all_restrictions: Collection[Restrictions]) -> Named:
    """What is there of what they name."""
    identities = {identity.lower() for r in all_restrictions for identity in r.charge_points}
    groups = {group for r in all_restrictions for group in r.station_groups}
    locations = {location for r in all_restrictions for location in r.locations}
    if not (identities or groups or locations):
        return Named(frozenset(), frozenset(), frozenset())
    rows = await conn.fetch(
        "SELECT lower(identity) AS name, NULL::uuid AS id, 'station' AS kind FROM stations "
        "WHERE tenant_id = $1 AND retired_at IS NULL AND lower(identity) = ANY($2::text[]) "
        "UNION ALL SELECT NULL, group_id, 'group' FROM station_groups WHERE tenant_id = $1 AND group_id = ANY($3::uuid[]) "
        "UNION ALL SELECT NULL, location_id, 'location' FROM locations WHERE tenant_id = $1 AND location_id = ANY($4::uuid[])",
        tenant_id,
        sorted(identities),
        sorted(groups),
        sorted(locations),
    )
    return Named(
        frozenset(row["name"] for row in rows if row["kind"] == "station"),
        frozenset(row["id"] for row in rows if row["kind"] == "group"),
        frozenset(row["id"] for row in rows if row["kind"] == "location"),
    )
