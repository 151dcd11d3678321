"""CDRs of partners, told to our eMSP tenants (D1 to D4; digest, endpoints 21 and 22)."""

from __future__ import annotations

from functools import partial
from typing import Final

import trio

from csms.roaming import received, received_cdrs
from csms.roaming.received_cdrs import Checked
from csms.store.queries import ocpi_received_cdrs as queries
from csms.store.queries.ocpi_objects import ObjectKey
from hub.ocpi.message import OcpiResponse, not_found
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.lists import spoken_version
from hub.ocpi.own.received import check_owner
from schemas.ocpi221.base import fold
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.headers import Party
from schemas.ocpi221.reading import read

MODULE: Final = "cdrs"
_THREADS: Final = trio.CapacityLimiter(2)
"""That price CDRs of others again."""


async def post_received(call: OwnCall) -> OcpiResponse:
    """Take a CDR, with a Location under which its owner finds it; the same once more is answered in the same way (D2)."""
    if call.request.segments:
        raise not_found("CDRs are posted to the module itself")
    body = received.single(call.request.body)
    reading = read(CDR, body)
    owner = Party(reading.value.country_code, reading.value.party_id)
    check_owner(call, owner, http_status=200)
    received.check_storable(body)
    key = received.key_of(MODULE, reading.value)
    tenant_id = call.tenant_id
    place = ObjectKey("locations", key.owner, fold(reading.value.cdr_location.id))
    zone = await call.ocpi.store.hub.tenant_unit(tenant_id, lambda conn: queries.time_zone_of(conn, tenant_id, place))
    checked: Checked = await trio.to_thread.run_sync(
        partial(received_cdrs.check, key, body, reading, zone), limiter=_THREADS, abandon_on_cancel=True
    )
    own = {party.party.folded for party in call.ocpi.directory.own.of_tenant(tenant_id, "EMSP")}
    created, booked = await call.ocpi.store.hub.tenant_unit(
        tenant_id, lambda conn: received_cdrs.book(conn, tenant_id, checked, own, call.allowance)
    )
    url = call.ocpi.urls.endpoint(await spoken_version(call), MODULE, "RECEIVER", *owner, reading.value.id)
    findings = booked.findings if booked is not None else ()
    remarks = (*reading.remarks, *(each for each in findings if each not in reading.remarks))
    return OcpiResponse(http_status=201 if created else 200, headers={"Location": url}, remarks=remarks)


async def get_received(call: OwnCall) -> OcpiResponse:
    """The CDR behind the Location of `post_received`, for its owner."""
    segments = call.request.segments
    if len(segments) != 3 or not all(map(received.usable_id, segments)):
        raise not_found("there is no such CDR")
    owner = Party(segments[0], segments[1])
    check_owner(call, owner)
    place = received.Place(module=MODULE, owner=owner, object_id=segments[2])
    return OcpiResponse(
        data=await call.ocpi.store.hub.tenant_unit(call.tenant_id, lambda conn: received.get(conn, call.tenant_id, place))
    )
