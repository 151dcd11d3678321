"""OCPP 1.6 security extension (security whitepaper edition 3)."""

from typing import Annotated

from schemas.annotations import DateTimeString, Text
from schemas.ocpp16.datatypes import CertificateHashDataType, FirmwareType, LogParametersType
from schemas.ocpp16.enums import (
    CertificateSignedStatusEnumType,
    CertificateUseEnumType,
    DeleteCertificateStatusEnumType,
    FirmwareStatusEnumType,
    GenericStatusEnumType,
    GetInstalledCertificateStatusEnumType,
    InstallCertificateStatusEnumType,
    LogEnumType,
    LogStatusEnumType,
    MessageTriggerEnumType,
    TriggerMessageStatusEnumType,
    UpdateFirmwareStatusEnumType,
    UploadLogStatusEnumType,
)
from schemas.structs import ClosedObject


class CertificateSignedRequest(ClosedObject, frozen=True, kw_only=True):
    """Deliver the signed client certificate for an earlier CSR. Central system to charge point."""

    # PEM; leaf first, then sub-CAs; see CertificateSignedMaxChainSize
    certificate_chain: Annotated[str, Text(max=10000)]


class CertificateSignedResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to CertificateSignedRequest."""

    status: CertificateSignedStatusEnumType


class DeleteCertificateRequest(ClosedObject, frozen=True, kw_only=True):
    """Remove one installed CA certificate. Central system to charge point."""

    certificate_hash_data: CertificateHashDataType


class DeleteCertificateResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to DeleteCertificateRequest."""

    status: DeleteCertificateStatusEnumType


class ExtendedTriggerMessageRequest(ClosedObject, frozen=True, kw_only=True):
    """Like TriggerMessage, with the extension messages. Central system to charge point."""

    requested_message: MessageTriggerEnumType
    connector_id: int | None = None  # absent = all that apply


class ExtendedTriggerMessageResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ExtendedTriggerMessageRequest."""

    status: TriggerMessageStatusEnumType


class GetInstalledCertificateIdsRequest(ClosedObject, frozen=True, kw_only=True):
    """List hash ids of installed root certificates. Central system to charge point."""

    certificate_type: CertificateUseEnumType


class GetInstalledCertificateIdsResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetInstalledCertificateIdsRequest."""

    status: GetInstalledCertificateStatusEnumType
    certificate_hash_data: list[CertificateHashDataType] | None = None  # absent if NotFound


class GetLogRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask for upload of the diagnostics or security log. Central system to charge point."""

    log: LogParametersType
    log_type: LogEnumType
    request_id: int  # echoed in LogStatusNotification
    retries: int | None = None  # upload retries
    retry_interval: int | None = None  # s


class GetLogResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetLogRequest."""

    status: LogStatusEnumType
    filename: Annotated[str, Text(max=255)] | None = None  # name of the file to come


class InstallCertificateRequest(ClosedObject, frozen=True, kw_only=True):
    """Install a root certificate. Central system to charge point."""

    certificate_type: CertificateUseEnumType
    certificate: Annotated[str, Text(max=5500)]  # PEM


class InstallCertificateResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to InstallCertificateRequest."""

    status: InstallCertificateStatusEnumType


class LogStatusNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Progress of a log upload. Charge point to central system."""

    status: UploadLogStatusEnumType
    request_id: int | None = None  # absent only if triggered while idle


class LogStatusNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to LogStatusNotificationRequest."""


class SecurityEventNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Report a (critical) security event. Charge point to central system."""

    type: Annotated[str, Text(max=50)]  # a name from the standard's list of security events, or own
    timestamp: DateTimeString
    tech_info: Annotated[str, Text(max=255)] | None = None  # extra detail


class SecurityEventNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SecurityEventNotificationRequest."""


class SignCertificateRequest(ClosedObject, frozen=True, kw_only=True):
    """Hand in a CSR for a new client certificate. Charge point to central system."""

    csr: Annotated[str, Text(max=5500)]  # PEM PKCS#10; O = CpoName, CN = serial


class SignCertificateResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SignCertificateRequest."""

    status: GenericStatusEnumType


class SignedFirmwareStatusNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Progress of a signed firmware update. Charge point to central system."""

    status: FirmwareStatusEnumType
    request_id: int | None = None  # absent only for Idle


class SignedFirmwareStatusNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SignedFirmwareStatusNotificationRequest."""


class SignedUpdateFirmwareRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask for installation of signed firmware. Central system to charge point."""

    request_id: int  # echoed in status messages
    firmware: FirmwareType
    retries: int | None = None  # download retries
    retry_interval: int | None = None  # s


class SignedUpdateFirmwareResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to SignedUpdateFirmwareRequest."""

    status: UpdateFirmwareStatusEnumType
