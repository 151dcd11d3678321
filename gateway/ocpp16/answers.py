"""How OCPP 1.6 says what the domain decided."""

from __future__ import annotations

from typing import Final

from csms.domain.decisions import STATUS_OF_OCPP16, Decision
from gateway.common.answers import rfc3339
from schemas.ocpp16.datatypes import IdTagInfo

MAX_ID_TAG: Final = 20
"""Length of an idTag; 2.x tokens may be longer."""


def id_tag_info(decision: Decision) -> IdTagInfo:
    """1.6 has fewer statuses; a group longer than an idTag cannot be named and is left out."""
    group = decision.group_id_token
    return IdTagInfo(
        status=STATUS_OF_OCPP16[decision.status],
        expiry_date=None if decision.expires_at is None else rfc3339(decision.expires_at),
        parent_id_tag=group if group is not None and len(group) <= MAX_ID_TAG else None,
    )
