"""Meter samples of a session: rows of arrays unfolded into samples, each identity once (rule X11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import msgspec

from csms.domain.metering import CONTEXTS
from csms.store.pool import Connection

Value = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="A number in `unit`, digit by digit as received; or a text (signed data, vendor text)",
        extra_json_schema={"type": ["number", "string", "null"]},
    ),
]


class Sample(msgspec.Struct, frozen=True):
    """One value. `timestamp` is null when the station's clock was outside 1970..2100; `timestamp_text` then has what it
    sent."""

    timestamp: datetime | None
    timestamp_text: str | None
    context: str
    measurand: str
    phase: str | None
    location: str
    unit: str
    format: str
    value: Value


class SamplePosition(msgspec.Struct, frozen=True, array_like=True):
    """The identity of a sample inside its session, which is also the order of the list; those without a time come last.

    `ts_key` stands for the station's text of the time, whatever its length: of a long one the beginning and a digest.
    """

    ts: datetime | None
    ts_key: str
    context: int
    measurand: str
    phase: str
    location: str
    format: str


_TS_KEY: Final = (
    "CASE WHEN char_length(r.ts_text) > 32 "
    "THEN left(r.ts_text, 32) || left(encode(sha256(convert_to(r.ts_text, 'UTF8')), 'hex'), 32) "
    "ELSE coalesce(r.ts_text, '') END"
)
# The first received value of an identity counts. Sorting by ts first lets the index on (tenant_id, session_id, ts) feed the
# page: PostgreSQL stops reading when the page is full.
_UNFOLD: Final = f"""
SELECT DISTINCT ON (r.ts, {_TS_KEY}, r.context, c.measurand, c.phase, c.location, c.format)
       r.ts, {_TS_KEY} AS ts_key, r.context, c.measurand, c.phase, c.location, c.format,
       r.ts_text, c.unit, c.multiplier, c.value, c.text
FROM samples r
LEFT JOIN sample_shapes h ON h.tenant_id = r.tenant_id AND h.shape_id = r.shape_id
CROSS JOIN LATERAL ROWS FROM (
    unnest(r."values"),
    unnest(r.texts),
    jsonb_to_recordset(coalesce(r.shape, h.shape)::jsonb)
        AS (measurand text, phase text, location text, unit text, multiplier integer, format text)
) AS c(value, text, measurand, phase, location, unit, multiplier, format)
WHERE r.tenant_id = $1 AND r.session_id = $2 AND {{page}}
ORDER BY r.ts, {_TS_KEY}, r.context, c.measurand, c.phase, c.location, c.format, r.recorded_at
LIMIT $3
"""
_AFTER_IDENTITY: Final = (
    f"({_TS_KEY}, r.context, c.measurand, c.phase, c.location, c.format) > "
    "({0}::text, {1}::smallint, {2}::text, {3}::text, {4}::text, {5}::text)"
)
_FIRST: Final = _UNFOLD.format(page="r.ts IS NOT NULL")
_TIMED: Final = _UNFOLD.format(page=f"r.ts >= $4 AND (r.ts > $4 OR {_AFTER_IDENTITY.format('$5', '$6', '$7', '$8', '$9', '$10')})")
_UNTIMED_FIRST: Final = _UNFOLD.format(page="r.ts IS NULL")
_UNTIMED: Final = _UNFOLD.format(page=f"r.ts IS NULL AND {_AFTER_IDENTITY.format('$4', '$5', '$6', '$7', '$8', '$9')}")


async def list_samples(
    conn: Connection, tenant_id: int, session_id: UUID, after: SamplePosition | None, limit: int
) -> list[tuple[SamplePosition, Sample]]:
    """By time, then by what they measure; samples without a usable time at the end."""
    found: list[asyncpg.Record] = []
    if after is None:
        found = await conn.fetch(_FIRST, tenant_id, session_id, limit)
    elif after.ts is not None:
        found = await conn.fetch(_TIMED, tenant_id, session_id, limit, *msgspec.structs.astuple(after))
    if len(found) < limit:
        rest = limit - len(found)
        if after is None or after.ts is not None:
            found += await conn.fetch(_UNTIMED_FIRST, tenant_id, session_id, rest)
        else:
            found += await conn.fetch(_UNTIMED, tenant_id, session_id, rest, *msgspec.structs.astuple(after)[1:])
    return _samples(found)


async def newest_samples(conn: Connection, tenant_id: int, session_id: UUID, limit: int) -> list[Sample]:
    """The values of the newest moment that was measured."""
    newest = await conn.fetchval("SELECT max(ts) FROM samples WHERE tenant_id = $1 AND session_id = $2", tenant_id, session_id)
    if newest is None:
        return []
    start = SamplePosition(newest, "", -1, "", "", "", "")
    return [sample for position, sample in await list_samples(conn, tenant_id, session_id, start, limit) if position.ts == newest]


def _samples(rows: Sequence[asyncpg.Record]) -> list[tuple[SamplePosition, Sample]]:
    return [
        (
            SamplePosition(*list(row.values())[:7]),
            Sample(
                row["ts"],
                row["ts_text"] or None,
                CONTEXTS[row["context"]],
                row["measurand"],
                row["phase"] or None,
                row["location"],
                row["unit"],
                row["format"],
                _value(row["value"], row["text"], row["multiplier"]),
            ),
        )
        for row in rows
    ]


def _value(number: Decimal | None, text: str | None, multiplier: int) -> msgspec.Raw:
    if number is None or not number.is_finite():
        return msgspec.Raw(msgspec.json.encode(text))
    return msgspec.Raw(str(number.scaleb(multiplier) if multiplier else number).encode())
