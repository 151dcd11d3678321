"""The actions a 2.0.1 station may call, each with its definition and its handler."""

from __future__ import annotations

from typing import Any, Final

from gateway.common.routing import Route
from gateway.ocpp201 import (
    authorize,
    boot_notification,
    data_transfer,
    firmware_status_notification,
    heartbeat,
    log_status_notification,
    meter_values,
    notify_event,
    notify_report,
    security_event_notification,
    status_notification,
    transaction_event,
)
from schemas.ocpp201.authorization import AuthorizeRequest
from schemas.ocpp201.availability import HeartbeatRequest, StatusNotificationRequest
from schemas.ocpp201.data_transfer import DataTransferRequest
from schemas.ocpp201.diagnostics import LogStatusNotificationRequest, NotifyEventRequest
from schemas.ocpp201.firmware_management import FirmwareStatusNotificationRequest
from schemas.ocpp201.meter_values import MeterValuesRequest
from schemas.ocpp201.provisioning import BootNotificationRequest, NotifyReportRequest
from schemas.ocpp201.security import SecurityEventNotificationRequest
from schemas.ocpp201.transactions import TransactionEventRequest

ROUTES: Final[tuple[Route[Any], ...]] = (
    Route("Authorize", AuthorizeRequest, authorize.handle),
    Route("BootNotification", BootNotificationRequest, boot_notification.handle),
    Route("DataTransfer", DataTransferRequest, data_transfer.handle),
    Route("FirmwareStatusNotification", FirmwareStatusNotificationRequest, firmware_status_notification.handle),
    Route("Heartbeat", HeartbeatRequest, heartbeat.handle),
    Route("LogStatusNotification", LogStatusNotificationRequest, log_status_notification.handle),
    Route("MeterValues", MeterValuesRequest, meter_values.handle),
    Route("NotifyEvent", NotifyEventRequest, notify_event.handle),
    Route("NotifyReport", NotifyReportRequest, notify_report.handle),
    Route("SecurityEventNotification", SecurityEventNotificationRequest, security_event_notification.handle),
    Route("StatusNotification", StatusNotificationRequest, status_notification.handle),
    Route("TransactionEvent", TransactionEventRequest, transaction_event.handle),
)
