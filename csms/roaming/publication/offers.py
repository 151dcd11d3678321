"""Which tariff a roaming token has at a connector now (L15).

Of tokens of other parties no group and no user type are known: what counts are the assignments that ask for neither. A session may
still be given another tariff, if its token was put into a group here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from csms.pricing.usage import BadUsage
from csms.roaming.mapping.locations import TariffIds
from csms.roaming.sources import EvseSource
from csms.store.pool import Connection
from csms.store.queries import tariff_assignments as assignment_queries
from csms.store.queries import tariffs as tariff_queries
from csms.store.queries.tariff_assignments import Assignment
from csms.tariffs.choice import Candidate, Facts, NearGroup, choose


async def offered(
    conn: Connection, tenant_id: int, evses: Sequence[EvseSource], time_zones: dict[UUID, str], now: datetime
) -> TariffIds:
    """The tariffs of the connectors of these EVSEs. `time_zones`: of their locations."""
    assignments = await assignment_queries.open_to_all(conn, tenant_id)
    if not assignments:
        return {}
    states = await tariff_queries.tariff_states(conn, tenant_id, sorted({one.tariff_id for one in assignments}), now)
    groups = await assignment_queries.groups_of_stations(conn, tenant_id, sorted({evse.station_id for evse in evses}))
    by_place = _ByPlace(assignments)
    chosen: dict[object, tuple[str, ...]] = {}
    found = {}
    for evse in evses:
        zone = None if evse.location_id is None else time_zones.get(evse.location_id)
        if zone is None:
            continue
        near = groups.get(evse.station_id, {})
        for connector in evse.connectors:
            fitting = by_place.fitting(evse, connector.connector_id, near)
            key = (zone, tuple(one.assignment_id for one in fitting), tuple(near.items()))
            ids = chosen.get(key)
            if ids is None:
                facts = Facts(
                    at=now,
                    time_zone=zone,
                    charge_point_id=evse.charge_point_id,
                    evse_id=evse.evse_id,
                    connector_id=connector.connector_id,
                    location_id=evse.location_id,
                    station_groups=[NearGroup(group_id, distance) for group_id, distance in near.items()],
                )
                ids = chosen[key] = _choose([Candidate(one, states[one.tariff_id]) for one in fitting], facts)
            found[evse.station_id, evse.evse_id, connector.connector_id] = ids
    return found


def _choose(candidates: Sequence[Candidate], facts: Facts) -> tuple[str, ...]:
    try:
        tariff_id = choose(candidates, facts).tariff_id
    except BadUsage:  # a time zone that nobody knows: no session there has a price either
        return ()
    return () if tariff_id is None else (tariff_id,)


class _ByPlace:
    """Assignments by the narrowest place that they name: of many few are looked at for each connector."""

    def __init__(self, assignments: Sequence[Assignment]) -> None:
        self._stations: dict[str, list[Assignment]] = {}
        self._groups: dict[UUID, list[Assignment]] = {}
        self._locations: dict[UUID, list[Assignment]] = {}
        self._anywhere: list[Assignment] = []
        for one in assignments:
            if one.charge_point_id is not None:
                self._stations.setdefault(one.charge_point_id, []).append(one)
            elif one.station_group_id is not None:
                self._groups.setdefault(one.station_group_id, []).append(one)
            elif one.location_id is not None:
                self._locations.setdefault(one.location_id, []).append(one)
            else:
                self._anywhere.append(one)

    def fitting(self, evse: EvseSource, connector_id: int, groups: dict[UUID, int]) -> list[Assignment]:
        """Those whose place this connector is, in one order for equal places."""
        found = [*self._stations.get(evse.charge_point_id, ()), *self._anywhere]
        for group_id in groups:
            found += self._groups.get(group_id, ())
        if evse.location_id is not None:
            found += self._locations.get(evse.location_id, ())
        return [
            one
            for one in found
            if one.evse_id in (None, evse.evse_id)
            and one.connector_id in (None, connector_id)
            and one.location_id in (None, evse.location_id)
            and (one.station_group_id is None or one.station_group_id in groups)
        ]
