"""Who may have what of whom (R14): the agreements of a tenant as they are stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from csms.roaming.agreements import Agreement, Agreements, Visibility
from csms.roaming.parties import Folded
from csms.store.pool import Connection
from schemas.ocpi221.headers import Party

_AGREEMENT: Final = (
    "agreement_id, owner_country_code, owner_party_id, party_country_code, party_party_id, allowed, modules, location_ids, "
    "countries, note, created_by, created_at, updated_at"
)


class NewAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """What an agreement says; None: any. Codes in capitals, ids of locations folded, countries alpha-2 or alpha-3."""

    owner: tuple[str, str] | None
    party: tuple[str, str] | None
    allowed: bool
    modules: tuple[str, ...] | None
    location_ids: tuple[str, ...] | None
    countries: tuple[str, ...] | None
    note: str | None


class StoredAgreement(NewAgreement, frozen=True, kw_only=True):
    agreement_id: UUID
    created_by: str
    created_at: datetime
    updated_at: datetime


async def load_agreements(conn: Connection, tenant_id: int) -> Agreements:
    """All agreements of the tenant and its `ocpi_visibility`, ready for questions."""
    rows = await conn.fetch(f"SELECT {_AGREEMENT} FROM ocpi_agreements WHERE tenant_id = $1", tenant_id)
    return Agreements([_rule(_stored(row)) for row in rows], await get_visibility(conn, tenant_id))


async def get_visibility(conn: Connection, tenant_id: int) -> Visibility:
    """What holds where no agreement does."""
    found: Visibility = await conn.fetchval("SELECT ocpi_visibility FROM tenants WHERE tenant_id = $1", tenant_id)
    return found


async def put_visibility(conn: Connection, tenant_id: int, visibility: Visibility) -> None:
    await conn.execute("UPDATE tenants SET ocpi_visibility = $2, updated_at = now() WHERE tenant_id = $1", tenant_id, visibility)


async def list_agreements(conn: Connection, tenant_id: int, after: UUID, limit: int) -> list[StoredAgreement]:
    rows = await conn.fetch(
        f"SELECT {_AGREEMENT} FROM ocpi_agreements WHERE tenant_id = $1 AND agreement_id > $2 ORDER BY agreement_id LIMIT $3",
        tenant_id,
        after,
        limit,
    )
    return [_stored(row) for row in rows]


async def get_agreement(conn: Connection, tenant_id: int, agreement_id: UUID) -> StoredAgreement | None:
    row = await conn.fetchrow(
        f"SELECT {_AGREEMENT} FROM ocpi_agreements WHERE tenant_id = $1 AND agreement_id = $2", tenant_id, agreement_id
    )
    return None if row is None else _stored(row)


async def count_agreements(conn: Connection, tenant_id: int) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM ocpi_agreements WHERE tenant_id = $1", tenant_id))


async def insert_agreement(
    conn: Connection, tenant_id: int, agreement_id: UUID, new: NewAgreement, created_by: str
) -> StoredAgreement:
    row = await conn.fetchrow(
        "INSERT INTO ocpi_agreements (tenant_id, agreement_id, owner_country_code, owner_party_id, party_country_code, "
        "party_party_id, allowed, modules, location_ids, countries, note, created_by) "
        f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING {_AGREEMENT}",
        tenant_id,
        agreement_id,
        *_values(new),
        created_by,
    )
    return _stored(row)


async def replace_agreement(conn: Connection, tenant_id: int, agreement_id: UUID, new: NewAgreement) -> StoredAgreement | None:
    """None: there is no such agreement."""
    row = await conn.fetchrow(
        "UPDATE ocpi_agreements SET owner_country_code = $3, owner_party_id = $4, party_country_code = $5, party_party_id = $6, "
        "allowed = $7, modules = $8, location_ids = $9, countries = $10, note = $11, updated_at = now() "
        f"WHERE tenant_id = $1 AND agreement_id = $2 RETURNING {_AGREEMENT}",
        tenant_id,
        agreement_id,
        *_values(new),
    )
    return None if row is None else _stored(row)


async def delete_agreement(conn: Connection, tenant_id: int, agreement_id: UUID) -> bool:
    """False when there was none."""
    done = await conn.fetchval(
        "DELETE FROM ocpi_agreements WHERE tenant_id = $1 AND agreement_id = $2 RETURNING true", tenant_id, agreement_id
    )
    return done is True


def _values(new: NewAgreement) -> tuple[Any, ...]:
    return (
        *(new.owner or (None, None)),
        *(new.party or (None, None)),
        new.allowed,
        *(None if names is None else list(names) for names in (new.modules, new.location_ids, new.countries)),
        new.note,
    )


def _stored(row: Any) -> StoredAgreement:
    owner, party = (row["owner_country_code"], row["owner_party_id"]), (row["party_country_code"], row["party_party_id"])
    modules, location_ids, countries = (
        None if row[name] is None else tuple(row[name]) for name in ("modules", "location_ids", "countries")
    )
    return StoredAgreement(
        agreement_id=row["agreement_id"],
        owner=None if owner[0] is None else owner,
        party=None if party[0] is None else party,
        allowed=row["allowed"],
        modules=modules,
        location_ids=location_ids,
        countries=countries,
        note=row["note"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _rule(stored: StoredAgreement) -> Agreement:
    return Agreement(
        owner=_folded(stored.owner),
        party=_folded(stored.party),
        allowed=stored.allowed,
        modules=None if stored.modules is None else frozenset(stored.modules),
        location_ids=None if stored.location_ids is None else frozenset(stored.location_ids),
        countries=None if stored.countries is None else frozenset(stored.countries),
    )


def _folded(party: tuple[str, str] | None) -> Folded | None:
    return None if party is None else Party(*party).folded
