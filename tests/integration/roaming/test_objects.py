"""The store of OCPI objects and of pushes (real PostgreSQL), as every module of OCPI uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from csms.roaming.agreements import Agreement, Agreements
from csms.store import Connection, open_store
from csms.store.queries import ocpi_objects as queries
from csms.store.queries.ocpi_objects import ListFilter, NewObject, NewPush, ObjectKey

T0 = datetime(2026, 1, 1, tzinfo=UTC)
OWNERS = (("de", "abc"), ("nl", "xyz"))
P, Q = ("nl", "emp"), ("nl", "oth")


def stored(module: str, owner: tuple[str, str], object_id: str, **values: Any) -> NewObject:
    return NewObject(
        key=ObjectKey(module, owner, object_id, values.get("kind", "")),
        origin=values.get("origin", "received"),
        document={"id": object_id, "country": values.get("country", "DEU"), "price": Decimal("0.1000"), "extra": {"kept": 1}},
        last_updated=values.get("at", T0),
        with_party=values.get("with_party"),
    )


async def test_lists_show_what_agreements_allow_in_the_order_of_creation(database: str) -> None:
    """R14, G1, G3, G5: the list says the same as the question about each object."""
    places = [(owner, name, country) for owner in OWNERS for name, country in (("a", "DEU"), ("b", "NLD"), ("c", "DEU"))]

    async def fill(conn: Connection) -> None:
        for place, (owner, name, country) in enumerate(places):
            await queries.put_object(conn, 1, stored("locations", owner, name, country=country, at=T0 + timedelta(minutes=place)))
            party = P if place % 2 else Q
            await queries.put_object(conn, 1, stored("cdrs", owner, name, with_party=party))

    async def shown(conn: Connection, module: str, wanted: ListFilter, offset: int = 0, limit: int = 100) -> tuple[list[Any], int]:
        found, total = await queries.list_objects(conn, 1, module, wanted, offset=offset, limit=limit)
        return [(one.key.owner, one.key.object_id) for one in found], total

    async with open_store(database) as store:
        await store.hub.tenant_unit(1, fill)
        everything = [
            Agreement(party=P, location_ids=frozenset("ab")),
            Agreement(party=P, countries=frozenset({"NL"})),
            Agreement(party=P, owner=OWNERS[0], allowed=False, location_ids=frozenset("a")),
            Agreement(owner=OWNERS[1], allowed=False),
            Agreement(modules=frozenset({"locations"}), allowed=False),
            Agreement(party=Q, owner=OWNERS[1]),
        ]
        for chosen in range(2 ** len(everything)):
            listed = [one for place, one in enumerate(everything) if chosen >> place & 1]
            for visibility in ("everyone", "listed") if chosen % 4 == 0 else ("listed",):
                asked = Agreements(listed, visibility)  # type: ignore[arg-type]  # one of these two
                wanted = ListFilter(visible=[asked.visible(P, "locations")])
                found, total = await store.hub.tenant_unit(1, partial(shown, module="locations", wanted=wanted))
                expected = [(owner, name) for owner, name, country in places if asked.allows(P, owner, "locations", name, country)]
                assert (found, total) == (expected, len(expected)), (listed, visibility)
        asked = Agreements([], "everyone")
        visible = [asked.visible(party, "cdrs", involved=[party]) for party in (P,)]
        found, total = await store.hub.tenant_unit(1, partial(shown, module="cdrs", wanted=ListFilter(visible=visible)))
        assert found == [(owner, name) for place, (owner, name, _) in enumerate(places) if place % 2]
        both = [asked.visible(party, "cdrs", involved=[party]) for party in (P, Q)]
        assert (await store.hub.tenant_unit(1, partial(shown, module="cdrs", wanted=ListFilter(visible=both))))[1] == len(places)
        nothing = ListFilter(visible=[])
        assert await store.hub.tenant_unit(1, partial(shown, module="cdrs", wanted=nothing)) == ([], 0)
        later = ListFilter(
            owners=[OWNERS[1]], origin="received", date_from=T0 + timedelta(minutes=4), date_to=T0 + timedelta(minutes=5)
        )
        assert await store.hub.tenant_unit(1, partial(shown, module="locations", wanted=later)) == ([(OWNERS[1], "b")], 1)
        paged = partial(shown, module="locations", wanted=ListFilter(), offset=4, limit=5)
        assert await store.hub.tenant_unit(1, paged) == ([(OWNERS[1], "b"), (OWNERS[1], "c")], 6)
        beyond = partial(shown, module="locations", wanted=ListFilter(), offset=9, limit=5)
        assert await store.hub.tenant_unit(1, beyond) == ([], 6)
        assert await store.hub.tenant_unit(1, partial(shown, module="cdrs", wanted=ListFilter(origin="own"))) == ([], 0)


async def test_objects_are_replaced_deleted_and_told(database: str) -> None:
    tariff = stored("tariffs", OWNERS[0], "t")
    push = NewPush(to=P, sender=OWNERS[0], key=tariff.key)

    async def work(conn: Connection) -> list[Any]:
        seen: list[Any] = [await queries.put_object(conn, 1, tariff), await queries.put_object(conn, 1, tariff)]
        found = await queries.get_object(conn, 1, tariff.key, lock=True)
        assert found is not None
        assert found.document == tariff.document
        assert await queries.get_objects(conn, 1, [tariff.key, ObjectKey("tariffs", OWNERS[1], "t")], lock=True) == {
            tariff.key: found
        }
        assert [one.key for one in await queries.find_by_id(conn, 1, "tariffs", "t")] == [tariff.key]
        seen += [await queries.mark_deleted(conn, 1, tariff.key, T0), await queries.mark_deleted(conn, 1, tariff.key, T0)]
        assert await queries.list_objects(conn, 1, "tariffs", ListFilter(), offset=0, limit=9) == ([], 0)
        assert await queries.find_by_id(conn, 1, "tariffs", "t") == []
        seen.append(await queries.put_object(conn, 1, tariff))  # it is there again
        for number in range(3):
            again = NewPush(to=P, sender=OWNERS[1], key=tariff.key, correlation_id=f"c{number}")
            assert await queries.queue_pushes(conn, 1, [push, again] if number == 2 else [again]) == 1
        assert await queries.queue_pushes(conn, 1, [NewPush(to=P, sender=OWNERS[0], key=tariff.key, part="e1")]) == 1
        assert await queries.queue_pushes(conn, 1, []) == 0
        return seen

    async with open_store(database) as store:
        assert await store.hub.tenant_unit(1, work) == [True, False, True, False, True]
        rows = await store.hub.tenant_unit(
            1, lambda conn: conn.fetch("SELECT part, version, from_party_id, correlation_id FROM ocpi_pushes ORDER BY push_no")
        )
    assert [tuple(row) for row in rows] == [("", 3, "xyz", "c2"), ("e1", 1, "abc", None)]
