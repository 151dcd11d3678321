"""The beginning of a session's bill: its tariff, and the limits of its token."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from csms.domain.restrictions import NO_LIMITS
from csms.ledger.encoding import encode
from csms.store import Connection
from csms.store.queries import cdrs as cdr_queries
from csms.store.queries import session_costs as queries
from csms.store.queries.token_limits import session_limits
from csms.tariffs.service import choose_for_session, load_version

_UNPRICED: Final = msgspec.json.encode(None)


async def begin(conn: Connection, tenant_id: int, session_id: UUID, due_at: datetime) -> bool:
    """Give a session that has begun its tariff, which it keeps. True when it has a price.

    Nothing is noted of a session that has neither a tariff nor a limit in a tenant that prices nothing.
    """
    session = await cdr_queries.billed_session(conn, tenant_id, session_id)
    if session is None:
        return False
    limits = NO_LIMITS
    if session.id_token is not None:
        limits = await session_limits(conn, tenant_id, session.id_token, session.id_token_type)
    limited = limits != NO_LIMITS
    if not session.prices and not limited:
        return False
    choice = await choose_for_session(conn, tenant_id, session_id) if session.prices else None
    tariff = None
    if choice is not None and choice.tariff_id is not None and choice.version is not None:
        version = await load_version(conn, tenant_id, choice.tariff_id, choice.version)
        tariff = (choice.tariff_id, choice.version, version.tariff.currency)
    await queries.insert_cost(
        conn,
        tenant_id,
        session_id,
        tariff=tariff,
        choice=_UNPRICED if choice is None else encode(choice),
        limits=encode(limits) if limited else None,
        due_at=due_at if session.status == "active" and (tariff is not None or limited) else None,
    )
    return tariff is not None
