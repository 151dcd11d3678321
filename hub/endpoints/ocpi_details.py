"""What partners are told of EVSEs and connectors beyond what stations need."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from csms.roaming.details import ConnectorDetails, EvseDetails
from csms.roaming.mapping.locations import check_evse_details
from csms.store.queries import ocpi_details as queries
from csms.store.queries.ocpi_details import StoredEvse
from hub.api.problems import invalid, not_found
from hub.api.routing import Answer, Call, NoQuery, route

_LARGEST_NUMBER = 2_147_483_647

Emi3Id = Annotated[
    str,
    Meta(
        max_length=48,
        pattern=r"^[A-Z]{2}\*?[A-Z0-9]{3}\*?E[A-Z0-9*]{1,30}\Z",
        description="The EVSE id that drivers see (eMI3), such as DE*ABC*E123*1",
    ),
]


class EvseRoaming(EvseDetails, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of an EVSE. All of it is replaced; what is left out is as if it had never been entered."""

    emi3_evse_id: Emi3Id | None = None


async def get_evse(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity, evse_id = call.tenant_id, call.path["id"], _number(call, "evse_id")
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_evse(conn, tenant_id, identity, evse_id))
    if found is None:
        raise not_found()
    return Answer(200, EvseRoaming(**msgspec.structs.asdict(found.details), emi3_evse_id=found.emi3_evse_id))


async def put_evse(call: Call[NoQuery, EvseRoaming]) -> Answer:
    body, tenant_id, identity, evse_id = call.body, call.tenant_id, call.path["id"], _number(call, "evse_id")
    details = EvseDetails(**{name: getattr(body, name) for name in EvseDetails.__struct_fields__})
    for remark in check_evse_details(details, body.emi3_evse_id):
        raise invalid(remark.field, remark.text)
    done = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.put_evse(conn, tenant_id, identity, evse_id, StoredEvse(body.emi3_evse_id, details))
    )
    if not done:
        raise not_found()
    return Answer(200, body)


async def get_connector(call: Call[NoQuery, None]) -> Answer:
    tenant_id, identity, numbers = call.tenant_id, call.path["id"], _numbers(call)
    found = await call.hub.store.hub.tenant_unit(tenant_id, lambda conn: queries.get_connector(conn, tenant_id, identity, *numbers))
    if found is None:
        raise not_found()
    return Answer(200, found)


async def put_connector(call: Call[NoQuery, ConnectorDetails]) -> Answer:
    body, tenant_id, identity, numbers = call.body, call.tenant_id, call.path["id"], _numbers(call)
    done = await call.hub.store.hub.tenant_unit(
        tenant_id, lambda conn: queries.put_connector(conn, tenant_id, identity, *numbers, body)
    )
    if not done:
        raise not_found()
    return Answer(200, body)


def _numbers(call: Call[NoQuery, None] | Call[NoQuery, ConnectorDetails]) -> tuple[int, int]:
    return _number(call, "evse_id"), _number(call, "connector_id")


def _number(call: Call[NoQuery, None] | Call[NoQuery, ConnectorDetails] | Call[NoQuery, EvseRoaming], name: str) -> int:
    """A wire number of the path. What is none names nothing."""
    text = call.path[name]
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LARGEST_NUMBER)) or int(text) > _LARGEST_NUMBER:
        raise not_found()
    return int(text)


_EVSE = "/api/v1/chargepoints/{id}/evses/{evse_id}/roaming"
_CONNECTOR = "/api/v1/chargepoints/{id}/evses/{evse_id}/connectors/{connector_id}/roaming"

ROUTES = (
    route(
        "GET",
        _EVSE,
        get_evse,
        permission="chargepoints.read",
        answers={200: EvseRoaming},
        tag="Roaming",
        summary="What partners are told of an EVSE",
    ),
    route(
        "PUT",
        _EVSE,
        put_evse,
        permission="chargepoints.write",
        body=EvseRoaming,
        answers={200: EvseRoaming},
        tag="Roaming",
        summary="Enter what partners are told of an EVSE",
    ),
    route(
        "GET",
        _CONNECTOR,
        get_connector,
        permission="chargepoints.read",
        answers={200: ConnectorDetails},
        tag="Roaming",
        summary="What partners are told of a connector",
    ),
    route(
        "PUT",
        _CONNECTOR,
        put_connector,
        permission="chargepoints.write",
        body=ConnectorDetails,
        answers={200: ConnectorDetails},
        tag="Roaming",
        summary="Enter what partners are told of a connector",
        description="What is left out follows from the connector's type and its highest power.",
    ),
)
