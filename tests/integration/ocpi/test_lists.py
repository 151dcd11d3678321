"""What partners may read of our own tenants: the sender interfaces (digest, 2.5 and endpoints 10, 11, 15, 20, 23, 30)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from csms.roaming.partners import Partner, PartnerSettings
from csms.store import Connection
from csms.store.queries.ocpi_objects import NewObject, ObjectKey, put_object
from schemas.ocpi221.envelope import write_envelope
from schemas.ocpi221.paging import next_link
from schemas.ocpi221.reading import parse
from tests.integration.ocpi.roaming import Roaming, data
from tests.ocpi import documents
from tests.ocpi.operations import operation

CPO = ("NL", "OWN")
OTHER = ("NL", "TWO")


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}Z"


async def publish(roaming: Roaming, tenant_id: int, module: str, *found: dict[str, Any]) -> None:
    """As the publication does."""
    for each in found:
        token = each.get("cdr_token")
        new = NewObject(
            key=ObjectKey(
                module, (each["country_code"].lower(), each["party_id"].lower()), each["id"].lower(), each.get("type", "")
            ),
            origin="own",
            document=parse(write_envelope(datetime.now(UTC), each))["data"],
            last_updated=datetime.fromisoformat(each["last_updated"]),
            with_party=None if token is None else (token["country_code"].lower(), token["party_id"].lower()),
        )

        async def work(conn: Connection, new: NewObject = new) -> None:
            await put_object(conn, tenant_id, new)

        await roaming.store.hub.tenant_unit(tenant_id, work)


@operation(23)
async def test_pages(roaming: Roaming) -> None:
    """G1 to G7, Z5, Z21, T6."""
    tenant_id = await roaming.tenant("stations", ("NL-OWN", "CPO"), ("NL-TWO", "CPO"))
    partner = await roaming.partner(tenant_id, ("DE-ABC", "EMSP"))
    made = [documents.tariff(f"T{number}", CPO, last_updated=at(number)) for number in range(7)]
    await publish(roaming, tenant_id, "tariffs", *made, documents.tariff("ELSE", OTHER, last_updated=at(3)))
    elsewhere = await roaming.tenant("others", ("NL-ELS", "CPO"))
    await publish(roaming, elsewhere, "tariffs", documents.tariff("FOREIGN", ("NL", "ELS"), last_updated=at(3)))
    made[0] |= {"currency": "SEK", "last_updated": at(59)}
    await publish(roaming, tenant_id, "tariffs", made[0])

    async def ask(**query: Any) -> Any:
        return await roaming.ask(partner, "NL-OWN", "GET", "tariffs", "SENDER", query=query)

    answer = await ask()
    assert data(answer) == made  # G3: in the order of their creation, changed or not; G9: those of the party that is asked
    assert answer.headers == {"X-Total-Count": "7", "X-Limit": "500"}
    assert parse(write_envelope(datetime.now(UTC), answer.data))["data"][1]["id"] == "T1"
    found, query = [], {"limit": "3", "date_to": at(30), "unknown": "a b"}
    while True:
        answer = await ask(**query)
        found += data(answer)
        assert answer.headers["X-Total-Count"] == "6"
        if "Link" not in answer.headers:
            break
        url = next_link(answer.headers["Link"])
        assert url is not None
        assert url.startswith("https://csms.example/ocpi/2.2.1/sender/tariffs?")  # G7
        query = dict(parse_qsl(urlsplit(url).query))
        assert query.items() >= {"limit": "3", "date_to": at(30), "unknown": "a b"}.items()  # G4
    assert [each["id"] for each in found] == ["T1", "T2", "T3", "T4", "T5", "T6"]
    assert [each["id"] for each in data(await ask(date_from="2026-03-01T11:00:05 01:00", date_to=at(6)))] == ["T5"]  # G1, Z5
    beyond = await ask(offset=100)
    assert (data(beyond), beyond.headers) == ([], {"X-Total-Count": "7", "X-Limit": "500"})
    assert len(data(await ask(limit=10**9))) == 7
    for wrong in ({"limit": 0}, {"limit": "x"}, {"offset": -1}, {"date_from": "yesterday"}, {"date_to": "2026-13-01T00:00:00Z"}):
        assert (await ask(**wrong)).status_code == 2001, wrong  # G2
    assert (await roaming.ask(partner, "NL-OWN", "GET", "tariffs", "SENDER", "T1")).http_status == 404
    assert (await roaming.ask(partner, "NL-OWN", "POST", "tariffs", "SENDER", body={})).http_status == 405


@operation(10, 11, 15, 20)
async def test_who_sees_what(roaming: Roaming) -> None:
    """R14, G9, S3: places by agreements; sessions and CDRs by whose token it was."""
    tenant_id = await roaming.tenant("stations", ("NL-OWN", "CPO"))
    first = await roaming.partner(tenant_id, ("DE-ABC", "EMSP"), ("DE-DEF", "EMSP"))
    second = await roaming.partner(tenant_id, ("FR-ZZZ", "EMSP"), settings=PartnerSettings(sessions_default_days=30))
    places = [documents.location("Delft", CPO), documents.location("Aachen", CPO, country="DEU")]
    await publish(roaming, tenant_id, "locations", *places)
    await roaming.sql(
        "INSERT INTO ocpi_agreements (tenant_id, agreement_id, party_country_code, party_party_id, allowed, modules, countries, "
        "created_by) VALUES ($1, $2, 'DE', 'ABC', true, '{locations}', '{DE}', 'test')",
        tenant_id,
        uuid4(),
    )
    await roaming.ocpi.directory.changed()

    async def ask(who: Partner, as_party: str, module: str, *segments: str, **query: Any) -> Any:
        return await roaming.ask(who, "NL-OWN", "GET", module, "SENDER", *segments, query=query, as_party=as_party)

    assert data(await ask(first, "DE-ABC", "locations")) == places[1:]
    assert data(await ask(first, "DE-DEF", "locations")) == data(await ask(second, "FR-ZZZ", "locations")) == places
    assert data(await ask(second, "FR-ZZZ", "locations", "DELFT")) == places[0]
    assert data(await ask(second, "FR-ZZZ", "locations", "delft", "evse-1"))["uid"] == "EVSE-1"
    assert data(await ask(second, "FR-ZZZ", "locations", "delft", "EVSE-1", "1"))["standard"] == "IEC_62196_T2"
    for who, party, *path in (
        (first, "DE-ABC", "DELFT"),
        (second, "FR-ZZZ", "NONE"),
        (second, "FR-ZZZ", "delft", "NONE"),
        (second, "FR-ZZZ", "delft", "EVSE-1", "9"),
        (second, "FR-ZZZ", "delft", "EVSE-1", "1", "x"),
        (second, "FR-ZZZ", "a\0"),
    ):
        answer = await ask(who, party, "locations", *path)
        assert (answer.http_status, answer.status_code) == (404, 2003), path

    drivers = {code: documents.token("T", tuple(code.split("-"))) for code in ("DE-ABC", "DE-DEF", "FR-ZZZ")}
    for code, driver in drivers.items():
        await publish(roaming, tenant_id, "sessions", documents.session(f"S-{code}", CPO, driver=driver))
        await publish(roaming, tenant_id, "cdrs", documents.cdr(f"C-{code}", CPO, driver=driver, last_updated=at(1)))
    assert [each["id"] for each in data(await ask(first, "DE-ABC", "cdrs"))] == ["C-DE-ABC"]
    both = await roaming.ask(first, "NL-OWN", "GET", "cdrs", "SENDER")  # who names no party asks for all of its own
    assert [each["id"] for each in data(both)] == ["C-DE-ABC", "C-DE-DEF"]
    assert (await ask(first, "DE-ABC", "sessions")).status_code == 2001  # E9
    assert [each["id"] for each in data(await ask(first, "DE-DEF", "sessions", date_from=documents.instant(days=-2)))] == [
        "S-DE-DEF"
    ]
    lax = await ask(second, "FR-ZZZ", "sessions")
    assert [each["id"] for each in data(lax)] == ["S-FR-ZZZ"]
    assert {remark.rule for remark in lax.remarks} == {"Z20"}
    await roaming.sql("UPDATE tenants SET ocpi_visibility = 'listed' WHERE tenant_id = $1", tenant_id)
    await roaming.ocpi.directory.changed()
    assert data(await ask(second, "FR-ZZZ", "locations")) == []
    assert [each["id"] for each in data(await ask(second, "FR-ZZZ", "cdrs"))] == ["C-FR-ZZZ"]  # its own drivers' all the same
