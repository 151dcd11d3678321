"""OCPP 2.0.1 edition 3, part 2, functional block D: local authorization list."""

from typing import Annotated

from schemas.annotations import Items
from schemas.ocpp201.datatypes import AuthorizationData, StatusInfoType
from schemas.ocpp201.enums import SendLocalListStatusEnumType, UpdateEnumType
from schemas.structs import ExtensibleObject


class GetLocalListVersionRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Read the local list version. CSMS to station."""


class GetLocalListVersionResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to GetLocalListVersionRequest."""

    version_number: int  # 0 = no list (or disabled)


class SendLocalListRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Replace or patch the local list. CSMS to station."""

    version_number: int  # >0; version after the update
    update_type: UpdateEnumType
    # Full: whole list, absent = empty it
    local_authorization_list: Annotated[list[AuthorizationData], Items(min=1)] | None = None


class SendLocalListResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SendLocalListRequest."""

    status: SendLocalListStatusEnumType
    status_info: StatusInfoType | None = None
