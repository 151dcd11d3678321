"""Made documents against the stored ones: what has changed is stored and noted for those who are to be told, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from csms.roaming.parties import Folded
from csms.roaming.stamping import Document, Stamped, stamp
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects as queries
from csms.store.queries.ocpi_objects import NewObject, NewPush, ObjectKey


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it is now, and who is told if it has changed."""

    key: ObjectKey
    document: Document
    receivers: Collection[Folded]
    with_party: Folded | None = None


class Saved(msgspec.Struct, frozen=True):
    """What a publication has changed."""

    objects: int = 0
    pushes: int = 0

    def __add__(self, other: Saved) -> Saved:
        return Saved(self.objects + other.objects, self.pushes + other.pushes)


NOTHING = Saved()


async def save(conn: Connection, tenant_id: int, made: Sequence[Made], now: datetime) -> Saved:
    """Objects without parts. A deleted tariff that is there again is told again."""
    stored = await queries.get_objects(conn, tenant_id, [one.key for one in made])
    changed: list[tuple[Made, Stamped]] = []
    for one in made:
        known = stored.get(one.key)
        there = known is not None and known.deleted_at is None
        stamped = stamp(
            one.document, known.document if known and there else None, None if known is None else known.last_updated, now
        )
        if stamped is not None:
            changed.append((one, stamped))
    return await write(conn, tenant_id, changed)


async def write(conn: Connection, tenant_id: int, changed: Sequence[tuple[Made, Stamped]]) -> Saved:
    """Store what is stamped, and note it for its receivers."""
    if not changed:
        return NOTHING
    await queries.put_objects(
        conn,
        tenant_id,
        [
            NewObject(
                key=one.key, origin="own", document=stamped.document, last_updated=stamped.last_updated, with_party=one.with_party
            )
            for one, stamped in changed
        ],
    )
    pushes = [
        NewPush(to=party, sender=one.key.owner, key=one.key, part=part)
        for one, stamped in changed
        for party in one.receivers
        for part in stamped.parts or ("",)
    ]
    return Saved(len(changed), await queries.queue_pushes(conn, tenant_id, pushes))


async def delete(conn: Connection, tenant_id: int, key: ObjectKey, receivers: Collection[Folded], now: datetime) -> Saved:
    """A tariff that is gone (F1)."""
    if not await queries.mark_deleted(conn, tenant_id, key, now):
        return NOTHING
    pushes = [NewPush(to=party, sender=key.owner, key=key) for party in receivers]
    return Saved(1, await queries.queue_pushes(conn, tenant_id, pushes))
