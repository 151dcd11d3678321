"""By which ids partners know sessions: here alone ours become theirs, and theirs ours.

A partner's reservation is told as a session (E5), with an id of its own. The session that begins with it goes on under that id, if
it is of the same token, and neither of the two was told to be something else before: the reservation to be over (E4), the session
under its own id. All other sessions have our id with partners, too.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from csms.store.pool import Connection

GOES_ON: Final = (
    "r.tenant_id = x.tenant_id AND r.reservation_id = x.reservation_id AND r.session_id = x.session_id "
    "AND r.ocpi_session_id IS NOT NULL AND r.ended_at IS NULL AND lower(r.id_token) = lower(x.id_token) "
    "AND NOT EXISTS (SELECT FROM ocpi_objects o WHERE o.tenant_id = x.tenant_id AND o.module = 'sessions' "
    "AND o.object_id = x.session_id::text AND o.origin = 'own')"
)
"""Whether the session `x` is told as what the reservation `r` was."""
ORDERED_SINCE: Final = "r.created_at - interval '5 minutes'"
"""From when on the words of a partner may be about its reservation `r`: it asks before that is recorded."""
TOLD_AS: Final = f"coalesce((SELECT r.ocpi_session_id FROM reservations r WHERE {GOES_ON}), x.session_id)"
"""The id by which partners know the session `x`."""
OURS: Final = (
    "coalesce((SELECT r.session_id FROM reservations r WHERE r.tenant_id = t.tenant_id AND r.ocpi_session_id = t.told_as), "
    "t.told_as)"
)
"""Our id of a session that runs, of the row `t` that has told partners of it."""


async def id_of_ours(conn: Connection, tenant_id: int, told_as: UUID) -> UUID | None:
    """Our id of the session that partners know by this one. None: they know none by it, whatever has it here."""
    found: UUID | None = await conn.fetchval(
        f"SELECT x.session_id FROM sessions x WHERE x.tenant_id = $1 AND x.session_id = $2 AND {TOLD_AS} = $2 UNION ALL "
        f"SELECT x.session_id FROM reservations r JOIN sessions x ON {GOES_ON} WHERE r.tenant_id = $1 AND r.ocpi_session_id = $2",
        tenant_id,
        told_as,
    )
    return found


async def id_for_partners(conn: Connection, tenant_id: int, session_id: UUID) -> UUID:
    """By which id they know a session of ours."""
    found: UUID = await conn.fetchval(
        f"SELECT {TOLD_AS} FROM sessions x WHERE x.tenant_id = $1 AND x.session_id = $2", tenant_id, session_id
    )
    return found
