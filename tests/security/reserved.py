"""A reservation, for the tests of tenant isolation."""

from __future__ import annotations

from datetime import timedelta

from csms.domain.reservations import Answer
from csms.store import Connection
from csms.store.queries import reservations as queries
from csms.store.queries.reservations import OcpiKey, Terms
from tests.integration.hub.harness import RunningHub


async def furnish_reserved(hub: RunningHub, tenant_id: int, station_id: int, mark: str) -> int:
    """The number of a reservation that was made and has ended; `mark` is in every text that may differ. Its partner and the
    partner's id are the same in all tenants."""
    command_id = hub.services.ids.uuid7()
    terms = Terms(
        evse_id=1,
        id_token=mark,
        id_token_type="ISO14443",
        group_id_token=f"{mark}-group",
        expires_at=hub.services.clock.now() + timedelta(hours=1),
    )

    async def work(conn: Connection) -> int:
        key = OcpiKey("R-1", "DE", "ABC")
        number = await queries.insert_reservation(conn, tenant_id, station_id, terms, command_id, f"{mark}-person", key)
        await queries.note_answers(conn, [Answer(tenant_id, station_id, command_id, False, "rejected")])
        return number

    return await hub.store.hub.tenant_unit(tenant_id, work)
