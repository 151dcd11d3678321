"""Reading the lists of partners, which do with paging what they like (G8, G10, F2, K3, L7, W8, W9, Z6, Z11)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import trio

from csms.roaming.partners import Partner, PartnerEndpoint, PartnerSettings
from csms.roaming.room import Room
from csms.store import Connection
from csms.store.queries import ocpi_parties, ocpi_pulls
from csms.store.queries.ocpi_objects import NewObject, ObjectKey, put_objects
from csms.store.queries.ocpi_pulls import Pull
from hub.ocpi.pulling import OWN_HUB, PULLED, source_of
from hub.ocpi.pulls import Pulls, read_module
from tests.integration.ocpi.roaming import Roaming
from tests.ocpi import documents
from tests.ocpi.wire import Answer, Seen, start_serving

CPO = ("NL", "XCP")


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02d}Z"


class Script:
    """A partner whose lists are what a test says: one answer for each request, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[tuple[Any, dict[str, str], int]] = []
        self.seen: list[Seen] = []

    def page(self, *found: Any, next_url: str | None = None, total: int | None = None, status: int = 200, code: int = 1000) -> None:
        headers = {} if total is None else {"X-Total-Count": str(total), "X-Limit": "100"}
        if next_url is not None:
            headers["Link"] = f'<{next_url.replace("HERE", self.url)}>; rel="next"'
        envelope = {"data": list(found), "status_code": code, "timestamp": at(0)}
        self.answers.append((envelope, headers, status))

    async def answer(self, seen: Seen) -> Answer:
        self.seen.append(seen)
        envelope, headers, status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Answer(status, [("Content-Type", "application/json"), *headers.items()], json.dumps(envelope).encode())

    def reset(self) -> None:
        self.answers.clear()
        self.seen.clear()


@pytest.fixture
async def script(nursery: trio.Nursery) -> Script:
    made = Script()
    made.url = f"http://127.0.0.1:{await start_serving(nursery, made.answer)}"
    return made


async def partner_of(roaming: Roaming, script: Script, *, role: Any = "EMSP", theirs: Any = "CPO") -> Partner:
    tenant_id = await roaming.tenant("ours", ("DE-ABC", role))
    endpoints = tuple(PartnerEndpoint(module, f"{script.url}/{module}", "SENDER") for module in PULLED)
    return await roaming.partner(tenant_id, ("NL-XCP", theirs), endpoints=endpoints)


async def read(roaming: Roaming, partner: Partner, module: str, *, complete: bool = True) -> Pull:
    """Order a module and read it."""
    tenant_id, now = partner.tenant_id, roaming.ocpi.clock.now()
    hub = roaming.store.hub
    await hub.tenant_unit(
        tenant_id,
        lambda conn: ocpi_pulls.order_pulls(conn, tenant_id, partner.partner_id, [module], "test", now, complete=complete),
    )
    await read_module(roaming.ocpi, tenant_id, partner.partner_id, module)
    pulls = await hub.tenant_unit(tenant_id, lambda conn: ocpi_pulls.list_pulls(conn, tenant_id, partner.partner_id))
    return next(one for one in pulls if one.module == module)


async def ids(roaming: Roaming, module: str) -> list[str]:
    rows = await roaming.sql(
        "SELECT document ->> 'id' AS id FROM ocpi_objects WHERE module = $1 AND deleted_at IS NULL ORDER BY object_no", module
    )
    return [row["id"] for row in rows]


async def test_pages_are_followed_and_the_whole_list_is_the_truth(roaming: Roaming, script: Script) -> None:
    partner = await partner_of(roaming, script)
    made = [documents.location(f"L{number}", CPO, last_updated=at(number)) for number in range(6)]
    foreign = documents.location("FOREIGN", ("FR", "ZZZ"))
    # bad objects and foreign ones are left out, an empty page has a link, links lead to an inner host or back home (G8, W9, Z6)
    script.page(made[0], {"id": "bad"}, foreign, next_url="http://10.0.0.7:1/inner?offset=3&limit=100", total=6)
    script.page(next_url="HERE/locations?offset=4&limit=100", total=6)
    script.page([made[1]], made[2], next_url="/locations?offset=6&limit=100", total=6)
    script.page(made[3], total=6)
    done = await read(roaming, partner, "locations")
    assert (done.status, done.pages, done.objects, done.stored, done.refused, done.removed) == ("done", 4, 6, 4, 2, 0)
    assert await ids(roaming, "locations") == ["L0", "L1", "L2", "L3"]
    assert [seen.target for seen in script.seen] == [
        "/locations?limit=100",
        "/locations?offset=3&limit=100",
        "/locations?offset=4&limit=100",
        "/locations?offset=6&limit=100",
    ]
    assert all(seen.party("to") == CPO and seen.party("from") == ("DE", "ABC") for seen in script.seen)
    assert done.known_until is not None

    # W8: older is ignored, newer is taken; G10: what a faultless complete list has not is gone
    script.reset()
    script.page(made[0] | {"name": "old", "last_updated": at(0)[:-3] + "00Z"}, made[1] | {"name": "new", "last_updated": at(30)})
    done = await read(roaming, partner, "locations")
    assert (done.status, done.stored, done.refused, done.removed) == ("done", 2, 0, 2)
    assert await ids(roaming, "locations") == ["L0", "L1"]
    # what has changed only: nothing goes, and the question says since when
    script.reset()
    script.page(made[4], total=1)
    done = await read(roaming, partner, "locations", complete=False)
    assert (done.stored, done.removed) == (1, 0)
    assert "date_from=" in script.seen[0].target
    assert await ids(roaming, "locations") == ["L0", "L1", "L4"]
    # Z11: nothing found is an empty list, which proves nothing
    script.reset()
    script.page(status=404, code=2000)
    assert (await read(roaming, partner, "locations")).removed == 0
    # the list became shorter while it was read: what moved forward is read again (G8)
    script.reset()
    script.page(made[0], next_url="HERE/locations?offset=2&limit=2", total=4)
    script.page(made[4], total=3)
    script.page(made[5], made[4], total=3)
    done = await read(roaming, partner, "locations")
    assert [seen.target for seen in script.seen][1:] == ["/locations?offset=2&limit=2", "/locations?limit=2&offset=1"]
    assert await ids(roaming, "locations") == ["L0", "L4", "L5"]

    script.reset()
    script.page(documents.tariff("T1", CPO), documents.tariff("T2", CPO), total=2)
    assert (await read(roaming, partner, "tariffs")).stored == 2
    script.reset()
    script.page(documents.tariff("T2", CPO), total=1)
    assert (await read(roaming, partner, "tariffs")).removed == 1
    assert await ids(roaming, "tariffs") == ["T2"]


async def test_what_goes_wrong_ends(roaming: Roaming, script: Script) -> None:
    """Circles, lists without an end, errors, endless empty pages; CDRs and sessions."""
    partner = await partner_of(roaming, script)
    script.page(documents.location("L1", CPO), next_url="HERE/locations?offset=1")
    failed = await read(roaming, partner, "locations")
    assert (failed.status, failed.error, failed.stored) == ("waiting", "its list leads in a circle", 1)  # it is tried again
    assert failed.due_at > roaming.ocpi.clock.now()
    script.reset()
    for number in range(30):
        script.page(next_url=f"HERE/locations?offset={number}")
    assert (await read(roaming, partner, "locations")).error == "its list does not end"
    script.reset()
    script.page(code=3000)
    assert (await read(roaming, partner, "locations")).error == "it answers 3000: no reason"
    await roaming.sql("UPDATE ocpi_pulls SET attempts = 9")
    await roaming.sql("UPDATE ocpi_pulls SET status = 'waiting'")
    await read_module(roaming.ocpi, partner.tenant_id, partner.partner_id, "locations")
    (row,) = await roaming.sql("SELECT status, error FROM ocpi_pulls")
    assert row["status"] == "failed"

    script.reset()
    cdr = documents.cdr("C1", CPO)
    script.page(cdr, cdr | {"remark": "another with its id"}, total=2)
    done = await read(roaming, partner, "cdrs")
    assert (done.stored, done.refused) == (1, 1)  # D2
    assert (await roaming.sql("SELECT count(*) AS n FROM ocpi_received_cdrs"))[0]["n"] == 1
    assert (await read(roaming, partner, "cdrs")).stored == 0
    script.reset()
    script.page(documents.session("S1", CPO), total=1)
    assert (await read(roaming, partner, "sessions")).stored == 1
    assert "date_from=" in script.seen[0].target  # E9


async def test_tokens_and_when_partners_are_read(roaming: Roaming, script: Script) -> None:
    """K3, T6: tokens are added and known to stations; modules are due after a registration and after an outage."""
    partner = await partner_of(roaming, script, role="CPO", theirs="EMSP")
    tokens = [documents.token(f"TAG{number}", CPO) for number in range(250)]
    script.page(*[token | {"last_updated": at(1)} for token in tokens], total=250)
    done = await read(roaming, partner, "tokens")
    assert (done.stored, done.refused) == (250, 0)
    assert (await read(roaming, partner, "tokens")).stored == 0
    (row,) = await roaming.sql("SELECT count(*) AS n FROM id_tokens WHERE owner_country_code = 'NL' AND status = 'accepted'")
    assert row["n"] == 250
    for module in ("locations", "sessions", "cdrs", "hubclientinfo"):
        assert await source_of(roaming.ocpi, partner.tenant_id, partner, module) is None  # nobody here has a use for them
    assert await source_of(roaming.ocpi, partner.tenant_id, None, "tokens") is None  # there is no hub

    async def due() -> list[tuple[str, bool]]:
        await roaming.ocpi.directory.changed()
        await Pulls(roaming.ocpi).order_due(partner.tenant_id)
        rows = await roaming.sql("SELECT module, complete FROM ocpi_pulls WHERE status = 'waiting' AND partner_id <> $1", OWN_HUB)
        await roaming.sql("UPDATE ocpi_pulls SET status = 'done', started_at = now(), finished_at = now()")
        return [(row["module"], row["complete"]) for row in rows]

    assert await due() == []
    await roaming.sql("UPDATE ocpi_partners SET status_since = now()")
    assert await due() == [("tokens", False)]  # it was away
    await roaming.sql("UPDATE ocpi_partners SET needs_resync = true")
    assert await due() == [("tokens", False)]
    assert await due() == []
    await roaming.sql("UPDATE ocpi_partners SET status_since = now()")
    await roaming.sql("UPDATE ocpi_pulls SET known_until = now() - interval '2 days'")
    assert await due() == [("tokens", True)]  # for long
    await roaming.sql("DELETE FROM ocpi_pulls")
    assert await due() == [("tokens", True)]  # it is new
    await roaming.sql("UPDATE ocpi_partners SET status = 'offline', status_since = now()")
    assert await due() == []


async def test_our_own_hub_is_read_too(roaming: Roaming) -> None:
    """17.2: a tenant that joins the hub learns what was broadcast before; page by page, without HTTP."""
    hub_id = await roaming.store.auth.unit(ocpi_parties.ensure_hub)
    tenant_id = await roaming.tenant("ours", ("DE-ABC", "EMSP"), on_hub=True)
    owner_id = await roaming.tenant("owner", ("NL-XCP", "CPO"), on_hub=True)

    async def furnish(conn: Connection) -> None:
        await ocpi_parties.put_party(conn, hub_id, "NL", "HUB", "HUB", {"name": "Hub"}, on_hub=True)
        await ocpi_parties.sync_own_roles(conn, hub_id, [roaming.own("DE-ABC"), roaming.own("NL-XCP")])
        tariffs = [documents.tariff(f"T{number}", CPO, last_updated=at(number)) for number in range(3)]
        keys = [ObjectKey("tariffs", ("nl", "xcp"), each["id"].lower()) for each in tariffs]
        now = roaming.ocpi.clock.now()
        await put_objects(
            conn,
            hub_id,
            [
                NewObject(key=key, origin="received", document=each, last_updated=now)
                for key, each in zip(keys, tariffs, strict=True)
            ],
        )

    await roaming.store.hub.tenant_unit(hub_id, furnish)
    await roaming.ocpi.directory.changed()
    await roaming.ocpi.directory.refresh()
    await Pulls(roaming.ocpi).order_due(tenant_id)
    await Pulls(roaming.ocpi).order_due(owner_id)
    rows = await roaming.sql("SELECT tenant_id, module FROM ocpi_pulls WHERE partner_id = $1 ORDER BY 1, 2", OWN_HUB)
    assert [tuple(row.values()) for row in rows] == [(tenant_id, "locations"), (tenant_id, "tariffs"), (owner_id, "tokens")]
    counted = "SELECT status, error, stored FROM ocpi_pulls WHERE tenant_id = $1 AND started_at IS NOT NULL"
    for reader, module, stored in ((tenant_id, "tariffs", 3), (owner_id, "tokens", 0)):
        await read_module(roaming.ocpi, reader, OWN_HUB, module)
        (row,) = await roaming.sql(counted, reader)
        assert tuple(row.values()) == ("done", None, stored)


async def test_there_is_room_for_so_much_of_a_partner(roaming: Roaming, script: Script) -> None:
    """Of each module and in all, whether it pushes or is read; what is stored can be changed."""
    partner = await partner_of(roaming, script)

    async def limited(**limits: int) -> Partner:
        settings = PartnerSettings(**limits)
        await roaming.sql("UPDATE ocpi_partners SET settings = $1::json", msgspec.json.encode(settings).decode())
        await roaming.ocpi.directory.changed()
        return msgspec.structs.replace(partner, settings=settings)

    now = await limited(most_objects=2, most_records=1)
    script.page(documents.tariff("T1", CPO), documents.tariff("T2", CPO), total=2)
    assert (await read(roaming, now, "tariffs")).stored == 2
    script.reset()
    script.page(*(documents.tariff(f"T{number}", CPO) for number in range(1, 4)), total=3)
    full = await read(roaming, now, "tariffs")
    assert (full.status, full.error) == ("waiting", "no more than 2 objects of the module tariffs are kept of one partner here")
    assert await ids(roaming, "tariffs") == ["T1", "T2"]

    async def put(module: str, body: documents.Document) -> tuple[int, int]:
        path = (*CPO, body["id"])
        answer = await roaming.ask(now, "DE-ABC", "PUT", module, "RECEIVER", *path, body=body)
        return answer.http_status, int(answer.status_code)

    assert await put("tariffs", documents.tariff("T3", CPO)) == (200, 2000)
    assert await put("tariffs", documents.tariff("T1", CPO)) == (200, 1000)
    assert await put("sessions", documents.session("S1", CPO)) == (201, 1000)
    assert await put("sessions", documents.session("S2", CPO)) == (200, 2000)
    cdr = documents.cdr("C1", CPO)
    posted = [await roaming.ask(now, "DE-ABC", "POST", "cdrs", "RECEIVER", body=one) for one in (cdr, cdr, cdr | {"id": "C2"})]
    assert [(one.http_status, int(one.status_code)) for one in posted] == [(201, 1000), (200, 1000), (200, 2000)]
    assert await ids(roaming, "cdrs") == ["C1"]
    assert (await roaming.sql("SELECT count(*) AS n FROM ocpi_received_cdrs"))[0]["n"] == 1
    # what has gone leaves room, once it is counted again
    await roaming.sql("DELETE FROM ocpi_objects WHERE object_id = 't2'")
    roaming.ocpi.room = Room(roaming.ocpi.clock)
    assert await put("tariffs", documents.tariff("T3", CPO)) == (201, 1000)
    now = await limited(most_megabytes=1)
    long = {"remark": "x" * 700_000}
    assert await put("tariffs", documents.tariff("T1", CPO, **long)) == (200, 1000)
    assert await put("tariffs", documents.tariff("T4", CPO, **long)) == (200, 2000)
    assert await put("tariffs", documents.tariff("T1", CPO)) == (200, 1000)
    assert await put("tariffs", documents.tariff("T4", CPO, **long)) == (201, 1000)
