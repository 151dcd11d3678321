"""Which tokens are in the list of a station, and what it costs to know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

import pytest

from csms.domain.known_tokens import KnownGroup, KnownToken
from csms.domain.restrictions import Place, Restrictions, Window
from csms.local_lists import roster as module
from csms.local_lists.changes import Limits, apply, changes_between
from csms.local_lists.content import Content, Entry
from csms.local_lists.policy import OfflinePolicy
from csms.local_lists.roster import Roster, StationPlace
from tests.unit.local_lists.model import ModelStation, Store, visit

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ON = OfflinePolicy(local_list=True)
FLEET = KnownGroup(UUID(int=1), "fleet", "FLEET-TOKEN")


def token(number: int, **more: Any) -> KnownToken:
    fields: dict[str, Any] = {
        "tenant_id": 1,
        "id_token": f"TAG{number:05}",
        "type": "ISO14443",
        "status": "accepted",
        "valid_from": None,
        "valid_until": None,
        "group_id_token": None,
        "retired": False,
    }
    return KnownToken(**fields | more)


def at(identity: str = "CP1", *, types: dict[int, tuple[str, ...]] | None = None, evses: int = 2) -> StationPlace:
    return StationPlace(Place(identity, connector_types=types or {}), frozenset(range(1, evses + 1)))


def test_entries_say_what_an_ordinary_answer_says() -> None:
    until = NOW + timedelta(days=3)
    roster = Roster([[token(1, valid_until=until, groups=(FLEET,), language="de")]], NOW)
    assert roster.wanted(ON, "2.x", at()).content == Content([Entry("TAG00001", "ISO14443", until, "FLEET-TOKEN", "de")])
    assert roster.wanted(ON, "1.6", at()).content == Content([Entry("TAG00001", None, until, "FLEET-TOKEN")])
    assert roster.next_at == until


def test_a_group_that_ocpp_1_6_cannot_name_is_left_out() -> None:
    long = KnownGroup(UUID(int=1), "fleet", "G" * 30)
    roster = Roster([[token(1, groups=(long,))]], NOW)
    assert roster.wanted(ON, "1.6", at()).content == Content([Entry("TAG00001")])
    assert roster.wanted(ON, "2.x", at()).content == Content([Entry("TAG00001", "ISO14443", None, "G" * 30)])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "blocked"}, "not_accepted"),
        ({"valid_until": NOW - timedelta(days=1)}, "not_accepted"),
        ({"valid_from": NOW + timedelta(days=1)}, "not_accepted"),
        ({"groups": (KnownGroup(UUID(int=1), "fleet", status="blocked"),)}, "not_accepted"),
        ({"whitelist": "NEVER"}, "must_be_asked"),
        ({"parent": token(9, whitelist="NEVER")}, "must_be_asked"),
        ({"restrictions": Restrictions(hours=(Window(),))}, "must_be_asked"),
        ({"restrictions": Restrictions(sessions_per_day=1)}, "must_be_asked"),
        ({"restrictions": Restrictions(charge_points=("OTHER",))}, "elsewhere"),
        ({"restrictions": Restrictions(connector_types=("cCCS2",))}, "elsewhere"),
        ({"id_token": "X" * 21, "type": "eMAID"}, "too_long"),
        ({"retired": True}, None),
        ({"status": "unknown"}, None),
        ({"single_use": True}, None),
        ({"type": "KeyCode"}, None),
        ({"type": "Central"}, None),
    ],
)
def test_what_is_in_no_list(fields: dict[str, Any], reason: str | None) -> None:
    found = Roster([[token(1, **fields)], [token(2)]], NOW).wanted(ON, "1.6", at(types={1: ("cCCS2",), 2: ("cType2",)}))
    assert found.content == Content([Entry("TAG00002")])
    assert found.left_out == ({} if reason is None else {reason: 1})


def test_policies_choose() -> None:
    families = [[token(1, whitelist="ALWAYS")], [token(2, whitelist="ALLOWED_OFFLINE", groups=(FLEET,))], [token(3)]]
    roster = Roster(families, NOW)

    def listed(**policy: Any) -> list[str]:
        content = roster.wanted(OfflinePolicy(local_list=True, **policy), "2.x", at()).content
        return [one.id_token[-1] for one in content.entries.values()]

    assert listed() == ["1", "2", "3"]
    assert listed(whitelists=("ALWAYS",)) == ["1"]
    assert listed(pre_authorize=True) == ["1", "3"]
    assert listed(token_groups=(FLEET.group_id,)) == ["2"]
    assert listed(max_entries=2) == ["1", "2"]
    assert roster.wanted(ON, "2.x", at(), 1).left_out == {"too_many": 2}
    assert len(roster.wanted(OfflinePolicy(local_list=False), "2.x", at()).content) == 0


def test_ocpp_1_6_names_no_types_so_every_token_with_the_value_must_be_good() -> None:
    family = [token(1), token(1, type="Local", status="blocked")]
    roster = Roster([family], NOW)
    assert len(roster.wanted(ON, "1.6", at()).content) == 0
    assert list(roster.wanted(ON, "2.x", at()).content.entries) == ["ISO14443:tag00001"]
    both = Roster([[token(1), token(1, type="Local")]], NOW)
    assert len(both.wanted(ON, "1.6", at()).content) == 1
    assert len(both.wanted(ON, "2.x", at()).content) == 2


def test_ten_thousand_stations_cost_little_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 tokens, 20 of them restricted to some places. What grows with the stations is the restricted tokens alone."""
    judged = 0
    judge = module.judge

    def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal judged
        judged += 1
        return judge(*arguments, **named)

    monkeypatch.setattr(module, "judge", counting)
    here = Restrictions(charge_points=("CP1", "CP2"))
    families = [[token(n, restrictions=here if n < 20 else None)] for n in range(1000)]
    stations = [at(f"CP{n}") for n in range(10_000)]

    began = perf_counter()
    before = Roster(families, NOW)
    first = before.wanted(ON, "1.6", stations[0]).content
    for_one = perf_counter() - began
    old = [before.wanted(ON, "1.6", station).content for station in stations]
    for_all = perf_counter() - began
    assert judged == 1000, "not once for every station"
    assert before.weighed == 20 * 10_001
    assert len({id(content) for content in old}) == 2, "stations with the same list share it"
    assert (len(first), len(old[1])) == (980, 1000)
    assert for_all < 200 * for_one

    # one token is blocked: every station is sent one message with one entry
    after = Roster([[token(500, status="blocked")] if n == 500 else family for n, family in enumerate(families)], NOW)
    new = {id(content): content for content in (after.wanted(ON, "1.6", station).content for station in stations)}
    assert len(new) == 2
    sent = 0
    for n, station in enumerate(stations):
        if n % 100:
            continue  # they are all alike; the number of messages is counted for a hundredth of them
        model, store = ModelStation("1.6"), Store()
        visit(model, store, old[n], Limits(), iter(()))
        wanted = after.wanted(ON, "1.6", station).content
        assert changes_between(old[n], wanted) == [(":tag00500", Entry("TAG00500"), None)]
        assert apply(old[n], changes_between(old[n], wanted)) == wanted
        _, messages = visit(model, store, wanted, Limits(), iter(()))
        sent += messages
    assert sent == 100
