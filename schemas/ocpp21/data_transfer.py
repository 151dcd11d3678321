"""OCPP 2.1, part 2, functional block P: data transfer."""

from typing import Any

from schemas.ocpp21.datatypes import StatusInfoType
from schemas.ocpp201.enums import DataTransferStatusEnumType
from schemas.structs import ExtensibleObject


class DataTransferResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to DataTransferRequest."""

    status: DataTransferStatusEnumType
    status_info: StatusInfoType | None = None
    data: Any = None  # any JSON
