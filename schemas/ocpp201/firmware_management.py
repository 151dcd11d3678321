"""OCPP 2.0.1 edition 3, part 2, functional block L: firmware management."""

from typing import Annotated

from schemas.annotations import Items, Text
from schemas.ocpp201.datatypes import FirmwareType, StatusInfoType
from schemas.ocpp201.enums import (
    FirmwareStatusEnumType,
    GenericStatusEnumType,
    PublishFirmwareStatusEnumType,
    UnpublishFirmwareStatusEnumType,
    UpdateFirmwareStatusEnumType,
)
from schemas.structs import ExtensibleObject


class FirmwareStatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Progress of a firmware update. Station to CSMS."""

    status: FirmwareStatusEnumType
    request_id: int | None = None  # of UpdateFirmware; absent only for Idle


class FirmwareStatusNotificationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to FirmwareStatusNotificationRequest."""


class PublishFirmwareRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Local controller: download firmware and offer it locally. CSMS to station."""

    location: Annotated[str, Text(max=512)]  # download URL
    checksum: Annotated[str, Text(max=32)]  # MD5, 32 hex digits
    request_id: int  # echoed
    retries: int | None = None  # download tries
    retry_interval: int | None = None  # s


class PublishFirmwareResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to PublishFirmwareRequest."""

    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None


class PublishFirmwareStatusNotificationRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Progress of publishing. Station to CSMS."""

    status: PublishFirmwareStatusEnumType
    # local URLs, required when Published
    location: Annotated[list[Annotated[str, Text(max=512)]], Items(min=1)] | None = None
    request_id: int | None = None  # from PublishFirmware


class PublishFirmwareStatusNotificationResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to PublishFirmwareStatusNotificationRequest."""


class UnpublishFirmwareRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Local controller: stop offering a firmware file. CSMS to station."""

    checksum: Annotated[str, Text(max=32)]  # MD5 of the published file


class UnpublishFirmwareResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UnpublishFirmwareRequest."""

    status: UnpublishFirmwareStatusEnumType


class UpdateFirmwareRequest(ExtensibleObject, frozen=True, kw_only=True):
    """Ask for download and installation of firmware. CSMS to station."""

    request_id: int  # echoed in status messages
    firmware: FirmwareType
    retries: int | None = None  # download tries
    retry_interval: int | None = None  # s


class UpdateFirmwareResponse(ExtensibleObject, frozen=True, kw_only=True):
    """Answer to UpdateFirmwareRequest."""

    status: UpdateFirmwareStatusEnumType
    status_info: StatusInfoType | None = None
