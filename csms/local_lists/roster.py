"""Which tokens the list of a station ought to have (pure).

The tokens of a tenant are weighed once, by the rules of every authorization; a station costs only the tokens that are restricted to
some places, and stations with the same answers share one list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from csms.domain.authorization import Circumstances, judge, restrictions_of
from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import Place, Restrictions, is_elsewhere, is_wrong_connector
from csms.local_lists.content import EMPTY, Content, Entry
from csms.local_lists.messages import MAX_ID_TAG, MAX_ID_TOKEN, Dialect
from csms.local_lists.policy import DEFAULT_ENTRIES, MOST_ENTRIES, OfflinePolicy

Reason = Literal["elsewhere", "must_be_asked", "not_accepted", "too_long", "too_many", "other_group"]
"""Why a token is not in a list. `must_be_asked`: its whitelist mode says so, or a restriction that only the centre can weigh."""

_LISTED_TYPES: Final = frozenset({"ISO14443", "ISO15693", "eMAID", "MacAddress", "Local"})
"""Not Central, which the centre makes up; nor KeyCode, which must not lie in the records of commands."""


class StationPlace(NamedTuple):
    """Where a station stands, and all its EVSEs."""

    place: Place
    evse_ids: frozenset[int]


class Wanted(NamedTuple):
    content: Content
    left_out: Mapping[Reason, int]


class _Candidate(NamedTuple):
    """A token that may be in a list; `why_not`: or not, anywhere in this dialect."""

    entry: Entry
    whitelists: frozenset[str]
    groups: frozenset[UUID]
    restrictions: tuple[Restrictions, ...]
    why_not: Reason | None = None


class _Selection(NamedTuple):
    """What a policy lets in: entries in their order, and the restrictions of those that not every place has."""

    chosen: Sequence[_Candidate]
    restricted: Sequence[int]
    left_out: Mapping[Reason, int]


class Roster:
    """The tokens of a tenant at a moment. `weighed`: how many questions about a token and a place were asked."""

    def __init__(self, families: Sequence[Sequence[KnownToken]], now: datetime) -> None:
        """`families`: the tokens with the same look-up key together, the oldest first."""
        self._now = now
        self._families = families
        self._candidates: dict[Dialect, list[_Candidate]] = {}
        self._selections: dict[tuple[Dialect, frozenset[str], tuple[UUID, ...] | None], _Selection] = {}
        self._contents: dict[tuple[int, tuple[int, ...], int], Content] = {}
        self.weighed = 0

    @property
    def next_at(self) -> datetime | None:
        """When a token begins or ends to be valid next."""
        moments = [
            moment
            for family in self._families
            for token in family
            for member in token.family
            for moment in (member.valid_from, member.valid_until)
            if moment is not None and moment > self._now
        ]
        return min(moments, default=None)

    def wanted(self, policy: OfflinePolicy, dialect: Dialect, station: StationPlace, most: int | None = None) -> Wanted:
        """The list of a station. `most`: entries that it can hold; None: it does not say."""
        if not policy.local_list:
            return Wanted(EMPTY, {})
        selection = self._select(policy, dialect)
        room = min(policy.max_entries or DEFAULT_ENTRIES, MOST_ENTRIES if most is None else most)
        elsewhere = tuple(n for n in selection.restricted if not self._is_allowed(selection.chosen[n].restrictions, station))
        key = (id(selection), elsewhere, room)
        content = self._contents.get(key)
        if content is None:
            left = set(elsewhere)
            entries = [candidate.entry for n, candidate in enumerate(selection.chosen) if n not in left]
            content = self._contents[key] = Content(entries[:room])
        left_out: dict[Reason, int] = dict(selection.left_out)
        if elsewhere:
            left_out["elsewhere"] = len(elsewhere)
        surplus = len(selection.chosen) - len(elsewhere) - len(content)
        if surplus:
            left_out["too_many"] = surplus
        return Wanted(content, left_out)

    def _is_allowed(self, restrictions: Collection[Restrictions], station: StationPlace) -> bool:
        """At every EVSE: an entry cannot say which."""
        self.weighed += 1
        for one in restrictions:
            if is_elsewhere(one, station.place) is not None:
                return False
            if one.connector_types and not station.evse_ids:
                return False
            if any(is_wrong_connector(one, station.place, evse_id) is not None for evse_id in station.evse_ids):
                return False
        return True

    def _select(self, policy: OfflinePolicy, dialect: Dialect) -> _Selection:
        key = (dialect, policy.listed, policy.token_groups)
        found = self._selections.get(key)
        if found is None:
            found = self._selections[key] = self._selected(policy, self._all(dialect))
        return found

    @staticmethod
    def _selected(policy: OfflinePolicy, candidates: Sequence[_Candidate]) -> _Selection:
        left_out: Counter[Reason] = Counter()
        chosen = []
        for candidate in candidates:
            if candidate.why_not is not None:
                left_out[candidate.why_not] += 1
            elif policy.token_groups is not None and not candidate.groups.intersection(policy.token_groups):
                left_out["other_group"] += 1
            elif not candidate.whitelists <= policy.listed or any(_only_the_centre_knows(one) for one in candidate.restrictions):
                left_out["must_be_asked"] += 1
            else:
                chosen.append(candidate)
        restricted = [n for n, candidate in enumerate(chosen) if any(one.ask_for_place for one in candidate.restrictions)]
        return _Selection(chosen, restricted, left_out)

    def _all(self, dialect: Dialect) -> list[_Candidate]:
        found = self._candidates.get(dialect)
        if found is None:
            found = self._candidates[dialect] = []
            for family in self._families:
                live = [token for token in family if not token.retired]
                # OCPP 1.6 names no type: all tokens with this value are meant, and the verdict holds for all of them
                for together in [live] if dialect == "1.6" else [[token] for token in live]:
                    if together and (candidate := self._candidate(together, dialect)) is not None:
                        found.append(candidate)
        return found

    def _candidate(self, tokens: Sequence[KnownToken], dialect: Dialect) -> _Candidate | None:
        """None: a token that no list is about."""
        token = tokens[0]
        members = [member for one in tokens for member in one.family]
        if any(one.single_use or one.status == "unknown" or one.type not in _LISTED_TYPES for one in members):
            return None
        kind = None if dialect == "1.6" else token.type
        decision = judge(tokens, token_type=kind, circumstances=Circumstances(now=self._now, accept_unknown=False)).decision
        longest = MAX_ID_TAG if dialect == "1.6" else MAX_ID_TOKEN
        why_not: Reason | None = None
        if not decision.accepted:
            why_not = "not_accepted"
        elif len(token.id_token) > longest:
            why_not = "too_long"
        group, language = decision.group_id_token, decision.language
        if dialect == "1.6":
            language = None
        entry = Entry(
            token.id_token, kind, decision.expires_at, group if group is None or len(group) <= longest else None, language
        )
        return _Candidate(
            entry,
            frozenset(member.whitelist for member in members),
            frozenset(group.group_id for member in members for group in member.groups),
            tuple(restrictions_of(tokens)),
            why_not,
        )


def _only_the_centre_knows(restrictions: Restrictions) -> bool:
    """Hours, and what was charged before."""
    return bool(
        restrictions.hours
        or restrictions.sessions_per_day is not None
        or restrictions.sessions_per_month is not None
        or restrictions.max_amount_per_month is not None
    )
