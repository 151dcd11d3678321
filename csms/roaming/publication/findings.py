"""Why which of a tenant's things are not told to partners: looked at when somebody asks, object by object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from csms.roaming.mapping.findings import Finding
from csms.roaming.parties import OwnParties
from csms.roaming.publication.locations import findings_of, map_places
from csms.roaming.publication.sessions import session_findings
from csms.roaming.publication.tariffs import tariff_findings
from csms.roaming.publication.tokens import token_findings
from csms.roaming.publication.view import Views
from csms.store.pool import Connection
from csms.store.queries import ocpi_publication as queries

EXAMINED_AT_ONCE: Final = 50
SESSIONS_EXAMINED_FOR: Final = timedelta(days=90)

_NIL: Final = str(UUID(int=0))


class FindingsReader:
    """In a unit of the tenant."""

    def __init__(self, conn: Connection, tenant_id: int, now: datetime) -> None:
        self._conn = conn
        self._tenant_id = tenant_id
        self._now = now

    async def read(self, module: str, after: str) -> Sequence[tuple[str, list[Finding]]]:
        """The next EXAMINED_AT_ONCE things behind the key `after`, with their keys and findings. Fewer: these are the last."""
        conn, tenant_id = self._conn, self._tenant_id
        # who is told is of no interest here, so the hub need not be known
        view = await Views().get(conn, tenant_id, OwnParties())
        match module:
            case "locations":
                ids = [UUID(one) for one in await queries.location_ids_after(conn, tenant_id, after, EXAMINED_AT_ONCE)]
                places = await map_places(conn, tenant_id, view, ids, self._now)
                return [(str(one), findings_of(places[one]) if one in places else []) for one in ids]
            case "tariffs":
                tariff_ids = await queries.tariff_ids_after(conn, tenant_id, after, EXAMINED_AT_ONCE)
                of_tariffs = await tariff_findings(conn, tenant_id, view, tariff_ids, self._now)
                return [(one, of_tariffs.get(one, [])) for one in tariff_ids]
            case "tokens":
                token_ids = await queries.token_ids_after(conn, tenant_id, UUID(after or _NIL), EXAMINED_AT_ONCE)
                of_tokens = await token_findings(conn, tenant_id, view, token_ids, self._now)
                return [(str(one), of_tokens.get(one, [])) for one in token_ids]
        first = UUID(after) if after else queries.first_of(self._now - SESSIONS_EXAMINED_FOR)
        session_ids = await queries.session_ids_after(conn, tenant_id, first, EXAMINED_AT_ONCE)
        of_sessions = await session_findings(conn, tenant_id, view, session_ids, self._now)
        return [(str(one), of_sessions.get(one, [])) for one in session_ids]
