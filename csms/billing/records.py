"""What is done with every record, whatever it is about: stored with a number and told, in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from csms.billing.cdr import Basis, Cdr, CdrToken, money
from csms.ledger.encoding import encode
from csms.store import Connection
from csms.store.queries import cdrs as queries
from csms.store.queries.events import insert_event
from csms.store.queries.token_limits import token_facts


async def store(
    conn: Connection,
    tenant_id: int,
    cdr: Cdr,
    *,
    revision: int,
    station_id: int,
    group_id: UUID | None,
    basis: Basis,
    now: datetime,
    ocpi_session_id: UUID | None = None,
) -> None:
    """`ocpi_session_id`: by which a partner was told of the reservation that the record is about."""
    await queries.insert_cdr(conn, tenant_id, cdr, revision=revision, station_id=station_id, group_id=group_id, basis=basis)
    due = cdr.amount_due
    told: dict[str, Any] = {
        "cdr_id": cdr.id,
        "number": cdr.number,
        "session_id": cdr.session_id,
        "transaction_id": cdr.transaction_id,
        "credit": cdr.credit,
        "credit_reference_id": cdr.credit_reference_id,
        "energy_kwh": cdr.total_energy,
        "cost_excl_vat": money(due.excl_vat, cdr.currency),
        "cost_incl_vat": None if due.incl_vat is None else money(due.incl_vat, cdr.currency),
    }
    if cdr.reservation_id is not None:
        told |= {"reservation_id": cdr.reservation_id, "ocpi_session_id": ocpi_session_id}
    await insert_event(
        conn,
        tenant_id,
        "cdr.created",
        encode(told),
        charge_point_id=cdr.cdr_location.charge_point_id,
        session_id=cdr.session_id,
        occurred_at=now,
    )


async def find_token(
    conn: Connection, tenant_id: int, id_token: str | None, id_token_type: str | None
) -> tuple[CdrToken | None, UUID | None]:
    """Whose token it is, as known now, and the group that the record belongs to."""
    if id_token is None:
        return None, None
    facts = await token_facts(conn, tenant_id, id_token, id_token_type)
    if facts is None:
        return CdrToken(id_token, id_token_type), None
    parent = facts.parent
    groups = facts.group_ids or (() if parent is None else parent.group_ids)
    token = CdrToken(
        id_token,
        id_token_type,
        facts.kind,
        facts.contract_id or (None if parent is None else parent.contract_id),
        facts.issuer or (None if parent is None else parent.issuer),
        facts.user_type or (None if parent is None else parent.user_type),
        None if parent is None else parent.id_token,
        *(facts.owner or (None if parent is None else parent.owner) or (None, None)),
    )
    return token, groups[0] if groups else None
