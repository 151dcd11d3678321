"""Orders to take a quarantined message again, for the gateway process that carries them out."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from csms.domain.operations import Registration
from csms.store.pool import Connection
from csms.store.quarantine_usage import lock_usage, release

REPLAYS_TOPIC: Final = "quarantine.replays"
"""On the bus: there are orders. What has become of one is told on `replayed_topic`."""

CLAIM_S: Final = 60
"""Seconds after which a claim without an end is void: its process is gone. What it had done is found by its content."""


class ReplayRecord(msgspec.Struct, frozen=True):
    """A claimed order with its station. `payload` is the corrected message, or the one that was kept."""

    tenant_id: int
    quarantine_id: UUID
    replay_id: UUID
    station_id: int
    identity: str
    registration: Registration
    epoch: int
    vendor: str | None
    model: str | None
    ocpp_version: str
    action: str
    payload: bytes


class ReplayError(msgspec.Struct, frozen=True):
    """Why a message cannot be taken. kind: schema (it breaks its schema), gate (its station is not accepted), orphan (its
    transaction is unknown), refused (by its handler), failed (on our side; the description has an id for the logs)."""

    kind: str
    code: str = ""
    path: str = ""
    rule: str = ""
    description: str = ""


def replayed_topic(replay_id: UUID) -> str:
    return f"quarantine.{replay_id}"


async def claim_replays(conn: Connection, process_id: UUID, limit: int) -> list[ReplayRecord]:
    """Take the oldest orders that nobody works on."""
    rows = await conn.fetch(
        "WITH due AS (SELECT tenant_id, quarantine_id FROM quarantine "
        "WHERE replay_id IS NOT NULL AND replay_finished_at IS NULL AND resolved_at IS NULL "
        "AND (replay_claimed_at IS NULL OR replay_claimed_at < now() - make_interval(secs => $3)) "
        "ORDER BY replay_at LIMIT $2 FOR UPDATE SKIP LOCKED) "
        "UPDATE quarantine q SET replay_process = $1, replay_claimed_at = now() FROM due "
        "JOIN quarantine d USING (tenant_id, quarantine_id) JOIN stations s USING (tenant_id, station_id) "
        "WHERE q.tenant_id = due.tenant_id AND q.quarantine_id = due.quarantine_id "
        "RETURNING q.tenant_id, q.quarantine_id, q.replay_id, q.station_id, s.identity, s.registration, s.connection_epoch, "
        "s.vendor, s.model, q.ocpp_version, q.action, coalesce(q.replay_payload, q.payload)",
        process_id,
        limit,
        float(CLAIM_S),
    )
    return [ReplayRecord(*row) for row in rows]


async def finish_replay(conn: Connection, record: ReplayRecord, outcome: bytes | ReplayError) -> None:
    """Store the answer and resolve the message, or store why it cannot be taken. Without effect when somebody else did."""
    key = (record.tenant_id, record.quarantine_id, record.replay_id)
    if isinstance(outcome, ReplayError):
        await conn.execute(
            "UPDATE quarantine SET replay_finished_at = now(), replay_error = $4::jsonb "
            "WHERE tenant_id = $1 AND quarantine_id = $2 AND replay_id = $3 AND replay_finished_at IS NULL",
            *key,
            msgspec.json.encode(outcome).decode(),
        )
        return
    await lock_usage(conn, record.tenant_id, record.quarantine_id)
    resolved = await conn.fetchval(
        "UPDATE quarantine SET replay_finished_at = now(), answer = $4::jsonb, resolved_at = now(), resolution = 'replayed', "
        "resolved_by = replay_by WHERE tenant_id = $1 AND quarantine_id = $2 AND replay_id = $3 AND resolved_at IS NULL "
        "RETURNING 1",
        *key,
        outcome.decode(),
    )
    if resolved is not None:
        await release(conn, record.tenant_id, record.quarantine_id)
