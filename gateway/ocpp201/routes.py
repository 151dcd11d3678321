"""The actions a 2.0.1 station may call, each with its definition and its handler."""

from __future__ import annotations

from typing import Any, Final

from gateway.common.routing import MeteredRoute, Route
from gateway.ocpp2x import (
    authorize,
    boot_notification,
    cleared_charging_limit,
    data_transfer,
    firmware_status_notification,
    get15118_ev_certificate,
    get_certificate_status,
    heartbeat,
    log_status_notification,
    meter_values,
    notify_charging_limit,
    notify_customer_information,
    notify_display_messages,
    notify_ev_charging_schedule,
    notify_event,
    notify_monitoring_report,
    notify_report,
    publish_firmware_status_notification,
    report_charging_profiles,
    reservation_status_update,
    security_event_notification,
    sign_certificate,
    status_notification,
    transaction_event,
)
from gateway.ocpp2x.metering import METERED
from gateway.ocpp201 import (
    notify_ev_charging_needs,
)
from schemas.ocpp201.authorization import (
    AuthorizeRequest,
)
from schemas.ocpp201.availability import (
    HeartbeatRequest,
    StatusNotificationRequest,
)
from schemas.ocpp201.certificate_management import (
    Get15118EVCertificateRequest,
    GetCertificateStatusRequest,
)
from schemas.ocpp201.data_transfer import (
    DataTransferRequest,
)
from schemas.ocpp201.diagnostics import (
    LogStatusNotificationRequest,
    NotifyCustomerInformationRequest,
    NotifyEventRequest,
    NotifyMonitoringReportRequest,
)
from schemas.ocpp201.display_message import (
    NotifyDisplayMessagesRequest,
)
from schemas.ocpp201.firmware_management import (
    FirmwareStatusNotificationRequest,
    PublishFirmwareStatusNotificationRequest,
)
from schemas.ocpp201.meter_values import (
    MeterValuesRequest,
)
from schemas.ocpp201.provisioning import (
    BootNotificationRequest,
    NotifyReportRequest,
)
from schemas.ocpp201.reservation import (
    ReservationStatusUpdateRequest,
)
from schemas.ocpp201.security import (
    SecurityEventNotificationRequest,
    SignCertificateRequest,
)
from schemas.ocpp201.smart_charging import (
    ClearedChargingLimitRequest,
    NotifyChargingLimitRequest,
    NotifyEVChargingNeedsRequest,
    NotifyEVChargingScheduleRequest,
    ReportChargingProfilesRequest,
)
from schemas.ocpp201.transactions import (
    TransactionEventRequest,
)

ROUTES: Final[tuple[Route[Any] | MeteredRoute[Any], ...]] = (
    Route("Authorize", AuthorizeRequest, authorize.handle),
    Route("BootNotification", BootNotificationRequest, boot_notification.handle),
    Route("ClearedChargingLimit", ClearedChargingLimitRequest, cleared_charging_limit.handle),
    Route("DataTransfer", DataTransferRequest, data_transfer.handle),
    Route("FirmwareStatusNotification", FirmwareStatusNotificationRequest, firmware_status_notification.handle),
    Route("Get15118EVCertificate", Get15118EVCertificateRequest, get15118_ev_certificate.handle),
    Route("GetCertificateStatus", GetCertificateStatusRequest, get_certificate_status.handle),
    Route("Heartbeat", HeartbeatRequest, heartbeat.handle),
    Route("LogStatusNotification", LogStatusNotificationRequest, log_status_notification.handle),
    MeteredRoute("MeterValues", MeterValuesRequest, METERED, meter_values.handle),
    Route("NotifyChargingLimit", NotifyChargingLimitRequest, notify_charging_limit.handle),
    Route("NotifyCustomerInformation", NotifyCustomerInformationRequest, notify_customer_information.handle),
    Route("NotifyDisplayMessages", NotifyDisplayMessagesRequest, notify_display_messages.handle),
    Route("NotifyEVChargingNeeds", NotifyEVChargingNeedsRequest, notify_ev_charging_needs.handle),
    Route("NotifyEVChargingSchedule", NotifyEVChargingScheduleRequest, notify_ev_charging_schedule.handle),
    Route("NotifyEvent", NotifyEventRequest, notify_event.handle),
    Route("NotifyMonitoringReport", NotifyMonitoringReportRequest, notify_monitoring_report.handle),
    Route("NotifyReport", NotifyReportRequest, notify_report.handle),
    Route(
        "PublishFirmwareStatusNotification", PublishFirmwareStatusNotificationRequest, publish_firmware_status_notification.handle
    ),
    Route("ReportChargingProfiles", ReportChargingProfilesRequest, report_charging_profiles.handle),
    Route("ReservationStatusUpdate", ReservationStatusUpdateRequest, reservation_status_update.handle),
    Route("SecurityEventNotification", SecurityEventNotificationRequest, security_event_notification.handle),
    Route("SignCertificate", SignCertificateRequest, sign_certificate.handle),
    Route("StatusNotification", StatusNotificationRequest, status_notification.handle),
    MeteredRoute("TransactionEvent", TransactionEventRequest, METERED, transaction_event.handle),
)
