"""The actions a 1.6 charge point may call, each with its definition and its handler."""

from __future__ import annotations

from typing import Any, Final

from gateway.common.routing import MeteredRoute, Route
from gateway.ocpp16 import (
    authorize,
    boot_notification,
    data_transfer,
    diagnostics_status_notification,
    firmware_status_notification,
    heartbeat,
    log_status_notification,
    meter_values,
    security_event_notification,
    sign_certificate,
    signed_firmware_status_notification,
    start_transaction,
    status_notification,
    stop_transaction,
)
from gateway.ocpp16.metering import METERED
from schemas.ocpp16.core import (
    AuthorizeRequest,
    BootNotificationRequest,
    DataTransferRequest,
    HeartbeatRequest,
    MeterValuesRequest,
    StartTransactionRequest,
    StatusNotificationRequest,
    StopTransactionRequest,
)
from schemas.ocpp16.firmware_management import DiagnosticsStatusNotificationRequest, FirmwareStatusNotificationRequest
from schemas.ocpp16.security import (
    LogStatusNotificationRequest,
    SecurityEventNotificationRequest,
    SignCertificateRequest,
    SignedFirmwareStatusNotificationRequest,
)

ROUTES: Final[tuple[Route[Any] | MeteredRoute[Any], ...]] = (
    Route("Authorize", AuthorizeRequest, authorize.handle),
    Route("BootNotification", BootNotificationRequest, boot_notification.handle),
    Route("DataTransfer", DataTransferRequest, data_transfer.handle),
    Route("DiagnosticsStatusNotification", DiagnosticsStatusNotificationRequest, diagnostics_status_notification.handle),
    Route("FirmwareStatusNotification", FirmwareStatusNotificationRequest, firmware_status_notification.handle),
    Route("Heartbeat", HeartbeatRequest, heartbeat.handle),
    Route("LogStatusNotification", LogStatusNotificationRequest, log_status_notification.handle),
    MeteredRoute("MeterValues", MeterValuesRequest, METERED, meter_values.handle),
    Route("SecurityEventNotification", SecurityEventNotificationRequest, security_event_notification.handle),
    Route("SignCertificate", SignCertificateRequest, sign_certificate.handle),
    Route(
        "SignedFirmwareStatusNotification",
        SignedFirmwareStatusNotificationRequest,
        signed_firmware_status_notification.handle,
    ),
    Route("StartTransaction", StartTransactionRequest, start_transaction.handle),
    Route("StatusNotification", StatusNotificationRequest, status_notification.handle),
    Route("StopTransaction", StopTransactionRequest, stop_transaction.handle),
)
