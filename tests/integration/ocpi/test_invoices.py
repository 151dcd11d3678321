"""Invoices between partners with OCPI 2.3.0: those that we write, those that are written to us, and those that pass our hub
(InvoiceReconciliation, digest 20)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import trio

from csms.billing.cdr import CdrToken
from csms.roaming import invoices
from csms.secret import RootSecret
from schemas.ocpi221.reading import read
from schemas.ocpi230.invoicereconciliation import InvoiceReconciliationRecord
from tests.integration.hub.cdr_rows import charged, store_cdr, store_tariffs, tariff
from tests.integration.hub.harness import open_field
from tests.integration.ocpi.onboarding import DETAILS, Scene, open_scene
from tests.ocpi import documents
from tests.ocpi.documents import Document
from tests.ocpi.operations import operation
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.replies import Reply

MODULE: Final = "invoicereconciliation"
API: Final = "/api/v1/ocpi/invoices"
RECEIVED: Final = "/api/v1/ocpi/received-invoices"
NORTH: Final = ("NL", "NOR")
MARCH: Final = datetime(2026, 3, 10, 10, tzinfo=UTC)


async def join(scene: Scene, role: str, party_id: str, version: str = "2.3.0", *, tenant: str = "north") -> tuple[Platform, str]:
    """A platform that is registered in this version, and the id of the partner."""
    platform = await scene.stack.enter_async_context(running_platform(f"{role}:DE:{party_id}", version=version))
    invited = await scene.invite(party_id, tenant=tenant)
    reply = await platform.register(invited.versions_url, invited.token)
    assert reply.ok, reply
    await scene.forget()
    return platform, invited.partner_id


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    with trio.move_on_after(10):
        while True:
            if found := await look():
                return found
            await trio.sleep(0.03)
    raise AssertionError(f"not within 10 s: {what}")


def code(reply: Reply) -> tuple[int, int]:
    return reply.status, reply.code


async def told_cdr(scene: Scene, tenant_id: int, cdr_id: str, owner: str, driver: str) -> None:
    """As if the publication had told it."""
    await scene.hub.sql(
        "INSERT INTO ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, with_country_code, with_party_id, "
        "document, last_updated) VALUES ($1, 'cdrs', 'nl', $3, lower($2), 'own', 'de', $4, $5::json, now())",
        tenant_id,
        cdr_id,
        owner,
        driver,
        json.dumps({"country_code": "NL", "party_id": owner.upper(), "id": cdr_id}),
    )


@operation(39)
async def test_what_we_invoice(
    database: str, root_secret: RootSecret, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G1 to G9, F1, V7: an invoice is about the CDRs of a statement; the partner that pays is told, and nobody else."""
    async with open_scene(database, root_secret, nursery) as scene:
        boss, hub = scene.boss, scene.hub
        (payer, _), (other, _) = await join(scene, "EMSP", "ABC"), await join(scene, "EMSP", "XYZ")
        old, _ = await join(scene, "EMSP", "OLD", "2.2.1")
        assert (await boss.put("/api/v1/ocpi/parties/NL/TWO/CPO", {"business_details": DETAILS})).status_code == 200
        plain = tariff("PLAIN")
        async with open_field(hub) as field:
            tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP-1")
        await store_tariffs(hub, tenant_id, [plain])
        cdrs: dict[str, list[str]] = {}
        for party, whether_credited in (("ABC", (False, True, False, False)), ("OLD", (False,))):
            token = CdrToken("T", issuer="Somebody", country_code="DE", party_id=party)
            for number, credited in enumerate(whether_credited):
                usage = charged(str(number + 1), MARCH)
                made = await store_cdr(hub, tenant_id, station_id, plain, usage, token=token, credited=credited)
                cdrs.setdefault(party, []).extend(cdr.id for cdr in made)
        for number, cdr_id in enumerate(cdrs["ABC"][:4]):
            await told_cdr(scene, tenant_id, cdr_id, "two" if number == 3 else "nor", "abc")
        run = (await boss.post("/api/v1/statements", {"period": "2026-03", "kind": "partner"})).json()
        statements = {one["statement"]["subject"]: one["statement"]["statement_id"] for one in run["items"]}
        whole = (await boss.post("/api/v1/statements", {"period": "2026-03", "kind": "tenant"})).json()["items"][0]["statement"]

        # what cannot be invoiced
        def order(statement: str, number: str) -> Document:
            return {"statement_id": statement, "invoice_id": number}

        for statement in (whole["statement_id"], "00000000-0000-7000-8000-000000000000"):
            refused = await boss.post(API, order(statement, "2026/0001"))
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "statement_id"), refused.text
        for number in ("", " 1", "a\nb", "é", "x" * 256):
            assert (await boss.post(API, order(statements["DE-ABC"], number))).status_code in (400, 422), number

        # an invoice has a record for each of our parties that has told the CDRs, and for so many of them
        monkeypatch.setattr(invoices, "CDRS_OF_A_RECORD", 3)
        made_answer = await boss.post(API, order(statements["DE-ABC"], "2026/0001"))
        assert made_answer.status_code == 201, made_answer.text
        detail = made_answer.json()
        invoice, path = detail["invoice"], f"{API}/{detail['invoice']['id']}"
        assert made_answer.headers["Location"] == path
        assert (invoice["party"], invoice["period"], invoice["cdr_count"], invoice["credit_count"]) == ("DE-ABC", "2026-03", 4, 1)
        assert [(one["owner"], one["cdr_count"]) for one in detail["records"]] == [("NL-NOR", 3), ("NL-NOR", 1), ("NL-TWO", 1)]
        assert detail["untold"] == {"count": 1, "cdr_ids": [cdrs["ABC"][4]]}
        for statement, number in ((statements["DE-ABC"], "2026/0002"), (statements["DE-OLD"], "2026/0001")):
            assert (await boss.post(API, order(statement, number))).status_code == 409

        # who pays is sent the records, and finds them in the lists of the parties
        async def all_told() -> bool:
            return len(payer.received[MODULE]) == 3 and not (await boss.get(path)).json()["invoice"]["waiting"]

        await until(all_told, "the records are told")
        first, rest, second = (payer.find(MODULE, one["record_id"]) for one in detail["records"])
        assert first is not None
        assert rest is not None
        assert second is not None
        assert (first["invoice_id"], first["cdrs"], first["party_id"]) == ("2026/0001", cdrs["ABC"][:3], "NOR")
        assert (rest["cdrs"], second["cdrs"], second["party_id"]) == ([cdrs["ABC"][4]], [cdrs["ABC"][3]], "TWO")
        assert all(read(InvoiceReconciliationRecord, record).remarks == () for record in (first, rest, second))
        assert all(seen.method == "PUT" for seen in payer.requests(MODULE))
        assert await payer.pull(MODULE, to=NORTH) == [first, rest]
        assert await payer.pull(MODULE, to=("NL", "TWO")) == [second]
        page = await payer.request("GET", MODULE, "SENDER", to=NORTH, query={"limit": "1"})
        assert (page.data, page.headers["X-Total-Count"], page.headers["X-Limit"]) == ([first], "2", "100")
        assert await payer.pull(MODULE, to=NORTH, date_from="2099-01-01T00:00:00Z") == []
        assert (await other.pull(MODULE, to=NORTH), other.requests(MODULE)) == ([], [])
        for method, segments in (("GET", (first["id"],)), ("PUT", ())):
            assert (await payer.request(method, MODULE, "SENDER", *segments, to=NORTH, body={})).status == 405
        refusal = {"party": "DE-ABC", "allowed": False, "modules": [MODULE]}
        agreement = (await boss.post("/api/v1/ocpi/agreements", refusal)).json()
        assert await payer.pull(MODULE, to=NORTH) == []
        assert (await boss.delete(f"/api/v1/ocpi/agreements/{agreement['agreement_id']}")).status_code == 204

        # V7: an older version has no such module; that its partner cannot be told is seen in the log
        assert old.peer is not None
        assert not {module for module, _ in old.peer.endpoints} & {MODULE}
        locations = old.peer.endpoints["locations", "SENDER"]
        asked = await old.request("GET", url=locations.replace("locations", MODULE), headers=documents_headers("OLD"))
        assert code(asked) == (404, 2000), asked
        quiet = await boss.post(API, order(statements["DE-OLD"], "2026/0003"))
        assert quiet.status_code == 201
        key = quiet.json()["invoice"]["id"]

        async def given_up() -> bool:
            return not (await boss.get(f"{API}/{key}")).json()["invoice"]["waiting"]

        await until(given_up, "nobody tries any more")
        assert old.requests(MODULE) == []

        async def logged() -> bool:
            items = (await boss.get("/api/v1/ocpi/messages", params={"module": MODULE, "failed": "true"})).json()["items"]
            return any("OCPI 2.2.1 has no form for this" in (one["status_message"] or "") for one in items)

        await until(logged, "the log says why")

        # withdrawn: told, and free to be invoiced again
        listed = (await boss.get(API, params={"party": "de-abc"})).json()["items"]
        assert [one["id"] for one in listed] == [invoice["id"]]
        assert (await boss.delete(path)).status_code == 204
        assert ((await boss.delete(path)).status_code, (await boss.delete(f"{API}/{whole['statement_id']}")).status_code) == (
            409,
            404,
        )

        async def all_gone() -> bool:
            return not payer.received[MODULE]

        await until(all_gone, "the records are deleted")
        assert await payer.pull(MODULE, to=NORTH) == []
        assert (await boss.get(API, params={"party": "DE-ABC"})).json()["items"] == []

        async def told() -> bool:
            (shown,) = (await boss.get(API, params={"party": "DE-ABC", "withdrawn": "true"})).json()["items"]
            assert shown["withdrawn_by"] == invoice["created_by"]
            return not shown["waiting"]  # the partner has it before our own side knows

        await until(told, "nothing waits any more")
        again = await boss.post(API, order(statements["DE-ABC"], "2026/0001"))
        assert again.status_code == 201, again.text
        assert {one["record_id"] for one in again.json()["records"]}.isdisjoint({first["id"], rest["id"], second["id"]})
        # the database itself does not have a CDR in two invoices of ours
        named = await hub.sql("SELECT cdr_id FROM ocpi_invoiced_cdrs WHERE own AND tenant_id = $1", tenant_id)
        assert sorted(row["cdr_id"] for row in named) == sorted(one.lower() for one in (*cdrs["ABC"], *cdrs["OLD"]))


def documents_headers(party_id: str) -> dict[str, str]:
    return {"OCPI-from-country-code": "DE", "OCPI-from-party-id": party_id, "OCPI-to-country-code": "NL", "OCPI-to-party-id": "NOR"}


def cdr_230(identifier: str, owner: tuple[str, str], cost: float, **members: Any) -> Document:
    """A CDR as 2.3.0 has it."""
    price = {"before_taxes": cost, "taxes": [{"name": "VAT", "percentage": 21, "amount": round(cost * 0.21, 4)}]}
    driver = documents.token("OURS", NORTH)
    made = documents.cdr(identifier, owner, driver=driver, session_id=f"S-{identifier}", total_cost=price, total_energy_cost=price)
    return made | {"tariffs": []} | members


@operation(40, 41, 42, 43)
async def test_what_we_are_invoiced(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """W5 to W8, S3 to S5: records of partners, against the CDRs that they have sent."""
    async with open_scene(database, root_secret, nursery) as scene:
        boss = scene.boss
        assert (await boss.put("/api/v1/ocpi/parties/NL/NOR/EMSP", {"business_details": DETAILS})).status_code == 200
        cpo, partner_id = await join(scene, "CPO", "XCP")
        owner = cpo.party
        credit = {"credit": True, "credit_reference_id": "C-1", "total_cost": {"before_taxes": -4.0, "taxes": []}}
        posted = [cdr_230("C-1", owner, 4.0), cdr_230("C-2", owner, 6.0), cdr_230("C-3", owner, 4.0, **credit)]
        posted.append(cdr_230("C-4", owner, 1.0, currency="SEK"))
        for document in posted:
            assert code(await cpo.push("cdrs", document, to=NORTH)) == (201, 1000)

        async def tell(method: str, document: Document, **more: Any) -> tuple[int, int]:
            return code(await cpo.push(MODULE, document, to=NORTH, method=method, **more))

        async def records(**query: str) -> list[Document]:
            answer = await boss.get(RECEIVED, params=query)
            assert answer.status_code == 200, answer.text
            found: list[Document] = answer.json()["items"]
            return found

        # PUT makes and changes, POST only makes
        record = documents.invoice("R-1", owner, ("c-1", "C-2", "C-3", "C-4", "C-9"), colour="red")
        assert await tell("PUT", record) == (201, 1000)
        assert await tell("PUT", record) == (200, 1000)
        assert await tell("POST", record) == (200, 1000)
        assert await tell("POST", record | {"invoice_id": "other"}) == (200, 2001)
        second = documents.invoice("R-2", owner, ("C-2", "C-8"), invoice_id="2026/0002")
        assert await tell("POST", second) == (201, 1000)
        got = await cpo.request("GET", MODULE, "RECEIVER", *owner, "r-1", to=NORTH)
        assert got.data == record

        # and what is wrong is refused
        for document, expected in (
            (record | {"cdrs": []}, (200, 2001)),
            (record | {"cdrs": [str(number) for number in range(10_001)]}, (200, 2001)),
            ({name: record[name] for name in record if name != "invoice_id"}, (200, 2001)),
            (documents.invoice("R-3", ("DE", "ELS")), (404, 2001)),
            (documents.invoice("R-3", NORTH), (404, 2001)),
        ):
            assert await tell("PUT", document) == expected, document
        renamed = await cpo.request("PUT", MODULE, "RECEIVER", *owner, "R-9", body=record, to=NORTH)
        assert code(renamed) == (200, 2001)
        assert await tell("PATCH", record) == (405, 2000)
        assert code(await cpo.request("GET", MODULE, "RECEIVER", *owner, "R-9", to=NORTH)) == (404, 2000)

        # held against the CDRs
        first, other = await records()
        counts = ("cdr_count", "known_count", "unknown_count", "elsewhere_count")
        assert (first["record_id"], first["invoice_id"], first["partner_id"]) == ("r-1", "2026/0001", partner_id)
        assert [first[name] for name in counts] == [5, 4, 1, 1]
        assert [other[name] for name in counts] == [2, 1, 1, 1]
        path = f"{RECEIVED}/{first['object_no']}"
        detail = (await boss.get(path)).json()
        assert detail["record"] == first
        sums = [
            (one["currency"], one["cdr_count"], one["credit_count"], float(one["total_excl_vat"]["amount"]))
            for one in detail["known"]
        ]
        assert sorted(sums) == [("EUR", 0, 1, -4.0), ("EUR", 2, 0, 10.0), ("SEK", 1, 0, 1.0)]

        async def named(**query: str) -> list[Document]:
            found: list[Document] = (await boss.get(f"{path}/cdrs", params=query)).json()["items"]
            return found

        assert [one["cdr_id"] for one in await named()] == ["c-1", "c-2", "c-3", "c-4", "c-9"]
        assert [(one["cdr_id"], one["total_excl_vat"]) for one in await named(state="unknown")] == [("c-9", None)]
        assert [(one["cdr_id"], one["elsewhere"]) for one in await named(state="elsewhere")] == [("c-2", ["r-2"])]
        (credited,) = [one for one in await named(state="known") if one["credit"]]
        assert (credited["cdr_id"], float(credited["total_excl_vat"]["amount"])) == ("c-3", -4.0)
        one_page = (await boss.get(f"{path}/cdrs", params={"limit": 2})).json()
        following = await named(limit="2", cursor=one_page["next_cursor"])
        assert [one["cdr_id"] for one in following] == ["c-3", "c-4"]
        assert await records(owner="de-els") == []
        assert ((await boss.get(f"{RECEIVED}/x")).status_code, (await boss.get(f"{RECEIVED}/999999/cdrs")).status_code) == (
            404,
            404,
        )

        # what comes later makes it complete; a change counts, an older one does not (W8); a deleted record is nobody's elsewhere
        assert code(await cpo.push("cdrs", cdr_230("C-9", owner, 2.0), to=NORTH)) == (201, 1000)
        assert [(await records())[0][name] for name in counts] == [5, 5, 0, 1]
        assert await tell("DELETE", second) == (200, 1000)
        assert (await tell("DELETE", second), code(await cpo.request("GET", MODULE, "RECEIVER", *owner, "R-2", to=NORTH))) == (
            (404, 2000),
            (404, 2000),
        )
        changed = record | {"cdrs": ["C-1", "C-1"], "last_updated": documents.instant(minutes=1)}
        assert await tell("PUT", changed) == (200, 1000)
        assert await tell("PUT", record) == (200, 1000)
        (left,) = await records(owner="DE-XCP")
        assert [left[name] for name in counts] == [1, 1, 0, 0]
        assert await tell("POST", second | {"cdrs": ["C-1"]}) == (201, 1000)  # it is there again
        assert [one["elsewhere_count"] for one in await records()] == [1, 1]
        document = (await boss.get(f"/api/v1/ocpi/objects/{MODULE}/{left['object_no']}")).json()["document"]
        assert (document["cdrs"], document["colour"]) == (["C-1", "C-1"], "red")

        # T5, T6: and it can be read from the partner
        cpo.own(MODULE, documents.invoice("R-4", owner, ("C-4",)), documents.invoice("R-5", ("DE", "ELS")))
        pull = f"/api/v1/ocpi/partners/{partner_id}/pull"
        ordered = await boss.post(pull, {"modules": [MODULE]})
        assert ordered.status_code == 202, ordered.text

        async def read() -> Document | None:
            states = {one["module"]: one for one in (await boss.get(pull)).json()["items"]}
            return states[MODULE] if states[MODULE]["status"] == "done" else None

        state = await until(read, "the records are read")
        assert (state["stored"], state["refused"]) == (1, 1)
        assert {one["record_id"] for one in await records()} == {"r-1", "r-2", "r-4"}


@operation(39, 40, 41, 42, 43, by="HUB")
async def test_invoices_pass_the_hub(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """R1, R8, R13, R14: between parties whose platforms have 2.3.0, and tenants of ours; to others it says 4001."""
    async with open_scene(database, root_secret, nursery) as scene:
        boss = scene.boss
        assert (await boss.put("/api/v1/ocpi/parties/NL/NOR/EMSP", {"business_details": DETAILS})).status_code == 200
        cpo, _ = await join(scene, "CPO", "XCP", tenant="hub")
        emsp, _ = await join(scene, "EMSP", "ABC", tenant="hub")
        old, _ = await join(scene, "EMSP", "OLD", "2.2.1", tenant="hub")
        assert old.peer is not None
        assert not [module for module, _ in old.peer.endpoints if module == MODULE]
        owner, record = cpo.party, documents.invoice("R-1", cpo.party, ("C-1",), colour="red")

        async def tell(method: str, document: Document, to: tuple[str, str] | None) -> tuple[int, int]:
            return code(await cpo.push(MODULE, document, to=to, method=method))

        # from one platform to another
        assert await tell("POST", record, emsp.party) == (201, 1000)
        changed = record | {"cdrs": ["C-1", "C-2"]}
        assert await tell("PUT", changed, emsp.party) == (200, 1000)
        assert emsp.find(MODULE, "R-1") == changed
        got = await cpo.request("GET", MODULE, "RECEIVER", *owner, "R-1", to=emsp.party)
        assert got.data == changed
        assert await tell("DELETE", record, emsp.party) == (200, 1000)
        assert emsp.find(MODULE, "R-1") is None
        cpo.own(MODULE, *(documents.invoice(f"R-{number}", owner, ("C-1",)) for number in range(5)))
        listed = await emsp.pull(MODULE, to=owner)
        assert [one["id"] for one in listed] == [f"R-{number}" for number in range(5)]
        assert all(seen.party("from") == emsp.party for seen in cpo.requests(MODULE))

        # nobody else's, to no older version, to nobody in particular
        assert await tell("PUT", documents.invoice("R-1", emsp.party), NORTH) == (404, 2001)
        assert await tell("PUT", record, old.party) == (200, 4001)
        assert await tell("PUT", record, ("NL", "HUB")) == (200, 2001)
        everybody = await emsp.request("GET", MODULE, "SENDER", to=("NL", "HUB"))
        assert (everybody.data, everybody.headers["X-Total-Count"]) == ([], "0")
        refusal = {"owner": "DE-XCP", "party": "DE-ABC", "allowed": False, "modules": [MODULE]}
        acting = scene.acting("hub")
        agreement = await scene.admin.post("/api/v1/ocpi/agreements", refusal, **acting)
        assert agreement.status_code == 201, agreement.text
        assert await tell("PUT", record, emsp.party) == (200, 4001)

        # to and from a tenant of ours
        assert await tell("PUT", record, NORTH) == (201, 1000)
        (stored,) = (await boss.get(RECEIVED)).json()["items"]
        assert (stored["owner"], stored["record_id"], stored["unknown_count"], stored["partner_id"]) == ("DE-XCP", "r-1", 1, None)
        plain = tariff("PLAIN")
        async with open_field(scene.hub) as field:
            tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP-1")
        await store_tariffs(scene.hub, tenant_id, [plain])
        for party in ("ABC", "OLD"):
            token = CdrToken("T", country_code="DE", party_id=party)
            await store_cdr(scene.hub, tenant_id, station_id, plain, charged("1", MARCH), token=token)
        run = (await boss.post("/api/v1/statements", {"period": "2026-03", "kind": "partner"})).json()
        for number, one in enumerate(run["items"]):
            ordered = {"statement_id": one["statement"]["statement_id"], "invoice_id": f"N-{number}"}
            assert (await boss.post(API, ordered)).status_code == 201

        async def told() -> bool:
            return not any(one["waiting"] for one in (await boss.get(API)).json()["items"])

        await until(told, "all are told who can be")
        ((_, sent),) = emsp.received[MODULE].items()
        assert (sent["party_id"], await emsp.pull(MODULE, to=NORTH)) == ("NOR", [sent])
        assert old.requests(MODULE) == []
