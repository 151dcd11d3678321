"""Authorize: may this token charge here?"""

from __future__ import annotations

from csms.domain.decisions import Decision
from csms.domain.operations import Authorize
from gateway.effects import Commit, Effect
from gateway.ocpp16.answers import id_tag_info
from gateway.versions import StationContext
from schemas.ocpp16.core import AuthorizeRequest, AuthorizeResponse
from schemas.wire import encode


def handle(context: StationContext, request: AuthorizeRequest, _payload: bytes) -> Effect:
    """1.6 names no token type, so any type will do."""
    operation = Authorize(tenant_id=context.tenant_id, station_id=context.station_id, id_token=request.id_tag)
    return Commit(operation=operation, answer=_answer, hold="authorize")


def _answer(decision: Decision) -> bytes:
    return encode(AuthorizeResponse(id_tag_info=id_tag_info(decision)))
