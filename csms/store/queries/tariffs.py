"""Tariffs and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from csms.pricing.tariff import Price, Tariff
from csms.store.pool import Connection

OnChange = Literal["keep", "follow"]

_tariffs: Final = msgspec.json.Decoder(Tariff)


class StoredTariff(msgspec.Struct, frozen=True):
    """A tariff as the API lists it. `newest_version` may not be in force yet; `version_in_force` is null before the first one is.

    `on_change`: what a running session does when a newer version comes into force.
    """

    tariff_id: str
    name: str
    on_change: OnChange
    currency: str
    newest_version: int
    version_in_force: int | None
    created_at: datetime
    updated_at: datetime
    retired_at: datetime | None


class NewVersion(msgspec.Struct, frozen=True):
    """What a version is made of; `document` is the JSON text that is kept byte for byte."""

    valid_from: datetime
    document: bytes
    note: str | None
    created_by: str


class StoredVersion(msgspec.Struct, frozen=True):
    """A version of a tariff; it never changes. In force from `valid_from` on until a later version is."""

    tariff_id: str
    version: int
    valid_from: datetime
    note: str | None
    created_by: str
    created_at: datetime
    tariff: Tariff


class TariffState(msgspec.Struct, frozen=True):
    """What of a tariff counts at a moment: the version in force, if any, and the times that it is limited to (OCPI)."""

    tariff_id: str
    version: int | None
    retired_at: datetime | None
    start_date_time: datetime | None
    end_date_time: datetime | None


class Charged(msgspec.Struct, frozen=True):
    """What a session cost, up to a time."""

    tariff_id: str | None
    version: int | None
    currency: str
    total_cost: Price
    priced_until: datetime | None


# the newest of those that have begun: a version that was replaced before its time never was in force
_IN_FORCE: Final = (
    "SELECT v.version FROM tariff_versions v WHERE v.tenant_id = t.tenant_id AND v.tariff_id = t.tariff_id "
    "AND v.valid_from <= {at} ORDER BY v.version DESC LIMIT 1"
)
_TARIFF: Final = (
    "t.tariff_id, t.name, t.on_change, "
    "(SELECT v.tariff ->> 'currency' FROM tariff_versions v WHERE v.tenant_id = t.tenant_id AND v.tariff_id = t.tariff_id "
    "AND v.version = 1) AS currency, "
    "(SELECT max(v.version) FROM tariff_versions v WHERE v.tenant_id = t.tenant_id AND v.tariff_id = t.tariff_id) "
    f"AS newest_version, ({_IN_FORCE.format(at='$2')}) AS version_in_force, t.created_at, t.updated_at, t.retired_at"
)
_VERSION: Final = "tariff_id, version, valid_from, note, created_by, created_at, tariff"


async def list_tariffs(
    conn: Connection, tenant_id: int, now: datetime, after: str, limit: int, *, retired: bool
) -> list[StoredTariff]:
    """In the order of their ids; the retired ones or the others."""
    rows = await conn.fetch(
        f"SELECT {_TARIFF} FROM tariffs t WHERE t.tenant_id = $1 AND t.tariff_id > $3 AND (t.retired_at IS NOT NULL) = $5 "
        "ORDER BY t.tariff_id LIMIT $4",
        tenant_id,
        now,
        after,
        limit,
        retired,
    )
    return [StoredTariff(**row) for row in rows]


async def get_tariff(conn: Connection, tenant_id: int, tariff_id: str, now: datetime, *, lock: bool = False) -> StoredTariff | None:
    """Also a retired one: what it charged can still be explained."""
    row = await conn.fetchrow(
        f"SELECT {_TARIFF} FROM tariffs t WHERE t.tenant_id = $1 AND t.tariff_id = $3" + (" FOR UPDATE OF t" if lock else ""),
        tenant_id,
        now,
        tariff_id,
    )
    return None if row is None else StoredTariff(**row)


async def insert_tariff(
    conn: Connection, tenant_id: int, tariff_id: str, name: str, on_change: OnChange, first: NewVersion
) -> StoredVersion | None:
    """A tariff with its version 1; None when there is one with this id, in this or another case."""
    made = await conn.fetchval(
        "INSERT INTO tariffs (tenant_id, tariff_id, name, on_change) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true",
        tenant_id,
        tariff_id,
        name,
        on_change,
    )
    return await insert_version(conn, tenant_id, tariff_id, first) if made else None


async def insert_version(conn: Connection, tenant_id: int, tariff_id: str, new: NewVersion) -> StoredVersion:
    """The next version. The row of its tariff has to be locked or new."""
    row = await conn.fetchrow(
        "INSERT INTO tariff_versions (tenant_id, tariff_id, version, valid_from, tariff, note, created_by) "
        "SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4::text::json, $5, $6 FROM tariff_versions "
        f"WHERE tenant_id = $1 AND tariff_id = $2 RETURNING {_VERSION}",
        tenant_id,
        tariff_id,
        new.valid_from,
        new.document.decode(),
        new.note,
        new.created_by,
    )
    if row is None:
        raise LookupError("INSERT returned no row")
    return _version(row)


async def change_tariff(conn: Connection, tenant_id: int, tariff_id: str, name: str | None, on_change: OnChange | None) -> None:
    """None: as it was."""
    await conn.execute(
        "UPDATE tariffs SET name = coalesce($3, name), on_change = coalesce($4, on_change), updated_at = now() "
        "WHERE tenant_id = $1 AND tariff_id = $2",
        tenant_id,
        tariff_id,
        name,
        on_change,
    )


async def retire_tariff(conn: Connection, tenant_id: int, tariff_id: str, now: datetime) -> bool:
    """It is not chosen any more from now on. False when there is no such tariff."""
    done = await conn.fetchval(
        "UPDATE tariffs SET retired_at = $3, updated_at = now() "
        "WHERE tenant_id = $1 AND tariff_id = $2 AND retired_at IS NULL RETURNING true",
        tenant_id,
        tariff_id,
        now,
    )
    return done is not None


async def list_versions(conn: Connection, tenant_id: int, tariff_id: str, before: int, limit: int) -> list[StoredVersion]:
    """Newest first."""
    rows = await conn.fetch(
        f"SELECT {_VERSION} FROM tariff_versions WHERE tenant_id = $1 AND tariff_id = $2 AND version < $3 "
        "ORDER BY version DESC LIMIT $4",
        tenant_id,
        tariff_id,
        before,
        limit,
    )
    return [_version(row) for row in rows]


async def get_version(conn: Connection, tenant_id: int, tariff_id: str, version: int) -> StoredVersion | None:
    row = await conn.fetchrow(
        f"SELECT {_VERSION} FROM tariff_versions WHERE tenant_id = $1 AND tariff_id = $2 AND version = $3",
        tenant_id,
        tariff_id,
        version,
    )
    return None if row is None else _version(row)


async def version_in_force(conn: Connection, tenant_id: int, tariff_id: str, at: datetime) -> int | None:
    """None when there is no such tariff, or no version of it has begun."""
    version: int | None = await conn.fetchval(
        f"SELECT ({_IN_FORCE.format(at='$3')}) FROM tariffs t WHERE t.tenant_id = $1 AND t.tariff_id = $2",
        tenant_id,
        tariff_id,
        at,
    )
    return version


async def tariff_states(conn: Connection, tenant_id: int, tariff_ids: list[str], at: datetime) -> dict[str, TariffState]:
    rows = await conn.fetch(
        "SELECT t.tariff_id, f.version, t.retired_at, (f.tariff ->> 'start_date_time')::timestamptz AS start_date_time, "
        "(f.tariff ->> 'end_date_time')::timestamptz AS end_date_time FROM tariffs t LEFT JOIN LATERAL ("
        "SELECT v.version, v.tariff FROM tariff_versions v WHERE v.tenant_id = t.tenant_id AND v.tariff_id = t.tariff_id "
        "AND v.valid_from <= $3 ORDER BY v.version DESC LIMIT 1) f ON true "
        "WHERE t.tenant_id = $1 AND t.tariff_id = ANY($2::text[])",
        tenant_id,
        tariff_ids,
        at,
    )
    return {row["tariff_id"]: TariffState(**row) for row in rows}


async def on_change_of(conn: Connection, tenant_id: int, tariff_id: str) -> OnChange | None:
    found: OnChange | None = await conn.fetchval(
        "SELECT on_change FROM tariffs WHERE tenant_id = $1 AND tariff_id = $2", tenant_id, tariff_id
    )
    return found


async def charged(conn: Connection, tenant_id: int, session_id: UUID) -> Charged | None:
    """What a session cost so far; None when it was not priced."""
    row = await conn.fetchrow(
        "SELECT tariff_id, tariff_version, currency, total_excl_vat, total_incl_vat, priced_until FROM session_costs "
        "WHERE tenant_id = $1 AND session_id = $2 AND total_excl_vat IS NOT NULL AND currency IS NOT NULL",
        tenant_id,
        session_id,
    )
    if row is None:
        return None
    total = Price(row["total_excl_vat"], row["total_incl_vat"])
    return Charged(row["tariff_id"], row["tariff_version"], row["currency"], total, row["priced_until"])


def _version(row: asyncpg.Record) -> StoredVersion:
    fields = dict(row)
    return StoredVersion(**{**fields, "tariff": _tariffs.decode(fields["tariff"])})
