"""Questions about tokens answered together: what must be known is read with few statements, most of them with one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from csms.domain.authorization import Circumstances, Verdict, judge, restrictions_of
from csms.domain.external import AskingRules, Asks, ExternalVerdict, combine, decides
from csms.domain.known_tokens import KnownToken
from csms.domain.restrictions import Place, Restrictions, day_began, month_began
from csms.domain.token_identity import contract_key, lookup_key
from csms.ledger.port import StationKey
from csms.ledger.rows import OpenSession, TokenRow, Usage, UsageQuestion
from csms.tenants import TenantDirectory

TokenKey = tuple[int, str]
"""(tenant_id, look-up key)"""


class TokenReads(Protocol):
    """What of the store port a verdict needs."""

    async def load_tokens(self, keys: Collection[TokenKey]) -> dict[TokenKey, list[TokenRow]]: ...
    async def open_token_sessions(self, keys: Collection[TokenKey]) -> dict[TokenKey, list[OpenSession]]: ...
    async def token_usage(self, questions: Collection[UsageQuestion]) -> dict[UsageQuestion, Usage]: ...
    async def places(self, keys: Collection[StationKey]) -> dict[StationKey, Place]: ...


class TokenQuestion(msgspec.Struct, frozen=True):
    """May this token charge at this EVSE? station_id 0: at no station in particular.

    `purpose`: `ask` before anything begins; `begin`: the session `session_id` begins with it; `go_on`: it is shown for a session
    that has begun. `concurrent`: also ask whether it is in use on another connector (rule X4), by a transaction other than
    `transaction_ref`. `external`: what a third party says. `live`: it is asked now, not long ago: operators are told of a refusal.
    """

    tenant_id: int
    station_id: int
    id_token: str
    token_type: str | None
    purpose: Literal["ask", "begin", "go_on"] = "ask"
    concurrent: bool = False
    evse_id: int | None = None
    transaction_ref: str | None = None
    session_id: UUID | None = None
    external: ExternalVerdict | None = None
    live: bool = True


class Weighing:
    """What is known for the questions of one group commit. A token that is accepted for the beginning of one session is in use for
    the questions after it."""

    def __init__(self, reads: TokenReads, tenants: TenantDirectory, now: datetime) -> None:
        self._reads = reads
        self._tenants = tenants
        self._now = now
        self._known: dict[TokenKey, list[KnownToken]] = {}
        self._open: dict[TokenKey, list[OpenSession]] = {}
        self._usage: dict[UsageQuestion, Usage] = {}
        self._places: dict[StationKey, Place] = {}
        self._begun: dict[TokenKey, int] = {}

    @classmethod
    async def prepare(
        cls, reads: TokenReads, tenants: TenantDirectory, now: datetime, questions: Sequence[TokenQuestion]
    ) -> Weighing:
        weighing = cls(reads, tenants, now)
        await weighing.look_again(questions)
        await weighing._look_around(questions)
        return weighing

    async def look_again(self, questions: Sequence[TokenQuestion]) -> None:
        """Read the tokens of these questions as they are now."""
        wanted = {key for question in questions for key in _keys(question)}
        found = await self._reads.load_tokens(wanted)
        for key in wanted:
            self._known[key] = found.get(key, [])

    def is_known(self, question: TokenQuestion) -> bool:
        """Is there a token of any type with this value, be it retired?"""
        return bool(self._candidates(question))

    def judge(self, question: TokenQuestion, *, explain: bool = False) -> Verdict:
        """The verdict; one that lets a session begin is remembered for the questions after it."""
        tenant = self._tenants.by_id(question.tenant_id)
        candidates = self._candidates(question)
        own_key = lookup_key(question.id_token, question.token_type)
        rules = None if tenant is None else tenant.external
        named = [t for t in candidates if not t.retired and t.status != "unknown" and question.token_type in (None, t.type)]
        external, asks, entered = self._outside(question.external, rules, named)
        circumstances = Circumstances(
            now=self._now,
            accept_unknown=(tenant is not None and tenant.unknown_tokens == "accept") or decides(external, asks, known=entered),
            time_zone="UTC" if tenant is None else tenant.time_zone,
            evse_id=question.evse_id,
            place=self._places.get((question.tenant_id, question.station_id)),
            usage=lambda key, since: self._used(question.tenant_id, key, since),
            elsewhere=self._elsewhere(question, {own_key, *_family_keys(candidates)}) if question.concurrent else {},
            session_id=question.session_id,
            sessions_here=self._sessions_here(question, candidates) if question.purpose == "ask" else frozenset(),
            asked=external is not None and external.answered and not entered,
            going_on=question.purpose == "go_on",
        )
        verdict = judge(candidates, token_type=question.token_type, circumstances=circumstances, key=own_key, explain=explain)
        if external is not None:
            verdict = verdict._replace(decision=combine(verdict.decision, external, asks, known=entered))
        if question.purpose == "begin" and verdict.decision.accepted:
            self._note_begun(question, own_key, verdict.token)
        return verdict

    def _outside(
        self, external: ExternalVerdict | None, rules: AskingRules | None, named: Sequence[KnownToken]
    ) -> tuple[ExternalVerdict | None, Asks | None, bool]:
        """What a third party says, whether it is asked about all tokens, and whether the token is known without it."""
        if rules is None or rules.via == "http":
            return external, None if rules is None else rules.asks, bool(named)
        asked_about = [t for t in named if t.must_be_asked_about(rules.asks, self._now)]
        if asked_about and external is not None and not external.answered:
            # K4: without an answer its whitelist mode decides, not what holds for tokens that nobody knows
            external = msgspec.structs.replace(external, status=None)
        return external, "unknown_tokens", len(asked_about) < len(named)

    async def _look_around(self, questions: Sequence[TokenQuestion]) -> None:
        open_keys: set[TokenKey] = set()
        places: set[StationKey] = set()
        usage: set[UsageQuestion] = set()
        for question in questions:
            candidates = self._candidates(question)
            restrictions = restrictions_of(candidates)
            if question.concurrent:
                own_key = lookup_key(question.id_token, question.token_type)
                open_keys |= {(question.tenant_id, key) for key in (own_key, *_family_keys(candidates))}
            special = any(t.single_use or (t.foreign and t.whitelist == "NEVER") for t in candidates)
            if question.purpose == "go_on" or not (restrictions or special):
                continue
            if question.purpose == "ask":
                open_keys |= {(question.tenant_id, key) for key in _family_keys(candidates)}
            if question.station_id and any(r.ask_for_place for r in restrictions):
                places.add((question.tenant_id, question.station_id))
            usage.update(self._usage_questions(question.tenant_id, candidates))
        if open_keys:
            self._open = await self._reads.open_token_sessions(open_keys)
        if places:
            self._places = await self._reads.places(places)
        if usage:
            self._usage = await self._reads.token_usage(usage)

    def _usage_questions(self, tenant_id: int, candidates: Iterable[KnownToken]) -> Iterable[UsageQuestion]:
        tenant = self._tenants.by_id(tenant_id)
        for token in candidates:
            for member in token.family:
                for _, restrictions in member.held_by():
                    for since in self._counted_since(restrictions, "UTC" if tenant is None else tenant.time_zone):
                        yield UsageQuestion(tenant_id, member.key, since)

    def _counted_since(self, restrictions: Restrictions, tenant_zone: str) -> Iterable[datetime]:
        zone = restrictions.time_zone or tenant_zone
        if restrictions.sessions_per_day is not None:
            yield day_began(self._now, zone)
        if restrictions.sessions_per_month is not None or restrictions.max_amount_per_month is not None:
            yield month_began(self._now, zone)

    def _candidates(self, question: TokenQuestion) -> list[KnownToken]:
        contract = contract_key(question.id_token, question.token_type)
        contracts = [] if contract is None else self._known.get((question.tenant_id, contract), [])
        own = {key: self._known.get(key, []) for key in _keys(question) if key[1] != contract}
        return [token for tokens in own.values() for token in tokens] + [t for t in contracts if t.type == "eMAID"]

    def _used(self, tenant_id: int, key: str, since: datetime) -> tuple[int, Decimal]:
        usage = self._usage[UsageQuestion(tenant_id, key, since)]
        return usage.sessions + self._begun.get((tenant_id, key), 0), usage.amount

    def _elsewhere(self, question: TokenQuestion, keys: Collection[str]) -> dict[str, int]:
        here, itself = (question.station_id, question.evse_id), (question.station_id, question.transaction_ref)
        return {
            key: sum(
                (s.station_id, s.evse_id) != here and (s.station_id, s.transaction_ref) != itself
                for s in self._open.get((question.tenant_id, key), ())
            )
            for key in keys
        }

    def _sessions_here(self, question: TokenQuestion, candidates: Iterable[KnownToken]) -> frozenset[UUID]:
        return frozenset(
            session.session_id
            for key in _family_keys(candidates)
            for session in self._open.get((question.tenant_id, key), ())
            if session.station_id == question.station_id
        )

    def _note_begun(self, question: TokenQuestion, own_key: str, token: KnownToken | None) -> None:
        keys = {own_key} if token is None else {member.key for member in token.family}
        for key in keys:
            place = (question.tenant_id, key)
            self._begun[place] = self._begun.get(place, 0) + 1
            if question.session_id is not None:
                session = OpenSession(question.station_id, question.evse_id, question.transaction_ref or "", question.session_id)
                self._open.setdefault(place, []).append(session)
        if token is not None and token.single_use:
            for place, tokens in self._known.items():
                self._known[place] = [
                    msgspec.structs.replace(t, used_by_session_id=question.session_id) if t is token else t for t in tokens
                ]


def _keys(question: TokenQuestion) -> set[TokenKey]:
    """What the tokens of a question are looked up by: mostly one key."""
    keys = (
        lookup_key(question.id_token, question.token_type),
        # a contract or vehicle that is stored as it was entered, because its one spelling was there already
        question.id_token.lower(),
        contract_key(question.id_token, question.token_type),
    )
    return {(question.tenant_id, key) for key in keys if key is not None}


def _family_keys(tokens: Iterable[KnownToken]) -> set[str]:
    return {member.key for token in tokens for member in token.family}
