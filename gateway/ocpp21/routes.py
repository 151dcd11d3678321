"""The actions a 2.1 station may call, each with its definition and its handler."""

from __future__ import annotations

from typing import Any, Final

from gateway.common.routing import MeteredRoute, Route, SendRoute
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
from gateway.ocpp21 import (
    battery_swap,
    close_periodic_event_stream,
    get_certificate_chain_status,
    notify_der_alarm,
    notify_der_start_stop,
    notify_ev_charging_needs,
    notify_periodic_event_stream,
    notify_priority_charging,
    notify_settlement,
    open_periodic_event_stream,
    pull_dynamic_schedule_update,
    report_der_control,
    vat_number_validation,
)
from schemas.ocpp21.authorization import (
    AuthorizeRequest,
    NotifySettlementRequest,
    VatNumberValidationRequest,
)
from schemas.ocpp21.availability import (
    StatusNotificationRequest,
)
from schemas.ocpp21.battery_swap import (
    BatterySwapRequest,
)
from schemas.ocpp21.certificate_management import (
    Get15118EVCertificateRequest,
    GetCertificateChainStatusRequest,
    GetCertificateStatusRequest,
)
from schemas.ocpp21.der_control import (
    NotifyDERAlarmRequest,
    NotifyDERStartStopRequest,
    ReportDERControlRequest,
)
from schemas.ocpp21.diagnostics import (
    LogStatusNotificationRequest,
    NotifyCustomerInformationRequest,
    NotifyEventRequest,
    NotifyMonitoringReportRequest,
)
from schemas.ocpp21.display_message import (
    NotifyDisplayMessagesRequest,
)
from schemas.ocpp21.event_stream import (
    ClosePeriodicEventStreamRequest,
    NotifyPeriodicEventStreamRequest,
    OpenPeriodicEventStreamRequest,
)
from schemas.ocpp21.firmware_management import (
    FirmwareStatusNotificationRequest,
    PublishFirmwareStatusNotificationRequest,
)
from schemas.ocpp21.meter_values import (
    MeterValuesRequest,
)
from schemas.ocpp21.provisioning import (
    NotifyReportRequest,
)
from schemas.ocpp21.reservation import (
    ReservationStatusUpdateRequest,
)
from schemas.ocpp21.security import (
    SignCertificateRequest,
)
from schemas.ocpp21.smart_charging import (
    ClearedChargingLimitRequest,
    NotifyChargingLimitRequest,
    NotifyEVChargingNeedsRequest,
    NotifyEVChargingScheduleRequest,
    NotifyPriorityChargingRequest,
    PullDynamicScheduleUpdateRequest,
    ReportChargingProfilesRequest,
)
from schemas.ocpp21.transactions import (
    TransactionEventRequest,
)
from schemas.ocpp201.availability import (
    HeartbeatRequest,
)
from schemas.ocpp201.data_transfer import (
    DataTransferRequest,
)
from schemas.ocpp201.provisioning import (
    BootNotificationRequest,
)
from schemas.ocpp201.security import (
    SecurityEventNotificationRequest,
)

ROUTES: Final[tuple[Route[Any] | MeteredRoute[Any], ...]] = (
    Route("Authorize", AuthorizeRequest, authorize.handle),
    Route("BatterySwap", BatterySwapRequest, battery_swap.handle),
    Route("BootNotification", BootNotificationRequest, boot_notification.handle),
    Route("ClearedChargingLimit", ClearedChargingLimitRequest, cleared_charging_limit.handle),
    Route("ClosePeriodicEventStream", ClosePeriodicEventStreamRequest, close_periodic_event_stream.handle),
    Route("DataTransfer", DataTransferRequest, data_transfer.handle),
    Route("FirmwareStatusNotification", FirmwareStatusNotificationRequest, firmware_status_notification.handle),
    Route("Get15118EVCertificate", Get15118EVCertificateRequest, get15118_ev_certificate.handle),
    Route("GetCertificateChainStatus", GetCertificateChainStatusRequest, get_certificate_chain_status.handle),
    Route("GetCertificateStatus", GetCertificateStatusRequest, get_certificate_status.handle),
    Route("Heartbeat", HeartbeatRequest, heartbeat.handle),
    Route("LogStatusNotification", LogStatusNotificationRequest, log_status_notification.handle),
    MeteredRoute("MeterValues", MeterValuesRequest, METERED, meter_values.handle),
    Route("NotifyChargingLimit", NotifyChargingLimitRequest, notify_charging_limit.handle),
    Route("NotifyCustomerInformation", NotifyCustomerInformationRequest, notify_customer_information.handle),
    Route("NotifyDERAlarm", NotifyDERAlarmRequest, notify_der_alarm.handle),
    Route("NotifyDERStartStop", NotifyDERStartStopRequest, notify_der_start_stop.handle),
    Route("NotifyDisplayMessages", NotifyDisplayMessagesRequest, notify_display_messages.handle),
    Route("NotifyEVChargingNeeds", NotifyEVChargingNeedsRequest, notify_ev_charging_needs.handle),
    Route("NotifyEVChargingSchedule", NotifyEVChargingScheduleRequest, notify_ev_charging_schedule.handle),
    Route("NotifyEvent", NotifyEventRequest, notify_event.handle),
    Route("NotifyMonitoringReport", NotifyMonitoringReportRequest, notify_monitoring_report.handle),
    Route("NotifyPriorityCharging", NotifyPriorityChargingRequest, notify_priority_charging.handle),
    Route("NotifyReport", NotifyReportRequest, notify_report.handle),
    Route("NotifySettlement", NotifySettlementRequest, notify_settlement.handle),
    Route("OpenPeriodicEventStream", OpenPeriodicEventStreamRequest, open_periodic_event_stream.handle),
    Route(
        "PublishFirmwareStatusNotification", PublishFirmwareStatusNotificationRequest, publish_firmware_status_notification.handle
    ),
    Route("PullDynamicScheduleUpdate", PullDynamicScheduleUpdateRequest, pull_dynamic_schedule_update.handle),
    Route("ReportChargingProfiles", ReportChargingProfilesRequest, report_charging_profiles.handle),
    Route("ReportDERControl", ReportDERControlRequest, report_der_control.handle),
    Route("ReservationStatusUpdate", ReservationStatusUpdateRequest, reservation_status_update.handle),
    Route("SecurityEventNotification", SecurityEventNotificationRequest, security_event_notification.handle),
    Route("SignCertificate", SignCertificateRequest, sign_certificate.handle),
    Route("StatusNotification", StatusNotificationRequest, status_notification.handle),
    MeteredRoute("TransactionEvent", TransactionEventRequest, METERED, transaction_event.handle),
    Route("VatNumberValidation", VatNumberValidationRequest, vat_number_validation.handle),
)

SENDS: Final[tuple[SendRoute[Any], ...]] = (
    SendRoute("NotifyPeriodicEventStream", NotifyPeriodicEventStreamRequest, notify_periodic_event_stream.handle),
)
