"""Objects that were read from their owners' lists, put into what is stored (W8, W9, G8, K3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from csms.roaming.received import check_storable, new_object, told_at
from csms.roaming.received_tokens import make_known
from csms.roaming.room import Allowance
from csms.store.pool import Connection
from csms.store.queries import ocpi_objects, ocpi_received
from csms.store.queries.ocpi_objects import ObjectKey
from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.merging import Document, is_outdated
from schemas.ocpi221.tokens import Token


class Pulled(NamedTuple):
    """A good object of a list."""

    key: ObjectKey
    document: Document
    thing: OcpiObject


async def store_pulled(
    conn: Connection, tenant_id: int, pulled: Sequence[Pulled], allowance: Allowance, new_id: Callable[[], UUID]
) -> int:
    """Store what is new or newer than what is known; gives how many objects that are. Tokens become known to stations, too.
    Raises NoRoom: then nothing is stored."""
    newest: dict[ObjectKey, Pulled] = {}
    for one in pulled:
        held = newest.get(one.key)
        if held is None or _updated(held.thing) <= _updated(one.thing):
            newest[one.key] = one
    known = await ocpi_objects.get_objects(conn, tenant_id, newest.keys(), lock=True)
    new = [one for key, one in newest.items() if key not in known]
    for one in new:
        await allowance.take(conn, tenant_id, one.key, check_storable(one.document), objects=1)
    made = await ocpi_received.insert_objects(conn, tenant_id, [_new(one, allowance) for one in new]) if new else set()
    overtaken = [one for one in new if one.key not in made]
    if overtaken:  # their owner has pushed them meanwhile
        known |= await ocpi_objects.get_objects(conn, tenant_id, [one.key for one in overtaken], lock=True)
    changed = [
        newest[key]
        for key, stored in known.items()
        if stored.origin == "received"
        and not is_outdated(told_at(stored.document), _updated(newest[key].thing))
        and (stored.document != newest[key].document or stored.deleted_at is not None)
    ]
    for one in changed:
        await allowance.take(conn, tenant_id, one.key, check_storable(one.document) - known[one.key].size)
    await ocpi_objects.put_objects(conn, tenant_id, [_new(one, allowance) for one in changed])
    stored_now = [one for one in new if one.key in made] + changed
    tokens = [(new_id(), one.thing) for one in stored_now if isinstance(one.thing, Token)]
    await make_known(conn, tenant_id, tokens)
    return len(stored_now)


def _new(one: Pulled, allowance: Allowance) -> ocpi_objects.NewObject:
    return new_object(one.key, one.document, one.thing, allowance.partner_id)


def _updated(thing: Any) -> Any:
    return thing.last_updated
