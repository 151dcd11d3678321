"""OCPP 1.6 edition 2, feature profile FirmwareManagement."""

from schemas.annotations import DateTimeString, UriString
from schemas.ocpp16.datatypes import CiString255
from schemas.ocpp16.enums import DiagnosticsStatus, FirmwareStatus
from schemas.structs import ClosedObject


class DiagnosticsStatusNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Progress of a diagnostics upload. Charge point to central system."""

    status: DiagnosticsStatus


class DiagnosticsStatusNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to DiagnosticsStatusNotificationRequest."""


class FirmwareStatusNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Progress of an (unsigned) firmware update. Charge point to central system."""

    status: FirmwareStatus


class FirmwareStatusNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to FirmwareStatusNotificationRequest."""


class GetDiagnosticsRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask for upload of a diagnostics file. Central system to charge point."""

    location: UriString  # upload directory URL, scheme picks the protocol
    retries: int | None = None  # retries after the first failure
    retry_interval: int | None = None  # s
    start_time: DateTimeString | None = None  # oldest entry wanted
    stop_time: DateTimeString | None = None  # newest entry wanted


class GetDiagnosticsResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetDiagnosticsRequest."""

    file_name: CiString255 | None = None  # absent if nothing to upload


class UpdateFirmwareRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask for download and installation of firmware (unsigned). Central system to charge point."""

    location: UriString  # download URL
    retrieve_date: DateTimeString  # not before
    retries: int | None = None  # download retries
    retry_interval: int | None = None  # s


class UpdateFirmwareResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to UpdateFirmwareRequest."""
