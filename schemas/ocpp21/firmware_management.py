"""OCPP 2.1, part 2, functional block L: firmware management."""

from typing import Annotated

from schemas.annotations import Items, Range, Text
from schemas.ocpp21.datatypes import FirmwareType, StatusInfoType
from schemas.ocpp201.enums import (
    FirmwareStatusEnumType,
    GenericStatusEnumType,
    PublishFirmwareStatusEnumType,
    UpdateFirmwareStatusEnumType,
)
from schemas.structs import ExtensibleObject


class FirmwareStatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Progress of a firmware update. Station to CSMS."""

    status: FirmwareStatusEnumType
    request_id: int | None = None  # of UpdateFirmware; absent only for Idle
    status_info: StatusInfoType | None = None


class PublishFirmwareRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Local controller: download firmware and offer it locally. CSMS to station."""

    location: Annotated[str, Text(max=2000)]  # download URL
    checksum: Annotated[str, Text(max=32)]  # MD5, 32 hex digits
    request_id: Annotated[int, Range(min=0)]  # echoed
    retries: Annotated[int, Range(min=0)] | None = None  # download tries
    retry_interval: Annotated[int, Range(min=0)] | None = None  # s


class PublishFirmwareResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to PublishFirmwareRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class PublishFirmwareStatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Progress of publishing. Station to CSMS."""

    status: PublishFirmwareStatusEnumType
    location: Annotated[list[Annotated[str, Text(max=2000)]], Items(min=1)] | None = None
    request_id: Annotated[int, Range(min=0)] | None = None  # from PublishFirmware
    status_info: StatusInfoType | None = None


class UpdateFirmwareRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for download and installation of firmware. CSMS to station."""

    request_id: int  # echoed in status messages
    firmware: FirmwareType
    retries: Annotated[int, Range(min=0)] | None = None  # download tries
    retry_interval: int | None = None  # s


class UpdateFirmwareResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UpdateFirmwareRequest."""

    status: UpdateFirmwareStatusEnumType
    status_info: StatusInfoType | None = None
