"""How OCPP 2.x says what the domain decided."""

from __future__ import annotations

from csms.domain.decisions import Decision
from gateway.common.answers import rfc3339
from schemas.ocpp201.datatypes import IdTokenInfoType, IdTokenType, StatusInfoType


def id_token_info(decision: Decision) -> IdTokenInfoType:
    """The group is one of ours, so its token is of type Central."""
    group = decision.group_id_token
    return IdTokenInfoType(
        status=decision.status,
        cache_expiry_date_time=None if decision.expires_at is None else rfc3339(decision.expires_at),
        group_id_token=None if group is None else IdTokenType(id_token=group, type="Central"),
        language1=decision.language,
    )


def not_supported(why: str) -> StatusInfoType:
    """Why a request is refused with a status: this system cannot do what it asks for."""
    return StatusInfoType(reason_code="UnsupportedRequest", additional_info=why)
