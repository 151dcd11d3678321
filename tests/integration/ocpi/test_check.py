"""Our own OCPI, looked at from outside by what `csms ocpi check` does; and the check of a partner by the API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import trio

from csms.clock import SystemClock, SystemIds
from csms.secret import RootSecret
from hub.ocpi.client import PlatformClient
from hub.ocpi.conformance.examine import examine
from hub.ocpi.conformance.probe import Limits, Target
from hub.ocpi.conformance.report import CheckReport
from schemas.ocpi221.headers import Party
from tests.integration.ocpi.onboarding import PARTNERS, Invited, Scene, open_scene
from tests.ocpi import documents
from tests.ocpi.platform import Platform
from tests.ocpi.wire import Fault

Document = documents.Document


def filled(owner: tuple[str, str], driver: Document) -> Iterator[tuple[str, Document]]:
    """Some of everything that a CPO has, changed on different days."""
    for number, days in enumerate((3, 1, 4, 2)):
        day = documents.instant(days=-days)
        evse = documents.evse(connectors=[documents.connector(last_updated=day)], last_updated=day)
        yield "locations", documents.location(f"LOC-{number}", owner, evses=[evse], last_updated=day)
        yield "tariffs", documents.tariff(f"TARIFF-{number}", owner, last_updated=day)
        yield "sessions", documents.session(f"SESSION-{number}", owner, driver=driver, last_updated=day)
        yield "cdrs", documents.cdr(f"CDR-{number}", owner, driver=driver, last_updated=day)


async def publish(scene: Scene, module: str, document: Document) -> None:
    """As if the tenant `north` had told it."""
    driver = document.get("cdr_token") or {"country_code": None, "party_id": None}
    await scene.hub.sql(
        "INSERT INTO ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, with_country_code, with_party_id, "
        "document, last_updated) SELECT tenant_id, $1, lower($2), lower($3), lower($4), 'own', lower($5), lower($6), "
        "$7::text::json, $8::text::timestamptz FROM tenants WHERE slug = 'north'",
        module,
        document["country_code"],
        document["party_id"],
        document["id"],
        driver["country_code"],
        driver["party_id"],
        json.dumps(document),
        document["last_updated"],
    )


async def check_us(platform: Platform) -> CheckReport:
    """What the platform finds when it looks at us."""
    assert platform.peer is not None
    clock = SystemClock()
    target = Target(versions_url=platform.peer.versions_url, token=platform.peer.token, sender=Party(*platform.party))
    async with PlatformClient(clock, private=True) as client:
        return await examine(client, clock, SystemIds(clock), target, Limits())


def complaints(report: CheckReport) -> list[str]:
    return [
        f"{finding.where} {finding.point} ({finding.rule}): {finding.seen}"
        for finding in report.findings
        if finding.outcome in ("warning", "failed") and finding.point != "requests.tls"
    ]


def untried(report: CheckReport) -> set[str]:
    return {f"{finding.where.partition(' ')[0]} {finding.point}" for finding in report.findings if finding.outcome == "not_tried"}


async def test_our_own_platform_has_no_findings(database: str, root_secret: RootSecret, nursery: trio.Nursery) -> None:
    """As a direct partner sees a tenant of ours, and as a platform behind it sees our hub; and what we find at a partner."""
    async with open_scene(database, root_secret, nursery) as scene:
        invited, emsp = await scene.connected("EMSP")
        driver = documents.token(owner=emsp.party)
        for module, document in filled(("NL", "NOR"), driver):
            await publish(scene, module, document)
        report = await check_us(emsp)
        assert complaints(report) == []
        assert untried(report) == {" answers.error_envelope"}
        assert report.passed

        _, cpo = await scene.connected("CPO", tenant="hub")
        _, guest = await scene.connected("EMSP", tenant="hub")
        for module, document in filled(cpo.party, documents.token(owner=guest.party)):
            if module in ("locations", "tariffs"):
                reply = await cpo.push(module, document, to=("NL", "HUB"))
                assert reply.ok, reply
        report = await check_us(guest)
        assert complaints(report) == []
        assert report.passed

        await what_we_find_at_a_partner(scene, invited, emsp)


async def what_we_find_at_a_partner(scene: Scene, invited: Invited, emsp: Platform) -> None:
    """POST /api/v1/ocpi/partners/{id}/check."""
    path = f"{PARTNERS}/{invited.partner_id}/check"
    emsp.own("tokens", *(documents.token(f"T{number}", emsp.party) for number in range(4)))
    good = (await scene.boss.request("POST", path)).json()
    assert good["passed"], [finding for finding in good["findings"] if finding["outcome"] == "failed"]
    assert good["complete"]
    emsp.faults.add(Fault("no_total", module="tokens"))
    bad = (await scene.boss.request("POST", path)).json()
    assert [finding["point"] for finding in bad["findings"] if finding["outcome"] == "failed"] == ["list.total"]
    assert not any(token in str(bad) for token in emsp.granted)

    viewer = await scene.hub.make_user(scene.boss, "viewer")
    assert (await viewer.request("POST", path)).status_code == 403
    assert (await scene.admin.request("POST", path)).status_code == 404  # of another tenant
    unregistered = await scene.invite()
    assert (await scene.boss.request("POST", f"{PARTNERS}/{unregistered.partner_id}/check")).status_code == 409
    statuses = [(await scene.boss.request("POST", path)).status_code for _ in range(5)]
    assert statuses[-1] == 429, statuses
