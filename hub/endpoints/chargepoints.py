"""Charge points: registry, live state, connectors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from csms.domain.operations import Registration
from csms.store import Connection
from csms.store.queries import stations as queries
from csms.store.queries.ocpi_parties import kind_of
from csms.store.queries.stations import Admission, Connector, ConnectorFields, Station, StationChange, StoredPassword
from hub.api.fields import Identity, Name, WireNumber, given
from hub.api.paging import Page, PageQuery, page, position
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route
from hub.services import Hub

StationPassword = Annotated[
    str,
    Meta(
        min_length=16, max_length=64, pattern=r"^[\x21-\x7e]+\Z", description="16 to 64 printable characters; OCPP takes up to 40"
    ),
]
CallTimeout = Annotated[
    int,
    Meta(
        ge=5,
        le=300,
        description="Seconds in which it answers a command, from its next connection on; null: as the server's setting says",
    ),
]
CertificateName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[\x20-\x7e]+\Z",
        description="The common name (CN) of its client certificate: over TLS it signs in with that (security profile 3). "
        "OCPP 2.x: also the serial number in its BootNotification",
    ),
]
ConnectorType = Annotated[str, Meta(min_length=1, max_length=40, description="For example cType2, cCCS2, cG105")]
Wanted = Literal["accepted", "pending", "rejected"]

_ADMISSION: dict[Wanted, Admission] = {"accepted": "accept", "pending": "pending", "rejected": "reject"}


class ConnectorInput(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """By wire numbers; OCPP 1.6: evse_id and connector_id are equal."""

    evse_id: WireNumber
    connector_id: WireNumber
    type: ConnectorType | None = None
    max_power_w: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None


Connectors = Annotated[list[ConnectorInput], Meta(max_length=100)]


class NewChargePoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """With `password`, or `generate_password` to have one made (shown once), or `certificate_name`, or none of them: the station
    cannot sign in then unless the tenant allows unauthenticated stations."""

    charge_point_id: Identity
    name: Name | None = None
    location_id: UUID | None = None
    password: StationPassword | None = None
    generate_password: bool = False
    certificate_name: CertificateName | None = None
    registration: Wanted = "accepted"
    connectors: Connectors = []


class ChargePointChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not named stays; null empties. New credentials and a withdrawn registration end the connection."""

    name: Name | UnsetType | None = UNSET
    location_id: UUID | UnsetType | None = UNSET
    password: StationPassword | UnsetType | None = UNSET
    generate_password: bool = False
    certificate_name: CertificateName | UnsetType | None = UNSET
    registration: Wanted | UnsetType = UNSET
    call_timeout_s: CallTimeout | UnsetType | None = UNSET
    connectors: Connectors = []


class ChargePoint(msgspec.Struct, kw_only=True):
    """A station with its live state. `status`: online when its connection has shown a sign of life within a minute;
    `registration`: what it was last told; `admission`: what its next BootNotification will be answered with.
    `password` is there only in the answer to the request that had it made."""

    charge_point_id: str
    name: str | None
    location_id: UUID | None
    status: Literal["online", "offline"]
    last_seen: datetime | None
    connected_at: datetime | None
    disconnected_at: datetime | None
    remote_address: str | None
    ocpp_version: str | None
    registration: Registration
    admission: Admission
    has_password: bool
    security_profile: int
    certificate_name: str | None
    vendor: str | None
    model: str | None
    serial_number: str | None
    firmware_version: str | None
    iccid: str | None
    imsi: str | None
    meter_type: str | None
    meter_serial_number: str | None
    booted_at: datetime | None
    boot_reason: str | None
    call_timeout_s: int | None
    station_status: str | None
    station_error_code: str | None
    connectors: list[Connector]
    seen_on_wire: bool
    created_at: datetime
    updated_at: datetime
    password: str | UnsetType = UNSET


class ChargePointQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    online: bool | None = None
    location_id: UUID | None = None
    registration: Registration | None = None


async def list_charge_points(call: Call[ChargePointQuery, None]) -> Answer:
    query, tenant_id = call.query, call.tenant_id
    after = position(call, str) or ""
    wanted = queries.StationFilter(query.online, query.location_id, query.registration)

    async def read(conn: Connection) -> tuple[list[Station], dict[int, list[Connector]]]:
        stations = await queries.list_stations(conn, tenant_id, after, query.limit + 1, wanted)
        return stations, await queries.list_connectors(conn, tenant_id, [s.station_id for s in stations])

    stations, connectors = await call.hub.store.hub.tenant_unit(tenant_id, read)
    return Answer(
        200,
        page(
            call,
            stations,
            lambda station: station.charge_point_id.lower(),
            lambda station: _view(station, connectors.get(station.station_id, [])),
        ),
    )


async def get_charge_point(call: Call[NoQuery, None]) -> Answer:
    return Answer(200, await _read(call.hub, call.tenant_id, call.path["id"]))


async def create_charge_point(call: Call[NoQuery, NewChargePoint]) -> Answer:
    body, tenant_id = call.body, call.tenant_id
    password, shown = await _password(call.hub, body.password, body.generate_password)
    connectors = _connectors(body.connectors)

    async def insert(conn: Connection) -> int | None:
        if await kind_of(conn, tenant_id) == "hub":
            raise conflict("the hub's tenant has no charge points")
        await _check_location(conn, tenant_id, body.location_id)
        station_id = await queries.insert_station(
            conn,
            tenant_id,
            body.charge_point_id,
            name=body.name,
            location_id=body.location_id,
            admission=_ADMISSION[body.registration],
            password=password,
            certificate_name=body.certificate_name,
        )
        if station_id is not None and connectors:
            await queries.save_connectors(conn, tenant_id, station_id, connectors)
        return station_id

    if await call.hub.store.hub.tenant_unit(tenant_id, insert) is None:
        raise conflict("a charge point with this identity, in this or another spelling, exists already")
    made = await _read(call.hub, tenant_id, body.charge_point_id)
    made.password = shown
    return Answer(201, made, {"Location": f"/api/v1/chargepoints/{body.charge_point_id}"})


async def change_charge_point(call: Call[NoQuery, ChargePointChange]) -> Answer:
    body, tenant_id, identity = call.body, call.tenant_id, call.path["id"]
    chosen = body.password if isinstance(body.password, str) else None
    password, shown = await _password(call.hub, chosen, body.generate_password)
    sets_password = given(body.password) or body.generate_password
    connectors = _connectors(body.connectors)
    location_id = body.location_id if isinstance(body.location_id, UUID) else None
    registration = body.registration
    change = StationChange(
        set_name=given(body.name),
        name=body.name if isinstance(body.name, str) else None,
        set_location=given(body.location_id),
        location_id=location_id,
        set_password=sets_password,
        password=password,
        admission=None if isinstance(registration, UnsetType) else _ADMISSION[registration],
        set_call_timeout=given(body.call_timeout_s),
        call_timeout_s=body.call_timeout_s if isinstance(body.call_timeout_s, int) else None,
        set_certificate_name=given(body.certificate_name),
        certificate_name=body.certificate_name if isinstance(body.certificate_name, str) else None,
    )

    async def save(conn: Connection) -> tuple[int, UUID | None] | None:
        await _check_location(conn, tenant_id, location_id)
        station_id = await queries.change_station(conn, tenant_id, identity, change)
        if station_id is None:
            return None
        if connectors:
            await queries.save_connectors(conn, tenant_id, station_id, connectors)
        return station_id, await queries.holding_process(conn, tenant_id, station_id)

    saved = await call.hub.store.hub.tenant_unit(tenant_id, save)
    if saved is None:
        raise not_found()
    station_id, process_id = saved
    if sets_password:
        await call.hub.commands.disconnect(process_id, tenant_id, station_id, "password changed")
    elif change.set_certificate_name:
        await call.hub.commands.disconnect(process_id, tenant_id, station_id, "certificate changed")
    elif change.admission in ("pending", "reject"):
        await call.hub.commands.disconnect(process_id, tenant_id, station_id, "registration withdrawn")
    changed = await _read(call.hub, tenant_id, identity)
    changed.password = shown
    return Answer(200, changed)


async def retire_charge_point(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity = call.tenant_id, call.path["id"]

    async def retire(conn: Connection) -> tuple[int, UUID | None] | None:
        station_id = await queries.retire_station(conn, tenant_id, identity)
        return None if station_id is None else (station_id, await queries.holding_process(conn, tenant_id, station_id))

    retired = await call.hub.store.hub.tenant_unit(tenant_id, retire)
    if retired is None:
        raise not_found()
    station_id, process_id = retired
    await call.hub.commands.disconnect(process_id, tenant_id, station_id, "station retired")
    return Answer(204)


async def _read(hub: Hub, tenant_id: int, identity: str) -> ChargePoint:
    async def read(conn: Connection) -> ChargePoint | None:
        station = await queries.get_station(conn, tenant_id, identity)
        if station is None:
            return None
        connectors = await queries.list_connectors(conn, tenant_id, [station.station_id])
        return _view(station, connectors.get(station.station_id, []))

    found = await hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return found


async def _password(hub: Hub, chosen: str | None, generate: bool) -> tuple[StoredPassword | None, str | UnsetType]:
    """The password to store, and what to show of it in the answer."""
    if chosen is not None and generate:
        raise invalid("generate_password", "cannot be combined with password")
    if generate:
        made = hub.station_passwords.generate()
        return StoredPassword(*hub.station_passwords.store_machine_made(made.encode())), made
    if chosen is not None:
        return StoredPassword(*await hub.hash_workers.run(hub.station_passwords.store_chosen, chosen.encode())), UNSET
    return None, UNSET


async def _check_location(conn: Connection, tenant_id: int, location_id: UUID | None) -> None:
    if location_id is not None and not await queries.location_exists(conn, tenant_id, location_id):
        raise invalid("location_id", "there is no such location")


def _connectors(wanted: list[ConnectorInput]) -> list[ConnectorFields]:
    seen = set()
    for index, connector in enumerate(wanted):
        key = (connector.evse_id, connector.connector_id)
        if key in seen:
            raise invalid(f"connectors[{index}]", "is given more than once")
        if connector.connector_id == 0 or connector.evse_id == 0:
            raise invalid(f"connectors[{index}]", "the numbers of connectors and EVSEs begin at 1; 0 is the station itself")
        seen.add(key)
    return [ConnectorFields(c.evse_id, c.connector_id, c.type, c.max_power_w) for c in wanted]


def _view(station: Station, connectors: list[Connector]) -> ChargePoint:
    fields = {name: getattr(station, name) for name in station.__struct_fields__ if name not in ("station_id", "online")}
    whole = next((c for c in connectors if c.connector_id == 0), None)  # connector 0 is the station itself
    return ChargePoint(
        status="online" if station.online else "offline",
        station_status=whole.status if whole else None,
        station_error_code=whole.error_code if whole else None,
        connectors=[c for c in connectors if c.connector_id != 0],
        **fields,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/chargepoints",
        list_charge_points,
        permission="chargepoints.read",
        query=ChargePointQuery,
        answers={200: Page[ChargePoint]},
        tag="Charge points",
        summary="The tenant's charge points with their live state",
    ),
    route(
        "POST",
        "/api/v1/chargepoints",
        create_charge_point,
        permission="chargepoints.write",
        body=NewChargePoint,
        answers={201: ChargePoint},
        tag="Charge points",
        summary="Register a charge point",
        problems={409: "the identity is taken, in this or another spelling"},
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}",
        get_charge_point,
        permission="chargepoints.read",
        answers={200: ChargePoint},
        tag="Charge points",
        summary="One charge point with its live state",
    ),
    route(
        "PATCH",
        "/api/v1/chargepoints/{id}",
        change_charge_point,
        permission="chargepoints.write",
        body=ChargePointChange,
        answers={200: ChargePoint},
        tag="Charge points",
        summary="Change a charge point",
        description=(
            "`registration`: accept, hold or reject the station. Accepting takes effect with its next BootNotification; "
            "holding and rejecting at once, and the connection is closed, as it is with a new password or another certificate."
        ),
    ),
    route(
        "DELETE",
        "/api/v1/chargepoints/{id}",
        retire_charge_point,
        permission="chargepoints.write",
        answers={204: None},
        tag="Charge points",
        summary="Retire a charge point",
        description="It cannot connect any more and its connection is closed; its sessions stay.",
    ),
)
