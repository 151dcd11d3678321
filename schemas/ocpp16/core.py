"""OCPP 1.6 edition 2, feature profile Core."""

from typing import Annotated

from schemas.annotations import DateTimeString, Items
from schemas.ocpp16.datatypes import (
    ChargingProfile,
    CiString20,
    CiString25,
    CiString50,
    CiString255,
    CiString500,
    IdTagInfo,
    IdToken,
    KeyValue,
    MeterValue,
)
from schemas.ocpp16.enums import (
    AvailabilityStatus,
    AvailabilityType,
    ChargePointErrorCode,
    ChargePointStatus,
    ClearCacheStatus,
    ConfigurationStatus,
    DataTransferStatus,
    Reason,
    RegistrationStatus,
    RemoteStartStopStatus,
    ResetStatus,
    ResetType,
    UnlockStatus,
)
from schemas.structs import ClosedObject


class AuthorizeRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask whether a token may charge. Charge point to central system."""

    id_tag: IdToken  # token as presented


class AuthorizeResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to AuthorizeRequest."""

    id_tag_info: IdTagInfo


class BootNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Sent after every (re)boot, before anything else. Charge point to central system."""

    charge_point_vendor: CiString20
    charge_point_model: CiString20
    charge_point_serial_number: CiString25 | None = None  # serial of the charge point
    charge_box_serial_number: CiString25 | None = None  # deprecated; serial of the charge box
    firmware_version: CiString50 | None = None  # running firmware
    iccid: CiString20 | None = None  # SIM card id
    imsi: CiString20 | None = None  # SIM subscriber id
    meter_type: CiString25 | None = None  # main meter type
    meter_serial_number: CiString25 | None = None  # main meter serial


class BootNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to BootNotificationRequest."""

    status: RegistrationStatus  # Pending keeps the link open for provisioning
    current_time: DateTimeString  # central system clock, UTC advised
    interval: int  # s; Accepted: heartbeat interval, else: earliest retry (0 = charge point picks)


class ChangeAvailabilityRequest(ClosedObject, frozen=True, kw_only=True):
    """Put a connector (or all, id 0) in or out of service. Central system to charge point."""

    connector_id: int  # 0 = whole charge point
    type: AvailabilityType


class ChangeAvailabilityResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ChangeAvailabilityRequest."""

    status: AvailabilityStatus  # Scheduled while a transaction runs


class ChangeConfigurationRequest(ClosedObject, frozen=True, kw_only=True):
    """Write one configuration key. Central system to charge point."""

    key: CiString50  # key name, case-insensitive
    value: CiString500  # always text


class ChangeConfigurationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ChangeConfigurationRequest."""

    status: ConfigurationStatus


class ClearCacheRequest(ClosedObject, frozen=True, kw_only=True):
    """Empty the authorization cache. Central system to charge point."""


class ClearCacheResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ClearCacheRequest."""

    status: ClearCacheStatus


class DataTransferRequest(ClosedObject, frozen=True, kw_only=True):
    """Vendor-specific payload, either direction."""

    vendor_id: CiString255  # reverse-DNS style vendor name
    message_id: CiString50 | None = None  # vendor's message name
    data: str | None = None  # no length limit


class DataTransferResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to DataTransferRequest."""

    status: DataTransferStatus
    data: str | None = None  # text reply; absent for UnknownVendorId


class GetConfigurationRequest(ClosedObject, frozen=True, kw_only=True):
    """Read some or all configuration keys. Central system to charge point."""

    key: list[CiString50] | None = None  # absent or empty = all keys; at most GetConfigurationMaxKeys


class GetConfigurationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to GetConfigurationRequest."""

    configuration_key: list[KeyValue] | None = None  # known keys
    unknown_key: list[CiString50] | None = None  # names not recognised


class HeartbeatRequest(ClosedObject, frozen=True, kw_only=True):
    """Keep-alive and clock source. Charge point to central system."""


class HeartbeatResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to HeartbeatRequest."""

    current_time: DateTimeString  # use to set the clock


class MeterValuesRequest(ClosedObject, frozen=True, kw_only=True):
    """Sampled or clock-aligned readings of a connector or the main meter (connector 0).

    Charge point to central system.
    """

    connector_id: int  # 0 = main meter
    meter_value: Annotated[list[MeterValue], Items(min=1)]  # one entry per point in time
    transaction_id: int | None = None  # id of the transaction running at sampling time; -1 if none was ever assigned


class MeterValuesResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to MeterValuesRequest."""


class RemoteStartTransactionRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask to start charging for a token. Central system to charge point."""

    id_tag: IdToken  # becomes the token of the transaction
    connector_id: int | None = None  # absent: charge point chooses, or rejects
    charging_profile: ChargingProfile | None = None  # purpose TxProfile, without transactionId


class RemoteStartTransactionResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to RemoteStartTransactionRequest."""

    status: RemoteStartStopStatus


class RemoteStopTransactionRequest(ClosedObject, frozen=True, kw_only=True):
    """Ask to stop a running transaction. Central system to charge point."""

    transaction_id: int  # id from StartTransaction.conf


class RemoteStopTransactionResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to RemoteStopTransactionRequest."""

    status: RemoteStartStopStatus


class ResetRequest(ClosedObject, frozen=True, kw_only=True):
    """Restart the charge point. Central system to charge point."""

    type: ResetType


class ResetResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to ResetRequest."""

    status: ResetStatus


class StartTransactionRequest(ClosedObject, frozen=True, kw_only=True):
    """Report a started transaction; the answer hands out its id. Charge point to central system."""

    connector_id: int  # >0
    id_tag: IdToken  # token used
    meter_start: int  # Wh at start, integer
    timestamp: DateTimeString  # start time
    reservation_id: int | None = None  # if this start consumes a reservation


class StartTransactionResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to StartTransactionRequest."""

    id_tag_info: IdTagInfo  # verdict; re-check even if locally authorized
    transaction_id: int  # assigned by the central system; unique positive advised


class StatusNotificationRequest(ClosedObject, frozen=True, kw_only=True):
    """Status or error of a connector, or of the controller (id 0). Charge point to central system."""

    connector_id: int  # 0 = controller (Available, Unavailable, Faulted only)
    error_code: ChargePointErrorCode  # NoError if none
    status: ChargePointStatus
    info: CiString50 | None = None
    timestamp: DateTimeString | None = None  # time of the change; absent = now
    vendor_id: CiString255 | None = None  # owner of vendorErrorCode
    vendor_error_code: CiString50 | None = None


class StatusNotificationResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to StatusNotificationRequest."""


class StopTransactionRequest(ClosedObject, frozen=True, kw_only=True):
    """Report a finished transaction. Charge point to central system."""

    meter_stop: int  # Wh at end, integer
    timestamp: DateTimeString  # end time
    transaction_id: int  # as assigned; -1 if StartTransaction was never answered
    id_tag: IdToken | None = None  # token that stopped it; absent if the charge point stopped by itself
    reason: Reason | None = None  # absent = Local
    transaction_data: list[MeterValue] | None = None  # readings configured by StopTxn* keys


class StopTransactionResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to StopTransactionRequest."""

    id_tag_info: IdTagInfo | None = None  # only if idTag was in the request; for the cache


class UnlockConnectorRequest(ClosedObject, frozen=True, kw_only=True):
    """Release the cable lock of one connector. Central system to charge point."""

    connector_id: int  # >0


class UnlockConnectorResponse(ClosedObject, frozen=True, kw_only=True):
    """Answer to UnlockConnectorRequest."""

    status: UnlockStatus
