"""Tokens of partners, told to our CPO tenants: their stations know them from then on (K1 to K4; digest, endpoints 28 and 29)."""

from __future__ import annotations

from csms.roaming.received import Taken
from csms.roaming.received_tokens import make_known
from csms.store import Connection
from hub.ocpi.message import OcpiResponse
from hub.ocpi.own.call import OwnCall
from hub.ocpi.own.received import Then, patch_and, put_and
from schemas.ocpi221.base import Remark
from schemas.ocpi221.tokens import Token


async def put_token(call: OwnCall) -> OcpiResponse:
    return await put_and(call, _known_to_stations(call))


async def patch_token(call: OwnCall) -> OcpiResponse:
    return await patch_and(call, _known_to_stations(call))


def _known_to_stations(call: OwnCall) -> Then:
    token_id = call.ocpi.ids.uuid7()

    async def then(conn: Connection, taken: Taken) -> tuple[Remark, ...]:
        token = taken.thing
        return await make_known(conn, call.tenant_id, [(token_id, token)]) if isinstance(token, Token) else ()

    return then
