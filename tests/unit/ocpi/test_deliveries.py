"""What receivers are sent of a changed object, and what their answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from csms.store.queries.ocpi_deliveries import Push
from csms.store.queries.ocpi_objects import ObjectKey, StoredObject
from hub.ocpi.message import OcpiResponse
from hub.ocpi.telling import outcome_of, requests_for
from schemas.ocpi221.envelope import StatusCode

_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_LOCATION = {
    "country_code": "NL",
    "party_id": "TNT",
    "id": "LOC-1",
    "evses": [{"uid": "E-1", "status": "AVAILABLE"}, {"uid": "E-2", "status": "CHARGING"}],
}


def _push(module: str, object_id: str, *, kind: str = "", part: str = "") -> Push:
    key = ObjectKey(module, ("nl", "tnt"), object_id, kind)
    return Push(key=key, part=part, sender=("nl", "tnt"), version=1, attempts=0, changed_at=_WHEN, correlation_id=None)


def _stored(push: Push, document: dict[str, Any], *, deleted: bool = False) -> StoredObject:
    return StoredObject(
        key=push.key,
        origin="own",
        partner_id=None,
        with_party=None,
        document=document,
        last_updated=_WHEN,
        deleted_at=_WHEN if deleted else None,
        object_no=1,
        created_at=_WHEN,
        updated_at=_WHEN,
        size=0,
    )


def test_one_evse_is_told_alone_and_the_location_to_who_does_not_know_it() -> None:
    push = _push("locations", "loc-1", part="e-2")
    evse, location = requests_for(push, _stored(push, _LOCATION))
    assert (evse.method, evse.role, evse.segments, evse.body) == (
        "PUT",
        "RECEIVER",
        ("NL", "TNT", "LOC-1", "E-2"),
        _LOCATION["evses"][1],
    )
    assert (location.segments, location.body) == (("NL", "TNT", "LOC-1"), _LOCATION)


def test_an_evse_that_is_not_in_the_location_any_more_is_told_by_the_location() -> None:
    push = _push("locations", "loc-1", part="e-9")
    assert [request.segments for request in requests_for(push, _stored(push, _LOCATION))] == [("NL", "TNT", "LOC-1")]


def test_tokens_are_put_with_their_type() -> None:
    push = _push("tokens", "abc", kind="APP_USER")
    document = {"country_code": "NL", "party_id": "TNT", "uid": "ABC", "type": "APP_USER"}
    (request,) = requests_for(push, _stored(push, document))
    assert (request.segments, request.query) == (("NL", "TNT", "ABC"), (("type", "APP_USER"),))


def test_tariffs_that_are_gone_are_deleted() -> None:
    push = _push("tariffs", "t1")
    document = {"country_code": "NL", "party_id": "TNT", "id": "T1"}
    (request,) = requests_for(push, _stored(push, document, deleted=True))
    assert (request.method, request.segments, request.body) == ("DELETE", ("NL", "TNT", "T1"), None)


def test_cdrs_are_posted() -> None:
    push = _push("cdrs", "c1")
    (request,) = requests_for(push, _stored(push, {"id": "C1"}))
    assert (request.method, request.segments, request.body) == ("POST", (), {"id": "C1"})


def test_there_is_nothing_to_tell_of_what_is_not_there() -> None:
    assert requests_for(_push("sessions", "s"), None) == []


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (OcpiResponse(), "told"),
        (OcpiResponse(http_status=201), "told"),
        (OcpiResponse(status_code=2001), "refused"),
        (OcpiResponse(http_status=404, status_code=2003), "refused"),
        (OcpiResponse(http_status=401, status_code=2000), "unreachable"),
        (OcpiResponse(http_status=429, status_code=2000), "unreachable"),
        (OcpiResponse(http_status=503, status_code=3000), "unreachable"),
        (OcpiResponse(status_code=StatusCode.HUB_TIMEOUT), "unreachable"),
        (OcpiResponse(status_code=StatusCode.HUB_CONNECTION_PROBLEM, failure="refused"), "unreachable"),
        (OcpiResponse(status_code=StatusCode.HUB_UNKNOWN_RECEIVER, failure="gone"), "refused"),
        (OcpiResponse(status_code=StatusCode.CLIENT_ERROR, failure="has no such endpoint"), "refused"),
        (OcpiResponse(http_status=502, status_code=3000, failure="no envelope"), "unreachable"),
    ],
)
def test_who_says_no_is_told_and_who_does_not_answer_is_told_later(response: OcpiResponse, expected: str) -> None:
    assert outcome_of("PUT", response) == expected


def test_a_tariff_that_is_not_known_is_deleted() -> None:
    assert outcome_of("DELETE", OcpiResponse(http_status=404, status_code=2000)) == "told"
