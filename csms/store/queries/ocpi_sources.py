"""Our tables as the mapping into OCPI reads them (csms.roaming.sources)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from csms.billing.cdr import Cdr
from csms.domain.token_identity import contract_key, lookup_key
from csms.pricing.billing import charging_periods
from csms.pricing.cost import ChargingPeriod
from csms.pricing.state import VERSION, PricingState
from csms.pricing.tariff import Price, Tariff
from csms.roaming.details import ConnectorDetails, EvseDetails, LocationDetails, read_connector, read_evse, read_location
from csms.roaming.sources import (
    ConnectorSource,
    EvseSource,
    ForeignToken,
    LocationSource,
    SessionSource,
    TokenSource,
    Vouching,
)
from csms.store.pool import Connection
from csms.store.queries.ocpi_session_ids import GOES_ON, ORDERED_SINCE

_read_cdr: Final = msgspec.json.Decoder(Cdr).decode
_read_state: Final = msgspec.json.Decoder(PricingState).decode
read_periods: Final = msgspec.json.Decoder(tuple[ChargingPeriod, ...]).decode
_read_price: Final = msgspec.json.Decoder(Price).decode
_read_tariff: Final = msgspec.json.Decoder(Tariff).decode

Details = TypeVar("Details", LocationDetails, EvseDetails, ConnectorDetails)

_PLAIN_LOCATION: Final = LocationDetails()
_PLAIN_EVSE: Final = EvseDetails()
_PLAIN_CONNECTOR: Final = ConnectorDetails()


class PricedTariff(msgspec.Struct, frozen=True):
    """A tariff with the version that is in force, None: it has none. `open_to_all`: an assignment gives it to sessions whatever
    group their token is in."""

    tariff_id: str
    tariff: Tariff | None
    retired: bool
    open_to_all: bool


async def locations(conn: Connection, tenant_id: int, location_ids: Collection[UUID]) -> dict[UUID, LocationSource]:
    rows = await conn.fetch(
        "SELECT l.location_id, l.name, l.address, l.city, l.postal_code, l.country, l.latitude, l.longitude, "
        "coalesce(l.time_zone, t.time_zone) AS time_zone, l.roaming FROM locations l JOIN tenants t USING (tenant_id) "
        "WHERE l.tenant_id = $1 AND l.location_id = ANY($2::uuid[])",
        tenant_id,
        list(location_ids),
    )
    found = {}
    for row in rows:
        fields = dict(row)
        roaming = fields.pop("roaming")
        found[row["location_id"]] = LocationSource(**fields, details=_entered(roaming, read_location, _PLAIN_LOCATION))
    return found


_EVSES: Final = (
    "SELECT s.location_id, s.station_id, s.identity, s.retired_at IS NOT NULL AS retired, "
    "s.connected_process IS NULL AND s.offline_epoch >= s.connection_epoch AS offline, "
    "s.connection_epoch > 0 OR s.connected_at IS NOT NULL AS seen, "
    "(SELECT w.status FROM connectors w WHERE w.tenant_id = s.tenant_id AND w.station_id = s.station_id AND w.evse_id = 0 "
    "AND w.connector_id = 0) AS station_status, e.evse_id, e.evse_uid, e.emi3_evse_id, e.roaming AS evse_roaming, "
    "c.connector_id, c.connector_type, c.max_power_w, c.status, c.roaming AS connector_roaming "
    "FROM stations s JOIN evses e ON e.tenant_id = s.tenant_id AND e.station_id = s.station_id AND e.evse_id > 0 "
    "LEFT JOIN connectors c ON c.tenant_id = e.tenant_id AND c.station_id = e.station_id AND c.evse_id = e.evse_id "
    "AND c.connector_id > 0 "
    "WHERE s.tenant_id = $1 AND {condition} ORDER BY s.station_id, e.evse_id, c.connector_id"
)
_BY_LOCATION: Final = _EVSES.format(condition="s.location_id = ANY($2::uuid[])")
_BY_IDENTITY: Final = _EVSES.format(condition="s.identity = ANY($2::text[]) AND s.location_id IS NOT NULL")


async def evses_at(conn: Connection, tenant_id: int, location_ids: Collection[UUID]) -> list[EvseSource]:
    """EVSEs of the stations at these locations, retired ones too, in the order of their numbers."""
    return _evses(await conn.fetch(_BY_LOCATION, tenant_id, list(location_ids)))


async def evses_of(conn: Connection, tenant_id: int, identities: Collection[str]) -> list[EvseSource]:
    """EVSEs of these stations as far as they stand at a location."""
    return _evses(await conn.fetch(_BY_IDENTITY, tenant_id, sorted(identities)))


async def location_ids_of(conn: Connection, tenant_id: int, identities: Collection[str]) -> set[UUID]:
    """Where these stations stand."""
    rows = await conn.fetch(
        "SELECT DISTINCT location_id FROM stations WHERE tenant_id = $1 AND identity = ANY($2::text[]) AND location_id IS NOT NULL",
        tenant_id,
        sorted(identities),
    )
    return {row[0] for row in rows}


async def priced_tariffs(conn: Connection, tenant_id: int, tariff_ids: Collection[str], now: datetime) -> dict[str, PricedTariff]:
    rows = await conn.fetch(
        "SELECT t.tariff_id, f.tariff, coalesce(t.retired_at <= $3, false) AS retired, EXISTS (SELECT FROM tariff_assignments a "
        "WHERE a.tenant_id = t.tenant_id AND a.tariff_id = t.tariff_id AND a.token_group_id IS NULL AND a.user_type IS NULL "
        "AND (a.valid_until IS NULL OR a.valid_until > $3)) AS open_to_all "
        "FROM tariffs t LEFT JOIN LATERAL (SELECT v.tariff FROM tariff_versions v WHERE v.tenant_id = t.tenant_id "
        "AND v.tariff_id = t.tariff_id AND v.valid_from <= $3 ORDER BY v.version DESC LIMIT 1) f ON true "
        "WHERE t.tenant_id = $1 AND t.tariff_id = ANY($2::text[])",
        tenant_id,
        list(tariff_ids),
        now,
    )
    return {
        row["tariff_id"]: PricedTariff(
            row["tariff_id"], None if row["tariff"] is None else _read_tariff(row["tariff"]), row["retired"], row["open_to_all"]
        )
        for row in rows
    }


async def tokens(conn: Connection, tenant_id: int, token_ids: Collection[UUID]) -> list[TokenSource]:
    """Those of them that are the tenant's own and may be told (no single-use ones, none that was only seen on the wire)."""
    rows = await conn.fetch(
        "SELECT t.token_id, t.id_token, t.type, t.kind, t.ocpi_type, t.status, t.valid_from, t.valid_until, "
        "t.retired_at IS NOT NULL AS retired, t.visual_id, t.issuer, t.contract_id, t.language, t.whitelist, "
        "coalesce(t.group_id_token, (WITH RECURSIVE above AS ("
        "SELECT g.group_id_token, g.parent_id, 1 AS depth FROM token_groups g "
        "WHERE g.tenant_id = t.tenant_id AND g.group_id = t.group_id UNION ALL "
        "SELECT g.group_id_token, g.parent_id, a.depth + 1 FROM above a JOIN token_groups g "
        "ON g.tenant_id = t.tenant_id AND g.group_id = a.parent_id WHERE a.depth < 32) "
        'SELECT g.group_id_token FROM above g WHERE g.group_id_token IS NOT NULL ORDER BY g.depth LIMIT 1)) AS "group" '
        "FROM id_tokens t WHERE t.tenant_id = $1 AND t.token_id = ANY($2::uuid[]) AND t.owner_country_code IS NULL "
        "AND NOT t.single_use AND t.status <> 'unknown'",
        tenant_id,
        list(token_ids),
    )
    return [TokenSource(**row) for row in rows]


async def foreign_tokens(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> dict[UUID, ForeignToken]:
    """Of these sessions the ones whose token is another party's, with the token. Of several tokens that may be meant it is the one
    that the session was judged by (csms.store.queries.token_limits)."""
    if not await conn.fetchval(
        "SELECT EXISTS (SELECT FROM id_tokens WHERE tenant_id = $1 AND owner_country_code IS NOT NULL)", tenant_id
    ):
        return {}
    sessions = await conn.fetch(
        "SELECT session_id, id_token, id_token_type FROM sessions WHERE tenant_id = $1 AND session_id = ANY($2::uuid[]) "
        "AND id_token IS NOT NULL",
        tenant_id,
        list(session_ids),
    )
    return await tokens_named(conn, tenant_id, {row["session_id"]: (row["id_token"], row["id_token_type"]) for row in sessions})


async def tokens_named(conn: Connection, tenant_id: int, named: dict[UUID, tuple[str, str | None]]) -> dict[UUID, ForeignToken]:
    """Which other parties' tokens are meant by what stations say: (id token, its type of OCPP 2.x), by any key."""
    if not named:
        return {}
    keys = {key: _keys(*words) for key, words in named.items()}
    rows = await conn.fetch(
        # the uid is the owner's: an alias stands for its parent, and contracts have a spelling of ours (queries.ocpi_tokens)
        "SELECT t.token_key, t.token_id, coalesce(p.label, p.id_token, CASE WHEN t.owner_party_id IS NOT NULL THEN t.label END, "
        "t.id_token) AS id_token, t.type, t.kind, t.ocpi_type, t.contract_id, t.owner_country_code, t.owner_party_id, "
        "t.retired_at IS NOT NULL AS retired FROM id_tokens t LEFT JOIN id_tokens p ON p.tenant_id = t.tenant_id "
        "AND p.token_id = t.parent_token_id WHERE t.tenant_id = $1 AND t.token_key = ANY($2::text[])",
        tenant_id,
        sorted({key for found in keys.values() for key in found}),
    )
    by_key: dict[str, list[Any]] = {}
    for row in rows:
        by_key.setdefault(row["token_key"], []).append(row)
    found = {}
    for key, (_, token_type) in named.items():
        wanted, first = keys[key], keys[key][0]
        fitting = [row for one in dict.fromkeys(wanted) for row in by_key.get(one, ())]
        fitting = [row for row in fitting if token_type in (None, row["type"])]
        token = min(
            fitting, key=lambda row: (row["retired"], row["token_key"] != first, row["type"], str(row["token_id"])), default=None
        )
        if token is not None and token["owner_country_code"] is not None:
            found[key] = ForeignToken(
                country_code=token["owner_country_code"],
                party_id=token["owner_party_id"],
                id_token=token["id_token"],
                ocpi_type=token["ocpi_type"],
                type=token["type"],
                kind=token["kind"],
                contract_id=token["contract_id"],
            )
    return found


async def sessions(conn: Connection, tenant_id: int, tokens_of: dict[UUID, ForeignToken]) -> list[SessionSource]:
    """Sessions with the tokens that `foreign_tokens` gave, by id. Where the station named no connector it is the EVSE's first."""
    rows = await conn.fetch(
        "SELECT x.session_id, coalesce(r.ocpi_session_id, x.session_id) AS told_as, x.status, x.created_at, x.start_time, "
        "x.stop_time, x.last_meter_time, x.energy_wh, s.location_id, "
        "e.evse_uid, coalesce(x.connector_id, (SELECT min(c.connector_id) FROM connectors c WHERE c.tenant_id = x.tenant_id "
        "AND c.station_id = x.station_id AND c.evse_id = x.evse_id AND c.connector_id > 0)) AS connector_id, s.meter_serial, "
        "x.command_id IS NOT NULL AS by_command, coalesce(k.currency, t.currency) AS currency, k.tariff_id, k.state, "
        "k.total_excl_vat, k.total_incl_vat, v.method, coalesce(v.reference, w.reference) AS reference, d.total_cost, d.periods "
        "FROM sessions x JOIN stations s ON s.tenant_id = x.tenant_id AND s.station_id = x.station_id "
        "JOIN tenants t ON t.tenant_id = x.tenant_id "
        "LEFT JOIN evses e ON e.tenant_id = x.tenant_id AND e.station_id = x.station_id AND e.evse_id = x.evse_id "
        f"LEFT JOIN reservations r ON {GOES_ON} "
        "LEFT JOIN session_costs k ON k.tenant_id = x.tenant_id AND k.session_id = x.session_id "
        "LEFT JOIN LATERAL (SELECT c.document -> 'total_cost' AS total_cost, c.document -> 'charging_periods' AS periods "
        "FROM cdrs c WHERE c.tenant_id = x.tenant_id AND c.session_id = x.session_id AND c.credit_of IS NULL "
        "ORDER BY c.revision DESC LIMIT 1) d ON true "
        "LEFT JOIN LATERAL (SELECT a.method, a.reference, a.created_at FROM ocpi_authorizations a WHERE a.tenant_id = x.tenant_id "
        "AND a.token_key = lower(x.id_token) AND (a.station_id IS NULL OR a.station_id = x.station_id) "
        f"AND a.created_at > least(x.created_at - interval '3 hours', {ORDERED_SINCE}) "
        "AND a.created_at <= CASE WHEN x.status = 'active' THEN now() "
        "ELSE greatest(x.created_at, x.stop_time) + interval '1 minute' END "
        "ORDER BY a.created_at DESC LIMIT 1) v ON true "
        # E7: the last one given, be it with the reservation
        "LEFT JOIN LATERAL (SELECT a.reference FROM ocpi_authorizations a WHERE a.tenant_id = x.tenant_id "
        "AND a.token_key = lower(x.id_token) AND (a.station_id IS NULL OR a.station_id = x.station_id) "
        f"AND a.created_at > {ORDERED_SINCE} AND a.created_at < v.created_at AND a.reference IS NOT NULL "
        "ORDER BY a.created_at DESC LIMIT 1) w ON true "
        "WHERE x.tenant_id = $1 AND x.session_id = ANY($2::uuid[]) ORDER BY x.session_id",
        tenant_id,
        list(tokens_of),
    )
    return [_session(row, tokens_of[row["session_id"]]) for row in rows]


async def cdrs(conn: Connection, tenant_id: int, session_ids: Collection[UUID]) -> dict[UUID, list[Cdr]]:
    """All CDRs and credits of these sessions, and of the reservations that are told by these ids, in the order of their numbers."""
    rows = await conn.fetch(
        "SELECT d.session_id AS of, d.number, d.document FROM cdrs d WHERE d.tenant_id = $1 AND d.session_id = ANY($2::uuid[]) "
        "UNION ALL SELECT r.ocpi_session_id, d.number, d.document FROM reservations r JOIN cdrs d ON d.tenant_id = r.tenant_id "
        "AND d.reservation_id = r.reservation_id WHERE r.tenant_id = $1 AND r.ocpi_session_id = ANY($2::uuid[]) ORDER BY number",
        tenant_id,
        list(session_ids),
    )
    found: dict[UUID, list[Cdr]] = {}
    for row in rows:
        found.setdefault(row["of"], []).append(_read_cdr(row["document"]))
    return found


async def connector_details(
    conn: Connection, tenant_id: int, evse_uids: Collection[UUID]
) -> dict[tuple[UUID, int], ConnectorDetails]:
    """What is entered for the connectors of these EVSEs, by EVSE and number."""
    rows = await conn.fetch(
        "SELECT e.evse_uid, c.connector_id, c.roaming FROM evses e JOIN connectors c ON c.tenant_id = e.tenant_id "
        "AND c.station_id = e.station_id AND c.evse_id = e.evse_id "
        "WHERE e.tenant_id = $1 AND e.evse_uid = ANY($2::uuid[]) AND c.roaming IS NOT NULL",
        tenant_id,
        list(evse_uids),
    )
    return {(row[0], row[1]): read_connector(row[2]) for row in rows}


def _entered(document: str | None, read: Callable[[str], Details], plain: Details) -> Details:
    """What people have entered for roaming; `plain` where that is nothing."""
    return plain if document is None else read(document)


def _evses(rows: list[Any]) -> list[EvseSource]:
    found: dict[UUID, tuple[Any, list[ConnectorSource]]] = {}
    for row in rows:
        connectors = found.setdefault(row["evse_uid"], (row, []))[1]
        if row["connector_id"] is not None:
            connectors.append(
                ConnectorSource(
                    connector_id=row["connector_id"],
                    connector_type=row["connector_type"],
                    max_power_w=row["max_power_w"],
                    status=row["status"],
                    details=_entered(row["connector_roaming"], read_connector, _PLAIN_CONNECTOR),
                )
            )
    return [
        EvseSource(
            location_id=row["location_id"],
            station_id=row["station_id"],
            charge_point_id=row["identity"],
            retired=row["retired"],
            offline=row["offline"],
            seen=row["seen"],
            station_status=row["station_status"],
            evse_id=row["evse_id"],
            evse_uid=row["evse_uid"],
            emi3_evse_id=row["emi3_evse_id"],
            details=_entered(row["evse_roaming"], read_evse, _PLAIN_EVSE),
            connectors=tuple(connectors),
        )
        for row, connectors in found.values()
    ]


def _session(row: Any, token: ForeignToken) -> SessionSource:
    return SessionSource(
        **{name: row[name] for name in _SESSION_PLAIN},
        total_cost=_total(row),
        periods=_periods(row),
        token=token,
        vouching=None if row["method"] is None else Vouching(row["method"], row["reference"]),
    )


_SESSION_PLAIN: Final = (
    "session_id",
    "told_as",
    "status",
    "created_at",
    "start_time",
    "stop_time",
    "last_meter_time",
    "energy_wh",
    "location_id",
    "evse_uid",
    "connector_id",
    "meter_serial",
    "by_command",
    "currency",
    "tariff_id",
)


def _total(row: Any) -> Price | None:
    """As the CDR says it; before there is one, the running cost, which is rounded for people."""
    if row["total_cost"] is not None:
        return _read_price(row["total_cost"])
    return None if row["total_excl_vat"] is None else Price(row["total_excl_vat"], row["total_incl_vat"])


def _periods(row: Any) -> tuple[ChargingPeriod, ...] | None:
    if row["periods"] is not None:
        return read_periods(row["periods"])
    if row["state"] is None or row["tariff_id"] is None:
        return None
    try:
        state = _read_state(row["state"])
    except msgspec.ValidationError:
        return None  # of another version: billing folds the session anew with its next look
    if state.version != VERSION:
        return None
    return tuple(charging_periods(row["tariff_id"], [*state.reservation.periods, *state.session.periods])[0])


def _keys(id_token: str, id_token_type: str | None) -> list[str]:
    found = [lookup_key(id_token, id_token_type), id_token.lower(), contract_key(id_token, id_token_type)]
    return [key for key in found if key is not None]
