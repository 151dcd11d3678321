"""What must hold after every run, whatever struck: the stored sessions against what the stations know."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.simulation.stations import Station
from tests.simulation.truth import Message, Transaction

Key = tuple[str, str, str]
"""(tenant, identity, transaction reference)"""


@dataclass
class StoredSession:
    """A session as some store has it."""

    tenant: str
    identity: str
    ref: str
    incarnation: int
    status: str
    id_token: str | None
    start_text: str | None
    start_wh: Decimal | None
    stop_wh: Decimal | None
    energy_wh: Decimal | None
    flags: Sequence[str]
    events: list[tuple[int, str, bool]]
    """(seq_no, type, conflict)"""
    registers: set[Decimal]
    outbox: Counter[str]
    """Published events by type."""


@dataclass
class Facts:
    """What a store has after a run."""

    sessions: list[StoredSession]
    orphans: list[tuple[str, str, dict[str, Any]]]
    """(tenant, identity, payload)"""


def judge(stations: Sequence[Station], facts: Facts) -> list[str]:
    """Everything that is wrong; empty when no transaction was lost, doubled or changed."""
    wrong: list[str] = []
    stored: dict[Key, list[StoredSession]] = defaultdict(list)
    for session in facts.sessions:
        stored[session.tenant, session.identity, session.ref].append(session)
    claimed: set[int] = set()
    for station in stations:
        wrong += [f"{station.tenant}/{station.identity}: {fault}" for fault in station.faults]
        for message_id, times in station.commands.items():
            if times > 1:
                wrong.append(f"{station.tenant}/{station.identity}: the CALL {message_id} came {times} times")
        for transaction in station.transactions:
            for session in _sessions_of(transaction, stored, facts, claimed):
                claimed.add(id(session))
            wrong += [f"{_name(transaction)}: {fault}" for fault in _faults(transaction, stored, claimed, facts)]
    for session in facts.sessions:
        if id(session) not in claimed:
            wrong.append(f"{session.tenant}/{session.identity} {session.ref}: a session that no station knows")
        if session.id_token is not None and not session.id_token.startswith(f"{session.tenant}-"):
            wrong.append(f"{session.tenant}/{session.identity} {session.ref}: the token {session.id_token} of another tenant")
    wrong += _doubled_ids(facts.sessions)
    return wrong


def _sessions_of(
    transaction: Transaction, stored: dict[Key, list[StoredSession]], facts: Facts, claimed: set[int]
) -> list[StoredSession]:
    if transaction.ref is not None:
        return stored.get((transaction.tenant, transaction.identity, transaction.ref), [])
    # an OCPP 1.6 start whose answer never came: found by its content
    if not any(message.attempts for message in transaction.messages):
        return []
    return [
        session
        for session in facts.sessions
        if id(session) not in claimed
        and (session.tenant, session.identity) == (transaction.tenant, transaction.identity)
        and _begins_as(session, transaction)
    ]


def _faults(transaction: Transaction, stored: dict[Key, list[StoredSession]], claimed: set[int], facts: Facts) -> Iterable[str]:
    for message in transaction.messages:
        if any(answer != message.answers[0] for answer in message.answers):
            yield f"{message.action} was answered differently: {message.answers}"
    told = [message for message in transaction.messages if message.acknowledged]
    if transaction.ref is None:
        yield from _faults_of_unanswered(transaction, told, facts)
        return
    sessions = stored.get((transaction.tenant, transaction.identity, transaction.ref), [])
    if not sessions:
        if told:
            yield f"{len(told)} messages were acknowledged, no session is stored"
        return
    if len(sessions) > 1:
        yield f"{len(sessions)} sessions"
    session = sessions[0]
    if session.start_wh is not None and transaction.version == "ocpp1.6" and session.start_wh != transaction.start_wh:
        yield f"starts at {session.start_wh} Wh, not {transaction.start_wh}"
    yield from _faults_of_registers(transaction, session, told)
    yield from _faults_of_events(transaction, session, told)
    yield from _faults_of_end(transaction, session, told)


def _begins_as(session: StoredSession, transaction: Transaction) -> bool:
    start = transaction.messages[0]
    return (session.start_wh, session.start_text) == (transaction.start_wh, start.timestamp)


def _faults_of_registers(transaction: Transaction, session: StoredSession, told: list[Message]) -> Iterable[str]:
    sent = {Decimal(m.wh) for m in transaction.messages if m.wh is not None and m.attempts and m.kind in ("meter", "event")}
    for message in told:
        if message.kind in ("meter", "event") and Decimal(message.wh or 0) not in session.registers:
            yield f"the reading {message.wh} Wh was acknowledged and is not stored"
    for register in session.registers - sent:
        yield f"the reading {register} Wh was never sent"


def _faults_of_events(transaction: Transaction, session: StoredSession, told: list[Message]) -> Iterable[str]:
    if any(conflict for _, _, conflict in session.events):
        yield f"an event is in conflict: {session.events}"
    if transaction.version == "ocpp1.6":
        kinds = Counter(kind for _, kind, _ in session.events)
        if any(times > 1 for times in kinds.values()):
            yield f"an event is stored twice: {session.events}"
        return
    numbers = Counter(seq_no for seq_no, _, _ in session.events)
    for message in told:
        if message.seq_no is not None and numbers[message.seq_no] != 1:
            yield f"the event {message.seq_no} was acknowledged and is stored {numbers[message.seq_no]} times"
    sent = {message.seq_no for message in transaction.messages if message.attempts}
    for number in numbers:
        if number not in sent:
            yield f"the event {number} was never sent"


def _faults_of_end(transaction: Transaction, session: StoredSession, told: list[Message]) -> Iterable[str]:
    end = next((m for m in told if m.wh == transaction.stop_wh and m is transaction.messages[-1]), None)
    if session.status == "active":
        yield "is active still"
    if session.outbox["session.started"] != 1 and transaction.messages[0].acknowledged:
        yield f"its start was published {session.outbox['session.started']} times"
    if transaction.version == "ocpp1.6" and session.outbox["session.meter_values"] != len(session.registers):
        yield f"{len(session.registers)} readings were published {session.outbox['session.meter_values']} times"
    if end is None:
        if session.status == "completed" and not transaction.over:
            yield "is completed, and its end was never told"
        return
    if session.status != "completed":
        yield f"its end was acknowledged and it is {session.status}"
    # once when it was closed without its stop, once when that came after all
    ends = 1 + any(flag in session.flags for flag in ("superseded", "reconciled", "given_up"))
    if session.outbox["session.ended"] != ends:
        yield f"its end was published {session.outbox['session.ended']} times, not {ends}"
    if session.stop_wh != transaction.stop_wh:
        yield f"stops at {session.stop_wh} Wh, not {transaction.stop_wh}"
    if transaction.messages[0].dropped:
        return
    energy = (transaction.stop_wh or 0) - transaction.start_wh
    if session.energy_wh != energy:
        yield f"has {session.energy_wh} Wh, not {energy}"


def _faults_of_unanswered(transaction: Transaction, told: list[Message], facts: Facts) -> Iterable[str]:
    """The start was given up: its stop, with transaction id -1, is linked to it or kept for an operator (rule X5)."""
    begun = [
        s
        for s in facts.sessions
        if (s.tenant, s.identity) == (transaction.tenant, transaction.identity) and _begins_as(s, transaction)
    ]
    if len(begun) > 1:
        yield f"{len(begun)} sessions"
    for message in told:
        if message.kind != "stop":
            continue
        linked = any(
            (s.tenant, s.identity) == (transaction.tenant, transaction.identity) and s.stop_wh == message.wh for s in facts.sessions
        )
        kept = any(
            (tenant, identity) == (transaction.tenant, transaction.identity) and payload.get("meterStop") == message.wh
            for tenant, identity, payload in facts.orphans
        )
        if not linked and not kept:
            yield f"the stop at {message.wh} Wh was acknowledged and is nowhere"


def _doubled_ids(sessions: Sequence[StoredSession]) -> list[str]:
    ids = Counter(s.ref for s in sessions if any(kind == "StartTransaction" for _, kind, _ in s.events))
    wrong = [f"the transaction id {ref} was given {times} times" for ref, times in ids.items() if times > 1]
    return wrong + [f"the transaction id {ref} is out of range" for ref in ids if not 0 < int(ref) < 2**31]


def _name(transaction: Transaction) -> str:
    return f"{transaction.tenant}/{transaction.identity} {transaction.version} {transaction.ref}"


def decoded(payload: bytes) -> dict[str, Any]:
    """The object in a stored message."""
    content: dict[str, Any] = json.loads(payload)
    return content
