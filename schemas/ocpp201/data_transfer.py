"""OCPP 2.0.1 edition 3, part 2, functional block P: data transfer."""

from typing import Annotated, Any

from schemas.annotations import Text
from schemas.ocpp201.datatypes import StatusInfoType
from schemas.ocpp201.enums import DataTransferStatusEnumType
from schemas.structs import ExtensibleObject


class DataTransferRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Vendor-specific payload, either direction."""

    vendor_id: Annotated[str, Text(max=255)]  # reverse-DNS style
    message_id: Annotated[str, Text(max=50)] | None = None  # vendor's message name
    data: Any = None  # any JSON


class DataTransferResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to DataTransferRequest."""

    status: DataTransferStatusEnumType
    status_info: StatusInfoType | None = None
    data: Any = None  # any JSON
