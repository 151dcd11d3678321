"""Signed meter values of sessions, for whoever wants to check a bill, and the public keys of meters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.signed_metering import (
    Check,
    MeterKey,
    Nature,
    SignedValue,
    check_values,
    curve_name,
    key_for,
    transparency_xml,
)
from csms.signed_metering.checks import Meter
from csms.store import Connection
from csms.store.queries import signed_values as queries
from csms.store.queries.signed_values import KeyBefore, SessionMeter, TooManyKeys
from hub.api.fields import Time, WireNumber
from hub.api.problems import conflict, invalid, not_found
from hub.api.routing import Answer, Call, Document, NoQuery, route

PublicKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2500,
        pattern=r"^[\x20-\x7e\r\n]+\Z",
        description="As on the type plate or in the register: hexadecimal digits, base64 or PEM of a SubjectPublicKeyInfo, or "
        "`oca:base16:asn1:…`",
    ),
]


class SignedValueView(msgspec.Struct, frozen=True):
    """A signed value as received, and what came of checking it. `registered_key`: the one registered here that was valid then."""

    nature: Nature
    context: str
    time: datetime | None
    encoding_method: str | None
    signing_method: str | None
    signed_data: str
    public_key: str | None
    registered_key: str | None
    check: Check


class SignedValues(msgspec.Struct, frozen=True):
    """In the order of time. `readings_gone`: the session's readings are past the time that the tenant keeps them."""

    items: list[SignedValueView]
    readings_gone: bool


class NewMeterKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`valid_from` left out: from now on. What is left out of the rest holds for all meters of the charge point."""

    public_key: PublicKey
    evse_id: WireNumber | None = None
    connector_id: WireNumber | None = None
    meter_serial: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x20-\x7e]+\Z")] | None = None
    valid_from: Time | None = None


class MeterKeyView(msgspec.Struct, frozen=True):
    """A key and when it was or is valid: from inclusive, until exclusive. `curve` is null for a key that signatures of OCMF cannot
    be checked by; it is kept and handed out all the same."""

    key_id: UUID
    evse_id: int | None
    connector_id: int | None
    meter_serial: str | None
    public_key: str
    curve: str | None
    valid_from: datetime
    valid_until: datetime | None
    created_by: str
    created_at: datetime


class MeterKeys(msgspec.Struct, frozen=True):
    """All keys of a charge point, the newest first."""

    items: list[MeterKeyView]


class _Found(msgspec.Struct, frozen=True):
    meter: SessionMeter
    values: list[SignedValue]
    keys: list[MeterKey]


async def list_signed_values(call: Call[NoQuery, None]) -> Answer:
    found = await _read(call)
    meter = found.meter
    where = Meter(meter.evse_id, meter.connector_id, meter.id_token, meter.start, found.keys)
    checks = await call.hub.workers.run(check_values, found.values, where)
    return Answer(200, SignedValues(_views(found, checks), meter.samples_gone))


def _views(found: _Found, checks: Sequence[Check]) -> list[SignedValueView]:
    return [
        SignedValueView(
            value.nature,
            value.context,
            value.time,
            value.encoding_method,
            value.signing_method,
            value.signed_data,
            value.public_key,
            _registered(found, value, check),
            check,
        )
        for value, check in zip(found.values, checks, strict=True)
    ]


def _registered(found: _Found, value: SignedValue, check: Check) -> str | None:
    meter = found.meter
    key = key_for(found.keys, meter.evse_id, meter.connector_id, check.meter_serial, value.time or meter.start)
    return None if key is None else key.public_key


async def get_transparency_file(call: Call[NoQuery, None]) -> Document:
    found = await _read(call)
    if not found.values:
        raise not_found()
    meter = found.meter
    where = Meter(meter.evse_id, meter.connector_id, meter.id_token, meter.start, found.keys)
    checks = await call.hub.workers.run(check_values, found.values, where)
    session_key = next((value.public_key for value in found.values if value.public_key), None)
    pairs = [
        (value, _registered(found, value, check) or value.public_key or session_key)
        for value, check in zip(found.values, checks, strict=True)
    ]
    return Document(
        transparency_xml(pairs, meter.transaction_id),
        "application/xml",
        {"Content-Disposition": f'attachment; filename="{call.uuid("id")}.xml"'},
    )


async def _read(call: Call[NoQuery, None]) -> _Found:
    tenant_id, session_id = call.tenant_id, call.uuid("id")

    async def read(conn: Connection) -> _Found | None:
        meter = await queries.session_meter(conn, tenant_id, session_id)
        if meter is None:
            return None
        values = await queries.signed_values(conn, tenant_id, session_id)
        return _Found(meter, values, await queries.meter_keys(conn, tenant_id, meter.station_id))

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return found


async def list_meter_keys(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity = call.tenant_id, call.path["id"]

    async def read(conn: Connection) -> list[MeterKey] | None:
        station_id = await queries.find_station(conn, tenant_id, identity)
        return None if station_id is None else await queries.meter_keys(conn, tenant_id, station_id)

    found = await call.hub.store.hub.tenant_unit(tenant_id, read)
    if found is None:
        raise not_found()
    return Answer(200, MeterKeys([_key_view(key) for key in found]))


async def register_meter_key(call: Call[NoQuery, NewMeterKey]) -> Answer:
    body, tenant_id, identity = call.body, call.tenant_id, call.path["id"]
    if body.connector_id is not None and body.evse_id is None:
        raise invalid("connector_id", "needs the evse_id that the connector belongs to")
    now = call.hub.clock.now()
    key = MeterKey(
        call.hub.ids.uuid7(),
        body.evse_id,
        body.connector_id,
        body.meter_serial,
        body.public_key.strip(),
        body.valid_from or now,
        None,
        call.caller.label,
        now,
    )
    if not key.public_key:
        raise invalid("public_key", "is empty")

    async def register(conn: Connection) -> MeterKey | None:
        station_id = await queries.find_station(conn, tenant_id, identity, lock=True)
        return None if station_id is None else await queries.register_key(conn, tenant_id, station_id, key)

    try:
        registered = await call.hub.store.hub.tenant_unit(tenant_id, register)
    except KeyBefore:
        raise invalid("valid_from", "is not after that of the key which is registered for this meter already") from None
    except TooManyKeys:
        raise conflict(f"a charge point has at most {queries.MOST_KEYS} keys, with its history") from None
    if registered is None:
        raise not_found()
    return Answer(200, _key_view(registered))


def _key_view(key: MeterKey) -> MeterKeyView:
    return MeterKeyView(
        key.key_id,
        key.evse_id,
        key.connector_id,
        key.meter_serial,
        key.public_key,
        curve_name(key.public_key),
        key.valid_from,
        key.valid_until,
        key.created_by,
        key.created_at,
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/sessions/{id}/signed-values",
        list_signed_values,
        permission="sessions.read",
        answers={200: SignedValues},
        tag="Signed meter values",
        summary="The meter values that the meter has signed, as received, and whether they are genuine",
        description=(
            "Data sets of OCMF are checked: the signature by the public key that was valid then, that all are of one meter, their "
            "pagination, error flags, the meter's state and the token. Those of other methods are `unchecked` here; the "
            "transparency software checks them."
        ),
    ),
    route(
        "GET",
        "/api/v1/sessions/{id}/transparency.xml",
        get_transparency_file,
        permission="sessions.read",
        answers={200: Annotated[str, Meta(description="An XML file for the transparency software of S.A.F.E. e.V.")]},
        tag="Signed meter values",
        summary="Signed meter values with their public keys, for the transparency software",
        media_type="application/xml",
    ),
    route(
        "GET",
        "/api/v1/chargepoints/{id}/meter-public-keys",
        list_meter_keys,
        permission="chargepoints.read",
        answers={200: MeterKeys},
        tag="Signed meter values",
        summary="The public keys of a charge point's meters, with their history",
    ),
    route(
        "PUT",
        "/api/v1/chargepoints/{id}/meter-public-keys",
        register_meter_key,
        permission="chargepoints.write",
        body=NewMeterKey,
        answers={200: MeterKeyView},
        tag="Signed meter values",
        summary="Register the public key of a meter",
        description=(
            "The key that was registered for the same EVSE, connector and meter is valid until then, and stays: what its meter has "
            "signed is checked by it. Registering the valid key again changes nothing."
        ),
        problems={409: "the charge point has as many keys as it may have"},
    ),
)
