"""The check of a partner's platform finds what is wrong with one, each by its rule, and nothing with a good one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from csms.clock import SystemClock, SystemIds
from hub.ocpi.client import PlatformClient
from hub.ocpi.conformance.examine import examine
from hub.ocpi.conformance.probe import Limits, Target
from hub.ocpi.conformance.report import CheckReport
from schemas.ocpi221.headers import Party
from tests.ocpi import documents
from tests.ocpi.platform import Platform, running_platform
from tests.ocpi.wire import Fault

OWNER = ("NL", "XCP")
US = Party("DE", "TNT")


@asynccontextmanager
async def filled_platform() -> AsyncIterator[tuple[Platform, Target]]:
    """A platform with some of everything, and how to ask it."""
    async with running_platform("CPO:NL:XCP", "EMSP:NL:XCP") as platform:
        days = [documents.instant(days=-day) for day in (3, 1, 4, 2)]
        for number, day in enumerate(days):
            platform.own("locations", documents.location(f"LOC-{number}", evses=[_old_evse(day)], last_updated=day))
            platform.own("tariffs", documents.tariff(f"TARIFF-{number}", last_updated=day))
            platform.own("sessions", documents.session(f"SESSION-{number}", last_updated=day))
            platform.own("cdrs", documents.cdr(f"CDR-{number}", last_updated=day))
            platform.own("tokens", documents.token(f"TOKEN-{number}", OWNER, last_updated=day))
        token = "a-token-for-access"
        platform.granted.add(token)
        yield platform, Target(versions_url=platform.versions_url, token=token, sender=US)


def _old_evse(day: str) -> documents.Document:
    return documents.evse(connectors=[documents.connector(last_updated=day)], last_updated=day)


async def check(target: Target, limits: Limits | None = None) -> CheckReport:
    clock = SystemClock()
    async with PlatformClient(clock, private=True) as client:
        return await examine(client, clock, SystemIds(clock), target, limits or Limits(request_s=0.3))


def broken(report: CheckReport) -> set[tuple[str, str, str]]:
    """Where, point and rule of what is not as it should be; that a test has no TLS is left out."""
    return {
        (finding.where.partition(" ")[0], finding.point, finding.rule)
        for finding in report.findings
        if finding.outcome in ("warning", "failed") and finding.point != "requests.tls"
    }


async def test_a_good_platform_has_no_findings() -> None:
    async with filled_platform() as (platform, target):
        platform.style.trailing_slashes = True
        said: list[str] = []
        clock = SystemClock()
        async with PlatformClient(clock, private=True) as client:
            report = await examine(client, clock, SystemIds(clock), target, Limits(), said.append)
    assert broken(report) == set()
    assert report.passed
    assert [finding.point for finding in report.findings if finding.outcome == "not_tried"] == ["answers.error_envelope"]
    assert report.ok > 100
    assert said[0] == "versions, details, credentials"
    assert {seen.method for seen in platform.seen} == {"GET", "PATCH"}
    assert [seen.module for seen in platform.seen if seen.method != "GET"] == ["versions"]
    text = "\n".join(report.lines())
    assert target.token not in text
    assert target.token not in repr(target)
    assert "locations SENDER" in text


async def test_names_of_headers_in_capitals_are_no_finding() -> None:
    async with filled_platform() as (platform, target):
        platform.faults.add(Fault("odd_headers"))
        assert broken(await check(target)) == set()


LIST_FAULTS = {
    "no_total": ("list.total", "G5"),
    "wrong_total": ("list.complete", "G5"),
    "no_limit": ("list.limit", "G6"),
    "no_link": ("list.link", "G4"),
    "endless": ("list.link_target", "G8"),
    "bare_link": ("list.link_filters", "G4"),
    "ignores_limit": ("list.size", "G2"),
    "ignores_offset": ("list.offset", "G1"),
    "ignores_dates": ("list.date_from", "G1"),
    "unordered": ("list.newest_first", "G3"),
    "takes_anything": ("list.bad_parameters", "G2"),
    "wrapped": ("list.answered", "Z12"),
    "error_500": ("list.answered", "T6"),
    "code_3000": ("list.answered", "T6"),
    "answers_anyone": ("list.token", "A3"),
    "other_case": None,
}


async def test_what_is_wrong_with_a_list_is_found_there_and_not_elsewhere() -> None:
    modules = ("locations", "tariffs", "sessions", "cdrs", "tokens")
    kinds = list(LIST_FAULTS)
    for first in range(0, len(kinds), len(modules)):
        some = dict(zip(modules, kinds[first : first + len(modules)], strict=False))
        async with filled_platform() as (platform, target):
            for module, kind in some.items():
                platform.faults.add(Fault(kind, module=module))
            found = broken(await check(target))
        for module, kind in some.items():
            expected = LIST_FAULTS[kind]
            there = {finding[1:] for finding in found if finding[0] == module}
            assert (not there) if expected is None else expected in there, (kind, found)
        sound = set(modules) - set(some)
        assert not [finding for finding in found if finding[0] in sound], found


GENERAL_FAULTS = [
    {
        "no_ids": ("", "answers.ids", "H"),
        "no_timestamp": ("", "answers.envelope", "S6"),
        "answers_anyone": ("", "token.missing", "A3"),
        "knows_everything": ("locations", "single.unknown", "S3"),
        "any_method": ("", "requests.other_methods", "S5"),
    },
    {
        "no_routing": ("", "answers.routing", "H"),
        "text_code": ("", "answers.envelope", "S6"),
        "forbids_anyone": ("", "token.wrong", "A3"),
        "refuses_slash": ("", "requests.slashes", "Z2"),
    },
    {"garbage": ("", "versions.answered", "V1")},
    {"no_envelope": ("", "versions.answered", "V1")},
    {"redirect": ("", "requests.slashes", "Z2")},
    {"unauthorized": ("", "token.base64", "A1")},
    {"too_many": ("", "versions.answered", "V1")},
    {"huge": ("", "answers.in_time", "17.3")},
    {"drop": ("", "answers.in_time", "17.3")},
    {"not_http": ("", "answers.in_time", "17.3")},
    {"stall": ("", "answers.in_time", "17.3")},
    {"slow": ("", "answers.in_time", "17.3")},
]


@pytest.mark.parametrize("kinds", GENERAL_FAULTS, ids=" ".join)
async def test_what_is_wrong_everywhere_is_found(kinds: dict[str, tuple[str, str, str]]) -> None:
    async with filled_platform() as (platform, target):
        for kind in kinds:
            platform.faults.add(Fault(kind))
        report = await check(target, Limits(request_s=0.1))
    found = broken(report)
    for kind, expected in kinds.items():
        assert expected in found, (kind, found)
    assert not report.passed


@pytest.mark.parametrize(("expects", "outcome"), [("raw", "failed"), ("base64", "ok")])
async def test_how_the_token_is_taken_is_found_out(expects: str, outcome: str) -> None:
    """A1, A6."""
    async with filled_platform() as (platform, target):
        platform.style.expects = expects
        report = await check(target, Limits(requests=20))
    points = {finding.point: finding.outcome for finding in report.findings if not finding.where}
    assert points["token.base64"] == outcome
    assert points["versions.answered"] == "ok"


async def test_what_a_registration_token_is_not_good_for_is_not_held_against_the_platform() -> None:
    """A4."""
    async with filled_platform() as (platform, target):
        report = await check(Target(versions_url=target.versions_url, token=platform.offer(), sender=US))
    assert report.passed
    assert {finding.outcome for finding in report.findings if finding.where.endswith("SENDER")} == {"not_tried"}


async def test_it_ends_when_requests_or_time_run_out() -> None:
    async with filled_platform() as (_, target):
        few = await check(target, Limits(requests=15))
        assert (few.complete, few.passed, few.requests) == (False, False, 15)
        short = await check(target, Limits(seconds=0.02))
        assert not short.complete
        assert any("0.02 s were all" in (finding.seen or "") for finding in short.findings)


async def test_what_the_platform_names_is_not_trusted() -> None:
    """T3, V2, V3, V5, Z16: endpoints as others have them, and URLs that lead elsewhere."""
    async with filled_platform() as (platform, target):
        platform.style.endpoint_roles = False
        found = broken(await check(target))
    assert found == {("", "details.roles", "Z16")}


async def test_objects_that_break_rules_are_named_by_their_field() -> None:
    async with filled_platform() as (platform, target):
        platform.own("locations", documents.location("LOC-X", coordinates={"latitude": 52.1, "longitude": "4.357068"}, floor="2"))
        platform.own("tariffs", documents.tariff("TARIFF-X", elements=[]))
        report = await check(target)
    found = {(finding.where, finding.point): finding.seen or "" for finding in report.findings if finding.outcome != "ok"}
    assert "coordinates.latitude" in found["locations SENDER", "objects.exact"]
    assert "floor" in found["locations SENDER", "objects.members"]
    assert "elements" in found["tariffs SENDER", "objects.readable"]
