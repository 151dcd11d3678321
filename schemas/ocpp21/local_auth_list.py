"""OCPP 2.1, part 2, functional block D: local authorization list."""

from typing import Annotated

from schemas.annotations import Items
from schemas.ocpp21.datatypes import AuthorizationData, StatusInfoType
from schemas.ocpp201.enums import SendLocalListStatusEnumType, UpdateEnumType
from schemas.structs import ExtensibleObject


class SendLocalListRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Replace or patch the local list. CSMS to station."""

    version_number: int  # >0; version after the update
    update_type: UpdateEnumType
    local_authorization_list: Annotated[list[AuthorizationData], Items(min=1)] | None = None


class SendLocalListResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to SendLocalListRequest."""

    status: SendLocalListStatusEnumType
    status_info: StatusInfoType | None = None
