"""Commands in the ledger's transaction: claimed before their frame leaves, finished once (design 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from csms.domain.operations import ClaimCommand, FinishCommand, Hearsay
from csms.domain.session_state import SessionState
from csms.ledger.port import SessionKey
from csms.ledger.rows import FinishedCommand, OwnCommandRow, SentProfile
from csms.store.in_order import InOrder
from csms.store.pool import Connection
from csms.store.unnest import RowType

_HEARSAY: Final = (("told_command", "text"), ("told_action", "text"), ("told_parameters", "text"))
_AS_TOLD: Final = (
    "(n.told_parameters IS NULL OR c.parameters = n.told_parameters::jsonb AND c.command IS NOT DISTINCT FROM n.told_command "
    "AND (n.told_command IS NOT NULL OR c.action = n.told_action))"
)
_CLAIM: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("station_id", "int8"),
        ("command_id", "uuid"),
        ("epoch", "int8"),
        ("action", "text"),
        ("reference", "text"),
        *_HEARSAY,
    )
)
_FINISH: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("command_id", "uuid"),
        ("status", "text"),
        ("result", "text"),
        ("error", "text"),
        *_HEARSAY,
    )
)
_OWN: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("command_id", "uuid"),
        ("station_id", "int8"),
        ("command", "text"),
        ("action", "text"),
        ("payload", "text"),
        ("requested_by", "text"),
        ("session_id", "uuid"),
        ("expires_at", "timestamptz"),
    )
)
_NEW_SESSION: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("session_id", "uuid"),
        ("station_id", "int8"),
        ("lower_token", "text"),
        ("evse_id", "int4"),
        ("remote_start_id", "int8"),
    )
)

_RESUMED: Final = RowType(
    (
        ("tenant_id", "int4"),
        ("session_id", "uuid"),
        ("station_id", "int8"),
        ("transaction_ref", "text"),
        ("evse_id", "int4"),
    )
)
_END: Final = (
    "ended AS (UPDATE commands c SET status = n.status, result = n.result::jsonb, error = n.error, finished_at = now() "
    f"FROM {_FINISH.source('n')} WHERE c.tenant_id = n.tenant_id AND c.command_id = n.command_id "
    # unknown: given up during an outage that the answer sat out in the ledger
    f"AND c.status IN ('queued', 'sent', 'unknown') AND {_AS_TOLD} "
    "RETURNING c.command_id, c.action, c.requested_by, c.session_id, c.command)"
)

OWN_OPEN_MAX: Final = 20
"""Open commands of a station beyond which the system adds none of its own: people's orders have the rest of the room."""


class CommandStatements:
    connection: Connection
    later: InOrder

    async def claim_commands(self, ops: Sequence[ClaimCommand]) -> list[bool]:
        rows = await self.connection.fetch(
            "UPDATE commands c SET status = 'sent', sent_at = now(), epoch = n.epoch, action = n.action, reference = n.reference "
            f"FROM {_CLAIM.source('n')} JOIN stations s USING (tenant_id, station_id) "
            "WHERE c.tenant_id = n.tenant_id AND c.command_id = n.command_id AND c.station_id = n.station_id "
            f"AND {_AS_TOLD} "
            # claimed by the same connection: the first try had committed, but its outcome was lost
            "AND (c.status = 'queued' AND c.expires_at > now() OR c.status = 'sent' AND c.epoch = n.epoch) "
            "AND s.connection_epoch = n.epoch RETURNING c.command_id",
            *_CLAIM.parameters(
                (op.tenant_id, op.station_id, op.command_id, op.epoch, op.action, op.reference, *_told(op.hearsay)) for op in ops
            ),
        )
        claimed = {row[0] for row in rows}
        return [op.command_id in claimed for op in ops]

    async def insert_commands(self, rows: Sequence[OwnCommandRow]) -> None:
        await self.connection.execute(
            "INSERT INTO commands (tenant_id, command_id, station_id, command, action, parameters, requested_by, session_id, "
            "expires_at) SELECT n.tenant_id, n.command_id, n.station_id, n.command, n.action, n.payload::jsonb, n.requested_by, "
            f"n.session_id, n.expires_at FROM {_OWN.source('n')} WHERE (SELECT count(*) FROM commands c "
            "WHERE c.tenant_id = n.tenant_id AND c.station_id = n.station_id AND c.status IN ('queued', 'sent')) < $10",
            *_OWN.parameters(
                (
                    r.tenant_id,
                    r.command_id,
                    r.station_id,
                    r.command,
                    r.action,
                    r.payload.decode(),
                    r.requested_by,
                    r.session_id,
                    r.expires_at,
                )
                for r in rows
            ),
            OWN_OPEN_MAX,
        )

    async def finish_commands(self, ops: Sequence[FinishCommand]) -> list[FinishedCommand | None]:
        ends = _FINISH.parameters(
            (
                op.tenant_id,
                op.command_id,
                op.status,
                None if op.result is None else op.result.decode(),
                op.error,
                *_told(op.hearsay),
            )
            for op in ops
        )
        rows = await self.later.fetch_along(_END, "SELECT * FROM ended", ends)
        finished = {row[0]: FinishedCommand(row[1], row[2], row[3], row[4]) for row in rows}
        return [finished.get(op.command_id) for op in ops]

    async def tx_profiles(self, sessions: Sequence[SessionState]) -> dict[SessionKey, list[SentProfile]]:
        rows = await self.connection.fetch(
            'SELECT DISTINCT ON (n.tenant_id, n.session_id, p.id COLLATE "C") n.tenant_id, n.session_id, p.command, '
            "CASE WHEN p.command IS NOT NULL THEN c.parameters ELSE jsonb_build_object('evseId', p.evse_id, 'chargingProfile', "
            "c.parameters -> 'chargingProfile' || jsonb_build_object('transactionId', n.transaction_ref)) END::text "
            f"FROM {_RESUMED.source('n')} JOIN commands c ON c.tenant_id = n.tenant_id AND c.station_id = n.station_id "
            "AND c.status = 'accepted' AND c.created_at > now() - interval '30 days' "
            # a domain command and a raw one name the transaction differently
            "AND (c.command = 'set_charging_profile' AND c.parameters ->> 'transaction_id' = n.transaction_ref "
            "OR c.parameters #>> '{chargingProfile,chargingProfilePurpose}' = 'TxProfile' "
            "AND (c.action = 'SetChargingProfile' AND c.parameters #>> '{chargingProfile,transactionId}' = n.transaction_ref "
            "OR c.action = 'RequestStartTransaction' AND c.session_id = n.session_id)) "
            "CROSS JOIN LATERAL (SELECT CASE WHEN c.command = 'set_charging_profile' THEN c.command END AS command, "
            "CASE WHEN c.command = 'set_charging_profile' THEN c.reference "
            "ELSE c.parameters #>> '{chargingProfile,id}' END AS id, "
            "coalesce(nullif(c.parameters -> 'evseId', 'null'), to_jsonb(n.evse_id)) AS evse_id) p "
            "WHERE (p.command IS NOT NULL OR p.evse_id IS NOT NULL) "
            "AND NOT EXISTS (SELECT FROM commands k WHERE k.tenant_id = n.tenant_id AND k.station_id = n.station_id "
            "AND k.action = 'ClearChargingProfile' AND k.status = 'accepted' AND k.command_id > c.command_id "
            "AND coalesce(k.reference, k.parameters ->> 'chargingProfileId', p.id) = p.id) "
            "AND NOT EXISTS (SELECT FROM device_variables v WHERE v.tenant_id = n.tenant_id AND v.station_id = n.station_id "
            "AND v.component = 'SmartChargingCtrlr' AND v.component_instance = '' AND v.evse_id = 0 AND v.connector_id = 0 "
            "AND v.variable = 'ChargingProfilePersistence' AND v.variable_instance = 'TxProfile' AND v.attribute = 'Actual' "
            "AND lower(v.value) = 'true') "
            'ORDER BY n.tenant_id, n.session_id, p.id COLLATE "C", c.command_id DESC',
            *_RESUMED.parameters((s.tenant_id, s.session_id, s.station_id, s.transaction_ref, s.evse_id) for s in sessions),
        )
        found: dict[SessionKey, list[SentProfile]] = {}
        for tenant_id, session_id, command, payload in rows:
            found.setdefault((tenant_id, session_id), []).append(SentProfile(command, payload.encode()))
        return found

    async def link_remote_starts(self, sessions: Sequence[SessionState]) -> dict[UUID, UUID]:
        """By remoteStartId where the station gave one (2.x), else by token, connector and time (1.6 names no request).

        Domain commands and raw ones alike."""
        rows = await self.connection.fetch(
            "WITH wanted AS (SELECT DISTINCT ON (n.session_id) n.tenant_id, n.session_id, c.command_id "
            f"FROM {_NEW_SESSION.source('n')} JOIN commands c ON c.tenant_id = n.tenant_id AND c.station_id = n.station_id "
            "WHERE c.action IN ('RemoteStartTransaction', 'RequestStartTransaction') "
            "AND c.session_id IS NULL AND c.status IN ('sent', 'accepted') AND c.sent_at > now() - interval '15 min' "
            "AND CASE WHEN n.remote_start_id IS NOT NULL THEN c.reference = n.remote_start_id::text "
            # a domain command and a raw one name token and connector differently
            "ELSE translate(lower(coalesce("
            "c.parameters ->> 'id_token', c.parameters ->> 'idTag', c.parameters #>> '{idToken,idToken}')), '-*:', '') "
            # a session has the one spelling of a contract, without separators
            "= translate(n.lower_token, '-*:', '') AND coalesce(c.parameters ->> 'connector_id', c.parameters ->> 'evse_id', "
            "c.parameters ->> 'connectorId', c.parameters ->> 'evseId', n.evse_id::text) = n.evse_id::text END "
            # an id may come again: the newest command with it; a token is charged with in the order of its starts
            "ORDER BY n.session_id, CASE WHEN n.remote_start_id IS NULL THEN c.sent_at END, c.sent_at DESC) "
            "UPDATE commands c SET session_id = wanted.session_id FROM wanted "
            "WHERE c.tenant_id = wanted.tenant_id AND c.command_id = wanted.command_id RETURNING wanted.session_id, c.command_id",
            *_NEW_SESSION.parameters(
                (s.tenant_id, s.session_id, s.station_id, (s.id_token or "").lower(), s.evse_id, s.remote_start_id)
                for s in sessions
            ),
        )
        return {row[0]: row[1] for row in rows}


def _told(hearsay: Hearsay | None) -> tuple[str | None, str | None, str | None]:
    return (None, None, None) if hearsay is None else (hearsay.command, hearsay.action, hearsay.parameters.decode())
