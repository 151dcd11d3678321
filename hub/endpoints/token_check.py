"""Why a token may charge somewhere, or may not: the verdict that its station would be given, explained."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from csms.domain.authorization import CheckName
from csms.domain.decisions import STATUS_OF_OCPP16, AuthorizationStatus, Status16
from csms.ledger.weighing import TokenQuestion, Weighing
from csms.store import Connection
from csms.store.ledger_tokens import TokenLookups
from csms.store.queries.stations import get_station
from hub.api.fields import Identity, Time, WireNumber
from hub.api.problems import invalid
from hub.api.routing import Answer, Call, NoQuery, route
from hub.endpoints.id_tokens import TokenText

WireType = Annotated[str, Meta(min_length=1, max_length=20, description="As a 2.x station says it; left out as in OCPP 1.6")]


class TokenCheck(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id_token: TokenText
    type: WireType | None = None
    charge_point_id: Identity | None = None
    evse_id: WireNumber | None = None
    at: Annotated[Time, Meta(description="As if it were then; sessions and costs are those of now")] | None = None


class MadeCheck(msgspec.Struct, frozen=True):
    """One look at the token. `status` is what a 2.x station is told if it decides."""

    check: CheckName
    passed: bool
    status: AuthorizationStatus
    reason: str | None


class Explanation(msgspec.Struct, frozen=True):
    """`token_id`: the token that decided; null: nobody knows any. `checks` are in the order in which they decide."""

    accepted: bool
    ocpp16_status: Status16
    ocpp2x_status: AuthorizationStatus
    reason: str | None
    token_id: UUID | None
    group_id_token: str | None
    expires_at: datetime | None
    checks: list[MadeCheck]


async def check_token(call: Call[NoQuery, TokenCheck]) -> Answer:
    body, tenant_id, hub = call.body, call.tenant_id, call.hub
    now = body.at or hub.clock.now()

    async def explain(conn: Connection) -> Explanation:
        station_id = 0
        if body.charge_point_id is not None:
            station = await get_station(conn, tenant_id, body.charge_point_id)
            if station is None:
                raise invalid("charge_point_id", "is not a charge point")
            station_id = station.station_id
        question = TokenQuestion(tenant_id, station_id, body.id_token, body.type, "begin", concurrent=True, evse_id=body.evse_id)
        weighing = await Weighing.prepare(TokenLookups(conn), hub.tenants, now, [question])
        verdict = weighing.judge(question, explain=True)
        decision = verdict.decision
        return Explanation(
            decision.accepted,
            STATUS_OF_OCPP16[decision.status],
            decision.status,
            decision.reason,
            None if verdict.token is None else verdict.token.token_id,
            decision.group_id_token,
            decision.expires_at,
            [MadeCheck(check.name, check.status == "Accepted", check.status, check.reason) for check in verdict.checks],
        )

    return Answer(200, await hub.store.hub.tenant_unit(tenant_id, explain))


ROUTES = (
    route(
        "POST",
        "/api/v1/id-tokens/check",
        check_token,
        permission="id_tokens.check",
        body=TokenCheck,
        answers={200: Explanation},
        tag="Id tokens",
        summary="Explain whether a token may begin to charge",
        description="By the same rules as for a station, from what is known here; a third party is not asked. Nothing is changed. "
        "Without a charge point the checks of the place are left out.",
    ),
)
