"""OCPP 1.6 edition 2, feature profile LocalAuthListManagement."""

from schemas.ocpp16.datatypes import AuthorizationData
from schemas.ocpp16.enums import UpdateStatus, UpdateType
from schemas.structs import ClosedObject


class GetLocalListVersionRequest(ClosedObject, frozen=True, kw_only=True):
    """Read the version of the local authorization list. Central system to charge point."""


class GetLocalListVersionResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetLocalListVersionRequest."""

    list_version: int  # 0 = list empty, -1 = not supported


class SendLocalListRequest(ClosedObject, frozen=True, kw_only=True):
    """Replace or patch the local authorization list. Central system to charge point."""

    list_version: int  # version after the update; not 0 or -1
    update_type: UpdateType
    # Full: whole list (absent = empty it); Differential: changes
    local_authorization_list: list[AuthorizationData] | None = None


class SendLocalListResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SendLocalListRequest."""

    status: UpdateStatus
