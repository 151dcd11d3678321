"""What is published of a tenant's data, and who is to be told (real PostgreSQL, ledger and billing)."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trio

from csms.clock import Clock, SystemClock
from csms.domain.operations import ReportConnectorStatus
from csms.health import HealthRegistry
from csms.roaming.parties import OwnRole
from csms.roaming.publication import publisher
from csms.roaming.publication.changes import Changes
from csms.roaming.publication.publisher import Publisher
from csms.roaming.publication.saving import Saved
from csms.roaming.publication.worker import Publication
from csms.store.outbox import ROAMING, START, OutboxStore
from csms.store.queries import ocpi_parties
from csms.store.queries import ocpi_publication as queries
from schemas.ocpi221 import cdrs, locations, sessions, tariffs, tokens
from schemas.ocpi221.instants import read_instant
from schemas.ocpi221.reading import read
from schemas.ocpi221.writing import check
from tests.integration.billing.harness import SIMPLE, Bills
from tests.integration.hub.harness import Person, reading
from tests.integration.roaming.harness import Roaming


async def tell_status(roaming: Roaming, station_id: int, status: str) -> None:
    await roaming.bills.field.ledger.commit(
        ReportConnectorStatus(tenant_id=roaming.tenant_id, station_id=station_id, evse_id=1, connector_id=1, status=status)
    )


def statuses(found: Any) -> list[str]:
    return [evse["status"] for one in found for evse in one["document"]["evses"]]


async def test_a_status_is_told_to_each_party_that_may_have_the_location(roaming: Roaming) -> None:
    """L5, R14; nothing is read or published while nobody roams."""
    market, harbour = await roaming.location(), await roaming.location("Harbour", country="NLD")
    first, second = await roaming.station("CP-1", market), await roaming.station("CP-2", harbour)
    await tell_status(roaming, first, "Available")
    assert not await roaming.sql("SELECT FROM outbox_readers WHERE sink = 'roaming'")
    for party in ("ALL", "MKT", "NED", "NON"):
        await roaming.partner(party)
    await roaming.partner("CPX", "CPO")
    await roaming.partner("OFF", status="suspended")
    await roaming.agreement("MKT", location_ids=[str(market)])
    await roaming.agreement("NED", countries=["NL"])
    await roaming.agreement("NON", allowed=False)
    await roaming.party()
    found = await roaming.published("locations", lambda found: len(found) == 2)
    by_id = {one["object_id"]: one["document"] for one in found}
    reading = read(locations.Location, by_id[str(market)])
    assert not reading.remarks
    location = reading.value
    assert (location.country_code, location.party_id, location.country, location.coordinates.latitude) == (
        "DE",
        "ABC",
        "DEU",
        "52.500000",
    )
    connector = location.evses[0].connectors[0]
    assert (connector.standard, connector.power_type, connector.max_voltage, connector.max_amperage) == (
        "IEC_62196_T2",
        "AC_3_PHASE",
        230,
        16,
    )
    assert location.evses[0].status == "AVAILABLE"
    await roaming.settled()
    told = {(party, object_id) for party, _, object_id, _, _ in await roaming.pushes("locations")}
    assert told == {("all", str(market)), ("all", str(harbour)), ("mkt", str(market)), ("ned", str(harbour))}

    await roaming.forget_pushes()
    before = {one["object_id"]: one for one in await roaming.objects("locations")}
    await tell_status(roaming, first, "Charging")
    after = await roaming.published("locations", lambda found: "CHARGING" in statuses(found))
    await roaming.settled()
    uid = location.evses[0].uid
    assert await roaming.pushes() == [("all", "locations", str(market), uid, 1), ("mkt", "locations", str(market), uid, 1)]
    changed = next(one for one in after if one["object_id"] == str(market))
    assert changed["last_updated"] > before[str(market)]["last_updated"]
    assert changed["document"]["last_updated"] == changed["document"]["evses"][0]["last_updated"]
    assert changed["document"]["evses"][0]["connectors"] == before[str(market)]["document"]["evses"][0]["connectors"]
    assert next(one for one in after if one["object_id"] == str(harbour)) == before[str(harbour)]

    await tell_status(roaming, first, "Charging")  # the same again tells nobody anything
    await tell_status(roaming, first, "Faulted")
    await roaming.published("locations", lambda found: "OUTOFORDER" in statuses(found))
    assert await roaming.pushes() == [("all", "locations", str(market), uid, 2), ("mkt", "locations", str(market), uid, 2)]

    await roaming.forget_pushes()
    await roaming.sql("UPDATE stations SET location_id = $2 WHERE station_id = $1", second, market)  # it moves
    found = await roaming.published("locations", lambda found: sorted(statuses(found)) == ["OUTOFORDER", "REMOVED", "UNKNOWN"])
    gone = next(one for one in found if one["object_id"] == str(harbour))
    assert gone["document"]["evses"][0]["status"] == "REMOVED"
    await roaming.sql("UPDATE stations SET retired_at = now() WHERE station_id = $1", first)
    await roaming.published("locations", lambda found: sorted(statuses(found)) == ["REMOVED", "REMOVED", "UNKNOWN"])


async def test_sessions_and_cdrs_of_foreign_tokens_go_to_the_party_of_the_token(roaming: Roaming) -> None:
    """E1, E7, D1, D3, D13, G9; a session of a token of ours is nobody's business."""
    market = await roaming.location()
    station = await roaming.station("CP-1", market)
    await roaming.foreign_token()
    for party in ("EMP", "ALL"):
        await roaming.partner(party)
    await roaming.party()
    await roaming.bills.tariff("north")
    published = await roaming.published("tariffs")
    assert read(tariffs.Tariff, published[0]["document"]).value.id == "simple"
    await roaming.published(
        "locations", lambda found: bool(found and found[0]["document"]["evses"][0]["connectors"][0].get("tariff_ids"))
    )
    await roaming.forget_pushes()
    await roaming.sql(
        "INSERT INTO ocpi_authorizations (tenant_id, authorization_id, country_code, party_id, token_key, method, reference) "
        "VALUES ($1, gen_random_uuid(), 'NL', 'EMP', 'card1', 'AUTH_REQUEST', 'ref-7')",
        roaming.tenant_id,
    )
    field = roaming.bills.field
    transaction = await field.start("north", station, tag="Card1")
    own = await field.start("north", await roaming.station("CP-2", market), tag="OURS")
    found = await roaming.published("sessions")
    session = read(sessions.Session, found[0]["document"])
    assert not session.remarks
    assert (session.value.status, session.value.auth_method, session.value.authorization_reference) == (
        "ACTIVE",
        "AUTH_REQUEST",
        "ref-7",
    )
    token = session.value.cdr_token
    assert (token.country_code, token.party_id, token.uid, token.type, token.contract_id) == (
        "NL",
        "EMP",
        "CARD1",
        "RFID",
        "NLEMPC123456",
    )
    assert session.value.location_id == str(market)
    # a reading is told by itself, before anything else happens to the session
    await field.meter("north", station, transaction, reading(10, "3000"))
    await roaming.published("sessions", lambda found: found[0]["document"]["kwh"] == 2)
    await field.stop("north", station, transaction)
    await field.stop("north", 2, own)
    records = await roaming.published("cdrs")
    cdr = read(cdrs.CDR, records[0]["document"])
    assert not cdr.remarks
    assert (cdr.value.total_energy, cdr.value.total_cost.excl_vat, cdr.value.total_cost.incl_vat) == (4, 1, Decimal("1.2"))
    assert (cdr.value.authorization_reference, cdr.value.cdr_location.evse_id, cdr.value.cdr_location.country) == (
        "ref-7",
        "#NA",
        "DEU",
    )
    done = await roaming.published("sessions", lambda found: found[0]["document"]["status"] == "COMPLETED")
    assert (done[0]["document"]["kwh"], done[0]["document"]["end_date_time"]) == (4, "2026-03-01T11:00:00Z")
    # a correction: the credit, and a new one
    session_id = await roaming.bills.session(transaction)
    await roaming.sql(
        "UPDATE sessions SET stop_meter_wh = 9000, energy_wh = 8000, updated_at = now() WHERE session_id = $1", session_id
    )
    await roaming.sql(
        "INSERT INTO outbox (tenant_id, type, station_id, session_id, data) VALUES ($1, 'session.corrected', $2, $3, '{}')",
        roaming.tenant_id,
        station,
        session_id,
    )
    records = await roaming.published("cdrs", lambda found: len(found) == 3)
    credit, new = (read(cdrs.CDR, one["document"]).value for one in records[1:])
    assert (credit.credit, credit.credit_reference_id, credit.total_cost.excl_vat) == (True, cdr.value.id, -1)
    assert (new.credit, new.total_cost.excl_vat) == (None, 2)
    await roaming.settled()
    told = [*await roaming.pushes("sessions"), *await roaming.pushes("cdrs")]
    assert {receiver for receiver, *_ in told} == {"emp"}
    assert [object_id for _, module, object_id, _, _ in told if module == "cdrs"] == [cdr.value.id, credit.id.lower(), new.id]
    assert len({object_id for _, module, object_id, _, _ in told if module == "sessions"}) == 1


async def test_tokens_tariffs_and_the_hub(roaming: Roaming) -> None:
    """K2, F1; a party that comes onto the hub is told to it whole."""
    await roaming.sql(
        "INSERT INTO tenants (slug, name, kind) VALUES ('hub', 'Hub', 'hub')",
    )
    await roaming.sql(
        "INSERT INTO ocpi_parties (tenant_id, country_code, party_id, role, business_details, on_hub) "
        "SELECT tenant_id, 'DE', 'HUB', 'HUB', '{\"name\": \"Hub\"}', false FROM tenants WHERE kind = 'hub'"
    )
    await roaming.partner("CPX", "CPO")
    await roaming.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id, single_use, status) VALUES "
        "($1, 'A1', 'ISO14443', 'DE-EMS-C00000001', false, 'accepted'), ($1, 'ONCE', 'Central', NULL, true, 'accepted'), "
        "($1, 'SEEN', 'ISO14443', NULL, false, 'unknown')",
        roaming.tenant_id,
    )
    await roaming.party("EMSP", "AAA")
    await roaming.party("EMSP", "EMS")
    found = await roaming.published("tokens")
    token = read(tokens.Token, found[0]["document"])
    assert not token.remarks
    assert (token.value.party_id, token.value.type, token.value.valid, token.value.issuer) == ("EMS", "RFID", True, "EMS Energy")
    await roaming.settled()
    assert await roaming.pushes() == [("cpx", "tokens", "a1", "", 1)]
    await roaming.forget_pushes()
    await roaming.party("EMSP", "EMS", on_hub=True)
    await roaming.settled()
    assert await roaming.pushes() == [("hub", "tokens", "a1", "", 1)]
    await roaming.sql("UPDATE id_tokens SET retired_at = now(), status = 'blocked' WHERE id_token = 'A1'")
    found = await roaming.published("tokens", lambda found: not found[0]["document"]["valid"])
    assert len(found) == 1
    await roaming.forget_pushes()

    await roaming.party("CPO", "ABC")
    await roaming.partner("EMP")
    await roaming.bills.tariff("north")
    await roaming.published("tariffs")
    await roaming.sql("UPDATE tariffs SET retired_at = now()")
    await roaming.published("tariffs", lambda found: found[0]["deleted_at"] is not None)
    assert await roaming.pushes("tariffs") == [("emp", "tariffs", "simple", "", 2)]


async def test_a_party_that_leaves_takes_back_its_own(roaming: Roaming) -> None:
    """L2, F1, K2: to everybody who was told, while what others of the tenant have told stays; it goes when everybody knows."""
    market = await roaming.location()
    await roaming.station("CP-1", market)
    await roaming.bills.tariff("north")
    await roaming.partner("EMP")
    await roaming.partner("CPX", "CPO")
    await roaming.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, contract_id, status) VALUES "
        "($1, 'A1', 'ISO14443', 'DE-EMS-C00000001', 'accepted'), ($1, 'B1', 'ISO14443', 'DE-ABC-C00000002', 'accepted')",
        roaming.tenant_id,
    )
    for role, party_id in (("CPO", "ABC"), ("EMSP", "EMS"), ("EMSP", "ABC")):
        await roaming.party(role, party_id)
    await roaming.published("locations")
    await roaming.published("tokens", lambda found: len(found) == 2)
    await roaming.settled()
    await roaming.forget_pushes()
    store = roaming.bills.field.hub.services.store

    async def leave(role: OwnRole, party_id: str) -> bool:
        return await store.hub.tenant_unit(
            roaming.tenant_id, lambda conn: ocpi_parties.begin_leaving(conn, roaming.tenant_id, "DE", party_id, role)
        )

    async def ended() -> int:
        before = roaming.bills.field.hub.services.clock.now() - timedelta(days=1)
        return await store.hub.tenant_unit(
            roaming.tenant_id, lambda conn: ocpi_parties.end_leaving(conn, roaming.tenant_id, before)
        )

    assert not await leave("EMSP", "NOT")
    assert await leave("EMSP", "EMS")
    found = await roaming.published("tokens", lambda found: len(found) == 3)
    told = {(one["party_id"], one["object_id"]): one["document"]["valid"] for one in found}
    # what the contract's party told is void; a party that stays tells of the token from now on
    assert told == {("ems", "a1"): False, ("abc", "a1"): True, ("abc", "b1"): True}
    await roaming.settled()
    assert sorted(await roaming.pushes()) == [("cpx", "tokens", "a1", "", 1)] * 2
    assert await ended() == 0  # not everybody knows
    await roaming.forget_pushes()
    assert await ended() == 1
    assert await leave("CPO", "ABC")
    await roaming.published("locations", lambda found: statuses(found) == ["REMOVED"])
    await roaming.published("tariffs", lambda found: found[0]["deleted_at"] is not None)
    await roaming.settled()
    assert {(to, module) for to, module, *_ in await roaming.pushes()} == {("emp", "locations"), ("emp", "tariffs")}
    await roaming.forget_pushes()
    # a session that goes on keeps it
    await roaming.sql(
        "INSERT INTO ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, document, last_updated) "
        "VALUES ($1, 'sessions', 'de', 'abc', 's', 'own', '{\"status\": \"ACTIVE\"}', now() - interval '1 hour')",
        roaming.tenant_id,
    )
    assert await ended() == 0
    await roaming.sql("UPDATE ocpi_objects SET document = '{\"status\": \"COMPLETED\"}' WHERE object_id = 's'")
    assert await ended() == 1
    # of the same codes, in the other role, nothing is taken back
    assert [(one["role"], one["party_id"]) for one in await roaming.sql("SELECT role, party_id FROM ocpi_parties")] == [
        ("EMSP", "ABC")
    ]
    assert (await roaming.published("tokens", lambda found: len(found) == 3))[-1]["document"]["valid"]
    # nobody waits for ever
    assert await leave("EMSP", "ABC")
    await roaming.sql("UPDATE ocpi_parties SET leaving_since = now() - interval '2 days'")
    assert await ended() == 1


async def test_what_is_missing_is_named_and_told_once_it_is_there(roaming: Roaming) -> None:
    """The API: details, findings, what is published, going through everything again."""
    market = await roaming.location(latitude=None)
    station = await roaming.station("CP-1", market, connector_type="wResonant")
    await roaming.foreign_token()
    await roaming.partner("EMP")
    await roaming.party()
    await roaming.bills.tariff("north")
    field, api = roaming.bills.field, roaming.boss
    transaction = await field.start("north", station, tag="CARD1")
    await field.stop("north", station, transaction)
    await roaming.bills.cdrs(transaction, 1)
    await roaming.settled()
    assert [*await roaming.objects("locations"), *await roaming.objects("cdrs")] == []
    found = (await api.get("/api/v1/ocpi/findings", params={"module": "locations"})).json()["items"]
    assert {(one["field"], one["weight"], one["charge_point_id"]) for one in found} == {
        ("latitude", "withheld", None),
        ("evses[1].connectors[1].type", "withheld", "CP-1"),
        ("evses[1]", "withheld", "CP-1"),
    }
    first = (await api.get("/api/v1/ocpi/findings", params={"module": "locations", "limit": 2})).json()
    second = await api.get("/api/v1/ocpi/findings", params={"module": "locations", "limit": 2, "cursor": first["next_cursor"]})
    assert [*first["items"], *second.json()["items"]] == found
    found = (await api.get("/api/v1/ocpi/findings", params={"module": "sessions"})).json()["items"]
    assert {(one["module"], one["field"]) for one in found} == {
        ("cdrs", "cdr_location.latitude"),
        ("cdrs", "cdr_location.connector_type"),
    }

    evse = "/api/v1/chargepoints/CP-1/evses/1/roaming"
    refused = await api.put(evse, {"floor_level": "basement"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "floor_level")
    refused = await api.patch(
        f"/api/v1/locations/{market}", {"roaming": {"opening_times": {"twentyfourseven": False}, "publish": True}}
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "roaming.opening_times.regular_hours")
    assert (await api.put("/api/v1/chargepoints/CP-1/evses/7/roaming", {})).status_code == 404
    assert (await api.put("/api/v1/chargepoints/CP-1/evses/-1/roaming", {})).status_code == 404
    told = {"emi3_evse_id": "DE*ABC*E1", "capabilities": ["RFID_READER"], "floor_level": "-1"}
    assert (await api.put(evse, told)).status_code == 200
    assert (await api.get(evse)).json() == told
    connector = "/api/v1/chargepoints/CP-1/evses/1/connectors/1/roaming"
    entered = {"standard": "IEC_62196_T2", "format": "SOCKET"}
    assert (await api.put(connector, entered)).status_code == 200
    assert (await api.get(connector)).json() == entered
    details = {"facilities": ["WIFI"], "opening_times": {"twentyfourseven": True}, "operator": {"name": "Market Ltd"}}
    changed = await api.patch(f"/api/v1/locations/{market}", {"latitude": 52.5, "roaming": details})
    assert (changed.status_code, changed.json()["roaming"]) == (200, details)
    published = (await roaming.published("locations"))[0]["document"]
    assert (published["facilities"], published["operator"]) == (["WIFI"], {"name": "Market Ltd"})
    assert (published["evses"][0]["evse_id"], published["evses"][0]["connectors"][0]["standard"]) == ("DE*ABC*E1", "IEC_62196_T2")
    # the record of a session that was there before is told now, with what its place is known by since
    cdr = (await roaming.published("cdrs"))[0]["document"]
    assert cdr["cdr_location"]["coordinates"]["latitude"] == "52.500000"

    shown = (await api.get("/api/v1/ocpi/published", params={"module": "cdrs"})).json()["items"]
    assert [(one["id"], one["told_to"]) for one in shown] == [(cdr["id"], "NL-EMP")]
    await roaming.forget_pushes()
    asked = await api.post("/api/v1/ocpi/publications", {"modules": ["locations"], "country_code": "nl", "party_id": "EMP"})
    assert (asked.status_code, [one["to"] for one in asked.json()["items"]]) == (202, ["NL-EMP"])
    await roaming.settled()
    assert await roaming.pushes() == [("emp", "locations", str(market), "", 1)]
    asked = await api.post("/api/v1/ocpi/publications", {})
    assert asked.status_code == 202
    await roaming.settled()
    assert await roaming.pushes() == [("emp", "locations", str(market), "", 1)]  # nothing is different
    # not shared any more: its EVSE is gone for partners
    await api.patch(f"/api/v1/locations/{market}", {"roaming": {"shared": False}})
    await roaming.published("locations", lambda found: statuses(found) == ["REMOVED"])


async def test_batches_at_the_same_time_never_set_a_time_back(roaming: Roaming) -> None:
    """L5 under concurrent publication: each state is told once, in one order, and times only grow."""
    market = await roaming.location()
    stations = [await roaming.station(f"CP-{number}", market) for number in range(6)]
    await roaming.party()
    await roaming.partner("EMP")
    await roaming.published("locations", lambda found: len(statuses(found)) == 6)
    await roaming.settled()
    services = roaming.bills.field.hub.services
    others = [Publisher(services.store, services.bus, services.clock) for _ in range(3)]
    seen: list[Any] = []

    async def watch() -> None:
        while True:
            seen.append((await roaming.objects("locations"))[0])
            await trio.sleep(0.005)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        async with trio.open_nursery() as changing:
            for round_ in range(5):
                for number, station in enumerate(stations):
                    await tell_status(roaming, station, ("Available", "Charging", "Faulted")[(round_ + number) % 3])
                for other in others:
                    changing.start_soon(other.apply, roaming.tenant_id, Changes(stations={f"CP-{n}" for n in range(6)}))
                    changing.start_soon(other.apply, roaming.tenant_id, Changes(locations={market}))
        await roaming.settled()
        nursery.cancel_scope.cancel()
    seen.append((await roaming.objects("locations"))[0])
    assert len({one["last_updated"] for one in seen}) > 2
    for before, after in itertools.pairwise(seen):
        assert after["last_updated"] >= before["last_updated"]
        assert (after["last_updated"] == before["last_updated"]) == (after["document"] == before["document"])
        assert not check(read(locations.Location, after["document"]).value)
        for old, new in zip(before["document"]["evses"], after["document"]["evses"], strict=True):
            assert old["uid"] == new["uid"]
            assert read_instant(old["last_updated"]) <= read_instant(new["last_updated"])
            assert (old["last_updated"] == new["last_updated"]) == (old == new)
    told = [("AVAILABLE", "CHARGING", "OUTOFORDER")[(4 + number) % 3] for number in range(6)]
    assert sorted(statuses(seen[-1:])) == sorted(told)


async def test_going_through_goes_on_where_it_was_interrupted(bills: Bills, boss: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between two parts loses and repeats nothing that anybody is told."""
    monkeypatch.setattr(publisher, "LOCATIONS_AT_ONCE", 1)
    services = bills.field.hub.services
    store = services.store
    publication = Publication(store, services.bus, services.clock, HealthRegistry())
    roaming = Roaming(bills, boss, publication, await bills.field.tenant_id("north"))
    for number in range(3):
        await roaming.station(f"CP-{number}", await roaming.location(f"Place {number}"))
    await roaming.partner("EMP")
    await roaming.party()
    await roaming.sql("DELETE FROM ocpi_publications WHERE module <> 'locations'")

    async def part(made: Publisher) -> bool:
        whole = await store.gateway.unit(queries.next_whole)
        if whole is not None:
            await made.go_on(whole)
        return whole is not None

    before = Publisher(store, services.bus, services.clock)
    assert await part(before)
    assert len(await roaming.objects("locations")) == 1
    # the next part is made, and the process dies before that is noted
    whole = await store.gateway.unit(queries.next_whole)
    with monkeypatch.context() as dying:
        dying.setattr(queries, "note_whole", refuse)
        with pytest.raises(Died):
            await before.go_on(whole)
    assert len(await roaming.objects("locations")) == 2
    after = Publisher(store, services.bus, services.clock)
    while await part(after):
        pass
    assert len(await roaming.objects("locations")) == 3
    assert sorted(version for *_, version in await roaming.pushes()) == [1, 1, 1]
    told = await roaming.objects("locations")
    # events that come once more, as after a crash, change nothing either
    events = await OutboxStore(store.gateway).read(START, 500, Publication.takes, ROAMING)
    await publication.publish([event for _, event in events[0]])
    assert await roaming.objects("locations") == told


async def test_what_time_alone_changes_is_told(bills: Bills, boss: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that end, versions that come into force, tariffs of an hour of the day (L15, K2), and sessions that run."""
    services = bills.field.hub.services
    store = services.store
    roaming = Roaming(
        bills, boss, Publication(store, services.bus, services.clock, HealthRegistry()), await bills.field.tenant_id("north")
    )
    market = await roaming.location()
    station = await roaming.station("CP-1", market)
    await roaming.foreign_token()
    await roaming.partner("EMP")
    await roaming.party()
    await roaming.party("EMSP", "EMS")
    now = services.clock.now()
    soon = now + timedelta(minutes=30)
    dearer = {**SIMPLE, "elements": [{"price_components": [{"type": "ENERGY", "price": 0.5, "vat": 20, "step_size": 1}]}]}
    await bills.tariff("north")
    await bills.tariff("north", dearer, version=2, valid_from=soon.isoformat())
    await bills.tariff("north", {**SIMPLE, "id": "happy"})
    await roaming.sql(
        "UPDATE tariff_assignments SET priority = 1, start_time = $1, end_time = $2 WHERE tariff_id = 'happy'",
        f"{soon.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}",
        f"{(soon + timedelta(hours=2)).astimezone(ZoneInfo('Europe/Berlin')):%H:%M}",
    )
    await roaming.sql(
        "INSERT INTO id_tokens (tenant_id, id_token, type, valid_until) VALUES ($1, 'A1', 'ISO14443', $2)", roaming.tenant_id, soon
    )
    transaction = await bills.field.start("north", station, tag="CARD1")

    async def come_to(clock: Clock) -> None:
        publishing = Publisher(store, services.bus, clock)
        await publishing.look_around(roaming.tenant_id)
        while (whole := await store.gateway.unit(queries.next_whole)) is not None:
            await publishing.go_on(whole)

    def tariff_ids(found: Any) -> Any:
        return found[0]["document"]["evses"][0]["connectors"][0]["tariff_ids"]

    await come_to(services.clock)
    assert tariff_ids(await roaming.objects("locations")) == ["simple"]
    assert [one["document"]["valid"] for one in await roaming.objects("tokens")] == [True]
    assert [one["document"]["kwh"] for one in await roaming.objects("sessions")] == [0]
    await bills.field.meter("north", station, transaction, reading(10, "3000"))
    await come_to(Ahead(timedelta(hours=1)))
    assert tariff_ids(await roaming.objects("locations")) == ["happy"]
    assert [one["document"]["valid"] for one in await roaming.objects("tokens")] == [False]
    prices = {
        one["object_id"]: one["document"]["elements"][0]["price_components"][0]["price"] for one in await roaming.objects("tariffs")
    }
    assert prices == {"simple": Decimal("0.5"), "happy": Decimal("0.25")}
    assert [one["document"]["kwh"] for one in await roaming.objects("sessions")] == [2]
    # one that cannot be told, as nobody knows where it is, is not tried again before its next reading
    await roaming.sql("UPDATE stations SET location_id = NULL WHERE station_id = $1", station)
    publishing, tried = Publisher(store, services.bus, services.clock), 0
    apply = publishing.apply

    async def counted(tenant_id: int, changes: Changes) -> Saved:
        nonlocal tried
        tried += 1
        return await apply(tenant_id, changes)

    monkeypatch.setattr(publishing, "apply", counted)
    for energy in ("5000", "6000"):
        await bills.field.meter("north", station, transaction, reading(int(energy[0]) * 3, energy))
        await publishing.tell_readings()
        await publishing.tell_readings()
    assert tried == 2


class Ahead(SystemClock):
    """A clock that is ahead."""

    def __init__(self, by: timedelta) -> None:
        super().__init__()
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


class Died(Exception):
    """Stands for the end of a process."""


async def refuse(*_: Any) -> None:
    raise Died
