"""Authorize: may this token charge here?"""

from __future__ import annotations

from csms.domain.decisions import Decision
from csms.domain.operations import Authorize
from gateway.effects import Commit, Effect, Reply
from gateway.ocpp2x.answers import id_token_info
from gateway.ocpp2x.tokens import NOT_NEEDED, needs_no_authorization
from gateway.versions import StationContext
from schemas.ocpp21 import authorization as ocpp21
from schemas.ocpp201 import authorization as ocpp201
from schemas.ocpp201.datatypes import IdTokenInfoType
from schemas.wire import encode


def handle(context: StationContext, request: ocpp201.AuthorizeRequest | ocpp21.AuthorizeRequest, _payload: bytes) -> Effect:
    """A contract certificate is not verified here, and an unverified contract must not charge (C07).

    It is answered as one whose chain cannot be verified, whatever its eMAID.
    """
    token = request.id_token
    if request.certificate is not None or request.iso15118_certificate_hash_data is not None:
        return Reply(
            payload=encode(
                ocpp201.AuthorizeResponse(id_token_info=IdTokenInfoType(status="Invalid"), certificate_status="CertChainError")
            )
        )
    if needs_no_authorization(token):
        return Reply(payload=encode(ocpp201.AuthorizeResponse(id_token_info=NOT_NEEDED)))
    operation = Authorize(
        tenant_id=context.tenant_id, station_id=context.station_id, id_token=token.id_token, token_type=token.type
    )
    return Commit(operation=operation, answer=_answer, hold="authorize")


def _answer(decision: Decision) -> bytes:
    return encode(ocpp201.AuthorizeResponse(id_token_info=id_token_info(decision)))
