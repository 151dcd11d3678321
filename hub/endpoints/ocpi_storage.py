"""How much partners have stored here, and how much they may."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from csms.roaming.partners import PartnerSettings
from csms.roaming.room import MEGABYTE, most_objects
from csms.store import Connection
from csms.store.queries import ocpi_partners
from csms.store.queries import ocpi_room as queries
from csms.store.queries.ocpi_room import Stored
from hub.api.paging import NIL, Page
from hub.api.routing import Answer, Call, NoQuery, route

_MOST_PARTNERS: Final = 10_000


class StoredModule(msgspec.Struct, frozen=True):
    """Objects of one module. `bytes`: of the documents as they were received."""

    module: str
    objects: int
    most_objects: int
    bytes: int


class StorageView(msgspec.Struct, frozen=True):
    """What is stored of a partner; within this installation (`partner_id` null) of a party, such as DE-ABC. `full`: something new
    is refused."""

    partner_id: UUID | None
    name: str | None
    party: str | None
    modules: list[StoredModule]
    bytes: int
    most_bytes: int
    full: bool


async def list_storage(call: Call[NoQuery, None]) -> Answer:
    tenant_id = call.tenant_id

    async def read(conn: Connection) -> tuple[list[Stored], dict[UUID, PartnerSettings]]:
        partners = await ocpi_partners.list_partners(conn, tenant_id, NIL, _MOST_PARTNERS)
        return await queries.list_stored(conn, tenant_id), {one.partner_id: one.settings for one in partners}

    stored, settings = await call.hub.store.hub.tenant_unit(tenant_id, read)
    by_filler: dict[tuple[UUID | None, str | None, str | None], list[Stored]] = {}
    for one in stored:
        by_filler.setdefault((one.partner_id, one.country_code, one.party_id), []).append(one)
    return Answer(200, Page([_shown(some, settings) for some in by_filler.values()], None))


def _shown(stored: list[Stored], settings: dict[UUID, PartnerSettings]) -> StorageView:
    first = stored[0]
    limits = PartnerSettings() if first.partner_id is None else settings.get(first.partner_id, PartnerSettings())
    modules = [StoredModule(one.module, one.objects, most_objects(one.module, limits), one.bytes) for one in stored]
    size, most = sum(one.bytes for one in stored), limits.most_megabytes * MEGABYTE
    return StorageView(
        partner_id=first.partner_id,
        name=first.partner_name,
        party=None if first.country_code is None else f"{first.country_code}-{first.party_id}".upper(),
        modules=modules,
        bytes=size,
        most_bytes=most,
        full=size >= most or any(one.objects >= one.most_objects for one in modules),
    )


ROUTES = (
    route(
        "GET",
        "/api/v1/ocpi/storage",
        list_storage,
        permission="ocpi.read",
        answers={200: Page[StorageView]},
        tag="Roaming",
        summary="How much is stored of each partner, and how much may be",
        description=(
            "The most first. The limits are settings of the partner: `most_objects` for each of locations, tariffs and tokens, "
            "`most_records` for each of sessions, CDRs and records of invoices, `most_megabytes` for all together. What is beyond "
            "them is refused with OCPI status 2000, and counted in `csms_ocpi_refused_objects`."
        ),
    ),
)
