"""The actions of OCPP 2.1: who may call them and which objects they carry."""

from schemas.action import Action
from schemas.ocpp21.authorization import (
    AuthorizeRequest,
    AuthorizeResponse,
    ClearCacheResponse,
    NotifySettlementRequest,
    NotifySettlementResponse,
    NotifyWebPaymentStartedRequest,
    NotifyWebPaymentStartedResponse,
    VatNumberValidationRequest,
    VatNumberValidationResponse,
)
from schemas.ocpp21.availability import ChangeAvailabilityRequest, ChangeAvailabilityResponse, StatusNotificationRequest
from schemas.ocpp21.battery_swap import (
    BatterySwapRequest,
    BatterySwapResponse,
    RequestBatterySwapRequest,
    RequestBatterySwapResponse,
)
from schemas.ocpp21.bidirectional import (
    AFRRSignalRequest,
    AFRRSignalResponse,
    NotifyAllowedEnergyTransferRequest,
    NotifyAllowedEnergyTransferResponse,
)
from schemas.ocpp21.certificate_management import (
    DeleteCertificateResponse,
    Get15118EVCertificateRequest,
    Get15118EVCertificateResponse,
    GetCertificateChainStatusRequest,
    GetCertificateChainStatusResponse,
    GetCertificateStatusRequest,
    GetCertificateStatusResponse,
    GetInstalledCertificateIdsRequest,
    GetInstalledCertificateIdsResponse,
    InstallCertificateRequest,
    InstallCertificateResponse,
)
from schemas.ocpp21.data_transfer import DataTransferResponse
from schemas.ocpp21.der_control import (
    ClearDERControlRequest,
    ClearDERControlResponse,
    GetDERControlRequest,
    GetDERControlResponse,
    NotifyDERAlarmRequest,
    NotifyDERAlarmResponse,
    NotifyDERStartStopRequest,
    NotifyDERStartStopResponse,
    ReportDERControlRequest,
    ReportDERControlResponse,
    SetDERControlRequest,
    SetDERControlResponse,
)
from schemas.ocpp21.diagnostics import (
    ClearVariableMonitoringRequest,
    ClearVariableMonitoringResponse,
    CustomerInformationRequest,
    CustomerInformationResponse,
    GetLogRequest,
    GetLogResponse,
    GetMonitoringReportRequest,
    GetMonitoringReportResponse,
    LogStatusNotificationRequest,
    NotifyCustomerInformationRequest,
    NotifyEventRequest,
    NotifyMonitoringReportRequest,
    SetMonitoringBaseResponse,
    SetMonitoringLevelRequest,
    SetMonitoringLevelResponse,
    SetVariableMonitoringRequest,
    SetVariableMonitoringResponse,
)
from schemas.ocpp21.display_message import (
    ClearDisplayMessageRequest,
    ClearDisplayMessageResponse,
    GetDisplayMessagesRequest,
    GetDisplayMessagesResponse,
    NotifyDisplayMessagesRequest,
    SetDisplayMessageRequest,
    SetDisplayMessageResponse,
)
from schemas.ocpp21.event_stream import (
    AdjustPeriodicEventStreamRequest,
    AdjustPeriodicEventStreamResponse,
    ClosePeriodicEventStreamRequest,
    ClosePeriodicEventStreamResponse,
    GetPeriodicEventStreamRequest,
    GetPeriodicEventStreamResponse,
    NotifyPeriodicEventStreamRequest,
    OpenPeriodicEventStreamRequest,
    OpenPeriodicEventStreamResponse,
)
from schemas.ocpp21.firmware_management import (
    FirmwareStatusNotificationRequest,
    PublishFirmwareRequest,
    PublishFirmwareResponse,
    PublishFirmwareStatusNotificationRequest,
    UpdateFirmwareRequest,
    UpdateFirmwareResponse,
)
from schemas.ocpp21.local_auth_list import SendLocalListRequest, SendLocalListResponse
from schemas.ocpp21.meter_values import MeterValuesRequest
from schemas.ocpp21.provisioning import (
    BootNotificationResponse,
    GetBaseReportResponse,
    GetReportRequest,
    GetReportResponse,
    GetVariablesRequest,
    GetVariablesResponse,
    NotifyReportRequest,
    ResetRequest,
    ResetResponse,
    SetNetworkProfileRequest,
    SetNetworkProfileResponse,
    SetVariablesRequest,
    SetVariablesResponse,
)
from schemas.ocpp21.remote_control import (
    RequestStartTransactionRequest,
    RequestStartTransactionResponse,
    RequestStopTransactionResponse,
    TriggerMessageRequest,
    TriggerMessageResponse,
    UnlockConnectorRequest,
    UnlockConnectorResponse,
)
from schemas.ocpp21.reservation import (
    CancelReservationRequest,
    CancelReservationResponse,
    ReservationStatusUpdateRequest,
    ReserveNowRequest,
    ReserveNowResponse,
)
from schemas.ocpp21.security import (
    CertificateSignedRequest,
    CertificateSignedResponse,
    SignCertificateRequest,
    SignCertificateResponse,
)
from schemas.ocpp21.smart_charging import (
    ClearChargingProfileRequest,
    ClearChargingProfileResponse,
    ClearedChargingLimitRequest,
    GetChargingProfilesRequest,
    GetChargingProfilesResponse,
    GetCompositeScheduleRequest,
    GetCompositeScheduleResponse,
    NotifyChargingLimitRequest,
    NotifyEVChargingNeedsRequest,
    NotifyEVChargingNeedsResponse,
    NotifyEVChargingScheduleRequest,
    NotifyEVChargingScheduleResponse,
    NotifyPriorityChargingRequest,
    NotifyPriorityChargingResponse,
    PullDynamicScheduleUpdateRequest,
    PullDynamicScheduleUpdateResponse,
    ReportChargingProfilesRequest,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
    UpdateDynamicScheduleRequest,
    UpdateDynamicScheduleResponse,
    UsePriorityChargingRequest,
    UsePriorityChargingResponse,
)
from schemas.ocpp21.tariff_cost import (
    ChangeTransactionTariffRequest,
    ChangeTransactionTariffResponse,
    ClearTariffsRequest,
    ClearTariffsResponse,
    GetTariffsRequest,
    GetTariffsResponse,
    SetDefaultTariffRequest,
    SetDefaultTariffResponse,
)
from schemas.ocpp21.transactions import TransactionEventRequest, TransactionEventResponse
from schemas.ocpp201.authorization import ClearCacheRequest
from schemas.ocpp201.availability import HeartbeatRequest, HeartbeatResponse, StatusNotificationResponse
from schemas.ocpp201.certificate_management import DeleteCertificateRequest
from schemas.ocpp201.data_transfer import DataTransferRequest
from schemas.ocpp201.diagnostics import (
    LogStatusNotificationResponse,
    NotifyCustomerInformationResponse,
    NotifyEventResponse,
    NotifyMonitoringReportResponse,
    SetMonitoringBaseRequest,
)
from schemas.ocpp201.display_message import NotifyDisplayMessagesResponse
from schemas.ocpp201.firmware_management import (
    FirmwareStatusNotificationResponse,
    PublishFirmwareStatusNotificationResponse,
    UnpublishFirmwareRequest,
    UnpublishFirmwareResponse,
)
from schemas.ocpp201.local_auth_list import GetLocalListVersionRequest, GetLocalListVersionResponse
from schemas.ocpp201.meter_values import MeterValuesResponse
from schemas.ocpp201.provisioning import BootNotificationRequest, GetBaseReportRequest, NotifyReportResponse
from schemas.ocpp201.remote_control import RequestStopTransactionRequest
from schemas.ocpp201.reservation import ReservationStatusUpdateResponse
from schemas.ocpp201.security import SecurityEventNotificationRequest, SecurityEventNotificationResponse
from schemas.ocpp201.smart_charging import ClearedChargingLimitResponse, NotifyChargingLimitResponse, ReportChargingProfilesResponse
from schemas.ocpp201.tariff_cost import CostUpdatedRequest, CostUpdatedResponse
from schemas.ocpp201.transactions import GetTransactionStatusRequest, GetTransactionStatusResponse

_ROWS = (
    Action("CertificateSigned", CertificateSignedRequest, CertificateSignedResponse, from_csms=True),
    Action("SecurityEventNotification", SecurityEventNotificationRequest, SecurityEventNotificationResponse, from_station=True),
    Action("SignCertificate", SignCertificateRequest, SignCertificateResponse, from_station=True),
    Action("BootNotification", BootNotificationRequest, BootNotificationResponse, from_station=True),
    Action("GetBaseReport", GetBaseReportRequest, GetBaseReportResponse, from_csms=True),
    Action("GetReport", GetReportRequest, GetReportResponse, from_csms=True),
    Action("GetVariables", GetVariablesRequest, GetVariablesResponse, from_csms=True),
    Action("NotifyReport", NotifyReportRequest, NotifyReportResponse, from_station=True),
    Action("Reset", ResetRequest, ResetResponse, from_csms=True),
    Action("SetNetworkProfile", SetNetworkProfileRequest, SetNetworkProfileResponse, from_csms=True),
    Action("SetVariables", SetVariablesRequest, SetVariablesResponse, from_csms=True),
    Action("Authorize", AuthorizeRequest, AuthorizeResponse, from_station=True),
    Action("ClearCache", ClearCacheRequest, ClearCacheResponse, from_csms=True),
    Action("NotifySettlement", NotifySettlementRequest, NotifySettlementResponse, from_station=True),
    Action("NotifyWebPaymentStarted", NotifyWebPaymentStartedRequest, NotifyWebPaymentStartedResponse, from_csms=True),
    Action("VatNumberValidation", VatNumberValidationRequest, VatNumberValidationResponse, from_station=True),
    Action("GetLocalListVersion", GetLocalListVersionRequest, GetLocalListVersionResponse, from_csms=True),
    Action("SendLocalList", SendLocalListRequest, SendLocalListResponse, from_csms=True),
    Action("GetTransactionStatus", GetTransactionStatusRequest, GetTransactionStatusResponse, from_csms=True),
    Action("TransactionEvent", TransactionEventRequest, TransactionEventResponse, from_station=True, billing=True),
    Action("RequestStartTransaction", RequestStartTransactionRequest, RequestStartTransactionResponse, from_csms=True),
    Action("RequestStopTransaction", RequestStopTransactionRequest, RequestStopTransactionResponse, from_csms=True),
    Action("TriggerMessage", TriggerMessageRequest, TriggerMessageResponse, from_csms=True),
    Action("UnlockConnector", UnlockConnectorRequest, UnlockConnectorResponse, from_csms=True),
    Action("ChangeAvailability", ChangeAvailabilityRequest, ChangeAvailabilityResponse, from_csms=True),
    Action("Heartbeat", HeartbeatRequest, HeartbeatResponse, from_station=True),
    Action("StatusNotification", StatusNotificationRequest, StatusNotificationResponse, from_station=True),
    Action("CancelReservation", CancelReservationRequest, CancelReservationResponse, from_csms=True),
    Action("ReservationStatusUpdate", ReservationStatusUpdateRequest, ReservationStatusUpdateResponse, from_station=True),
    Action("ReserveNow", ReserveNowRequest, ReserveNowResponse, from_csms=True),
    Action("CostUpdated", CostUpdatedRequest, CostUpdatedResponse, from_csms=True),
    Action("ChangeTransactionTariff", ChangeTransactionTariffRequest, ChangeTransactionTariffResponse, from_csms=True),
    Action("ClearTariffs", ClearTariffsRequest, ClearTariffsResponse, from_csms=True),
    Action("GetTariffs", GetTariffsRequest, GetTariffsResponse, from_csms=True),
    Action("SetDefaultTariff", SetDefaultTariffRequest, SetDefaultTariffResponse, from_csms=True),
    Action("MeterValues", MeterValuesRequest, MeterValuesResponse, from_station=True, billing=True),
    Action("ClearChargingProfile", ClearChargingProfileRequest, ClearChargingProfileResponse, from_csms=True),
    Action("ClearedChargingLimit", ClearedChargingLimitRequest, ClearedChargingLimitResponse, from_station=True),
    Action("GetChargingProfiles", GetChargingProfilesRequest, GetChargingProfilesResponse, from_csms=True),
    Action("GetCompositeSchedule", GetCompositeScheduleRequest, GetCompositeScheduleResponse, from_csms=True),
    Action("NotifyChargingLimit", NotifyChargingLimitRequest, NotifyChargingLimitResponse, from_station=True),
    Action("NotifyEVChargingNeeds", NotifyEVChargingNeedsRequest, NotifyEVChargingNeedsResponse, from_station=True),
    Action("NotifyEVChargingSchedule", NotifyEVChargingScheduleRequest, NotifyEVChargingScheduleResponse, from_station=True),
    Action("ReportChargingProfiles", ReportChargingProfilesRequest, ReportChargingProfilesResponse, from_station=True),
    Action("SetChargingProfile", SetChargingProfileRequest, SetChargingProfileResponse, from_csms=True),
    Action("NotifyPriorityCharging", NotifyPriorityChargingRequest, NotifyPriorityChargingResponse, from_station=True),
    Action("PullDynamicScheduleUpdate", PullDynamicScheduleUpdateRequest, PullDynamicScheduleUpdateResponse, from_station=True),
    Action("UpdateDynamicSchedule", UpdateDynamicScheduleRequest, UpdateDynamicScheduleResponse, from_csms=True),
    Action("UsePriorityCharging", UsePriorityChargingRequest, UsePriorityChargingResponse, from_csms=True),
    Action("FirmwareStatusNotification", FirmwareStatusNotificationRequest, FirmwareStatusNotificationResponse, from_station=True),
    Action("PublishFirmware", PublishFirmwareRequest, PublishFirmwareResponse, from_csms=True),
    Action(
        "PublishFirmwareStatusNotification",
        PublishFirmwareStatusNotificationRequest,
        PublishFirmwareStatusNotificationResponse,
        from_station=True,
    ),
    Action("UnpublishFirmware", UnpublishFirmwareRequest, UnpublishFirmwareResponse, from_csms=True),
    Action("UpdateFirmware", UpdateFirmwareRequest, UpdateFirmwareResponse, from_csms=True),
    Action("DeleteCertificate", DeleteCertificateRequest, DeleteCertificateResponse, from_csms=True),
    Action("Get15118EVCertificate", Get15118EVCertificateRequest, Get15118EVCertificateResponse, from_station=True),
    Action("GetCertificateStatus", GetCertificateStatusRequest, GetCertificateStatusResponse, from_station=True),
    Action("GetInstalledCertificateIds", GetInstalledCertificateIdsRequest, GetInstalledCertificateIdsResponse, from_csms=True),
    Action("InstallCertificate", InstallCertificateRequest, InstallCertificateResponse, from_csms=True),
    Action("GetCertificateChainStatus", GetCertificateChainStatusRequest, GetCertificateChainStatusResponse, from_station=True),
    Action("ClearVariableMonitoring", ClearVariableMonitoringRequest, ClearVariableMonitoringResponse, from_csms=True),
    Action("CustomerInformation", CustomerInformationRequest, CustomerInformationResponse, from_csms=True),
    Action("GetLog", GetLogRequest, GetLogResponse, from_csms=True),
    Action("GetMonitoringReport", GetMonitoringReportRequest, GetMonitoringReportResponse, from_csms=True),
    Action("LogStatusNotification", LogStatusNotificationRequest, LogStatusNotificationResponse, from_station=True),
    Action("NotifyCustomerInformation", NotifyCustomerInformationRequest, NotifyCustomerInformationResponse, from_station=True),
    Action("NotifyEvent", NotifyEventRequest, NotifyEventResponse, from_station=True),
    Action("NotifyMonitoringReport", NotifyMonitoringReportRequest, NotifyMonitoringReportResponse, from_station=True),
    Action("SetMonitoringBase", SetMonitoringBaseRequest, SetMonitoringBaseResponse, from_csms=True),
    Action("SetMonitoringLevel", SetMonitoringLevelRequest, SetMonitoringLevelResponse, from_csms=True),
    Action("SetVariableMonitoring", SetVariableMonitoringRequest, SetVariableMonitoringResponse, from_csms=True),
    Action("AdjustPeriodicEventStream", AdjustPeriodicEventStreamRequest, AdjustPeriodicEventStreamResponse, from_csms=True),
    Action("ClosePeriodicEventStream", ClosePeriodicEventStreamRequest, ClosePeriodicEventStreamResponse, from_station=True),
    Action("GetPeriodicEventStream", GetPeriodicEventStreamRequest, GetPeriodicEventStreamResponse, from_csms=True),
    Action("NotifyPeriodicEventStream", NotifyPeriodicEventStreamRequest, None, from_station=True, send=True),
    Action("OpenPeriodicEventStream", OpenPeriodicEventStreamRequest, OpenPeriodicEventStreamResponse, from_station=True),
    Action("ClearDisplayMessage", ClearDisplayMessageRequest, ClearDisplayMessageResponse, from_csms=True),
    Action("GetDisplayMessages", GetDisplayMessagesRequest, GetDisplayMessagesResponse, from_csms=True),
    Action("NotifyDisplayMessages", NotifyDisplayMessagesRequest, NotifyDisplayMessagesResponse, from_station=True),
    Action("SetDisplayMessage", SetDisplayMessageRequest, SetDisplayMessageResponse, from_csms=True),
    Action("DataTransfer", DataTransferRequest, DataTransferResponse, from_station=True, from_csms=True),
    Action("AFRRSignal", AFRRSignalRequest, AFRRSignalResponse, from_csms=True),
    Action("NotifyAllowedEnergyTransfer", NotifyAllowedEnergyTransferRequest, NotifyAllowedEnergyTransferResponse, from_csms=True),
    Action("ClearDERControl", ClearDERControlRequest, ClearDERControlResponse, from_csms=True),
    Action("GetDERControl", GetDERControlRequest, GetDERControlResponse, from_csms=True),
    Action("NotifyDERAlarm", NotifyDERAlarmRequest, NotifyDERAlarmResponse, from_station=True),
    Action("NotifyDERStartStop", NotifyDERStartStopRequest, NotifyDERStartStopResponse, from_station=True),
    Action("ReportDERControl", ReportDERControlRequest, ReportDERControlResponse, from_station=True),
    Action("SetDERControl", SetDERControlRequest, SetDERControlResponse, from_csms=True),
    Action("BatterySwap", BatterySwapRequest, BatterySwapResponse, from_station=True),
    Action("RequestBatterySwap", RequestBatterySwapRequest, RequestBatterySwapResponse, from_csms=True),
)


ACTIONS: dict[str, Action] = {row.name: row for row in _ROWS}
