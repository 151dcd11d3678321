"""Enumerations of OCPP 1.6 edition 2 and its security extension, as the wire values (exact case)."""

from typing import Literal

# ConcurrentTx: token already in another transaction (only sensible in StartTransaction.conf).
AuthorizationStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
AvailabilityStatus = Literal["Accepted", "Rejected", "Scheduled"]
AvailabilityType = Literal["Inoperative", "Operative"]
CancelReservationStatus = Literal["Accepted", "Rejected"]
CertificateSignedStatusEnumType = Literal["Accepted", "Rejected"]
CertificateUseEnumType = Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"]
# With a status other than Faulted it is only a warning. EVCommunicationError only with Preparing, SuspendedEV,
# SuspendedEVSE, Finishing.
ChargePointErrorCode = Literal[
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "OverVoltage",
    "WeakSignal",
]
# Operative: all but Unavailable and Faulted. SuspendedEVSE wins when both sides pause.
ChargePointStatus = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
ChargingProfileKindType = Literal["Absolute", "Recurring", "Relative"]
ChargingProfilePurposeType = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
ChargingProfileStatus = Literal["Accepted", "Rejected", "NotSupported"]
# AC with W: phase current = W / (nominal line voltage x phases).
ChargingRateUnitType = Literal["A", "W"]
ClearCacheStatus = Literal["Accepted", "Rejected"]
ClearChargingProfileStatus = Literal["Accepted", "Unknown"]
ConfigurationStatus = Literal["Accepted", "Rejected", "RebootRequired", "NotSupported"]
DataTransferStatus = Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]
DeleteCertificateStatusEnumType = Literal["Accepted", "Failed", "NotFound"]
# Idle only in answer to a trigger.
DiagnosticsStatus = Literal["Idle", "Uploaded", "UploadFailed", "Uploading"]
# Idle only in answer to a trigger.
FirmwareStatus = Literal[
    "Downloaded",
    "DownloadFailed",
    "Downloading",
    "Idle",
    "InstallationFailed",
    "Installing",
    "Installed",
]
FirmwareStatusEnumType = Literal[
    "Downloaded",
    "DownloadFailed",
    "Downloading",
    "DownloadScheduled",
    "DownloadPaused",
    "Idle",
    "InstallationFailed",
    "Installing",
    "Installed",
    "InstallRebooting",
    "InstallScheduled",
    "InstallVerificationFailed",
    "InvalidSignature",
    "SignatureVerified",
]
GenericStatusEnumType = Literal["Accepted", "Rejected"]
GetCompositeScheduleStatus = Literal["Accepted", "Rejected"]
GetInstalledCertificateStatusEnumType = Literal["Accepted", "NotFound"]
HashAlgorithmEnumType = Literal["SHA256", "SHA384", "SHA512"]
InstallCertificateStatusEnumType = Literal["Accepted", "Failed", "Rejected"]
Location = Literal["Cable", "EV", "Inlet", "Outlet", "Body"]
LogEnumType = Literal["DiagnosticsLog", "SecurityLog"]
LogStatusEnumType = Literal["Accepted", "Rejected", "AcceptedCanceled"]
Measurand = Literal[
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval",
    "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Import.Interval",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "Power.Factor",
    "Current.Import",
    "Current.Export",
    "Current.Offered",
    "Voltage",
    "Frequency",
    "Temperature",
    "SoC",
    "RPM",
]
# No Start/StopTransaction by design.
MessageTrigger = Literal[
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
]
MessageTriggerEnumType = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargePointCertificate",
    "StatusNotification",
]
Phase = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
# Trigger: taken because of TriggerMessage.
ReadingContext = Literal[
    "Interruption.Begin",
    "Interruption.End",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
    "Other",
]
# Absent reason counts as Local.
Reason = Literal[
    "EmergencyStop",
    "EVDisconnected",
    "HardReset",
    "Local",
    "Other",
    "PowerLoss",
    "Reboot",
    "Remote",
    "SoftReset",
    "UnlockCommand",
    "DeAuthorized",
]
# Every 24 h, or every 7 days, from startSchedule.
RecurrencyKindType = Literal["Daily", "Weekly"]
RegistrationStatus = Literal["Accepted", "Pending", "Rejected"]
RemoteStartStopStatus = Literal["Accepted", "Rejected"]
ReservationStatus = Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]
ResetStatus = Literal["Accepted", "Rejected"]
# Soft: end transactions, then restart the software. Hard: restart hardware, StopTransaction may come after boot.
ResetType = Literal["Hard", "Soft"]
TriggerMessageStatus = Literal["Accepted", "Rejected", "NotImplemented"]
TriggerMessageStatusEnumType = Literal["Accepted", "Rejected", "NotImplemented"]
# The official JSON schema misspells Celsius as Celcius: both are accepted, Celsius is sent. There is no unit for
# Frequency: its readings are in hertz and carry none; stations that say Hertz all the same are understood.
UnitOfMeasure = Literal[
    "Wh",
    "kWh",
    "varh",
    "kvarh",
    "W",
    "kW",
    "VA",
    "kVA",
    "var",
    "kvar",
    "A",
    "V",
    "K",
    "Celcius",
    "Celsius",
    "Fahrenheit",
    "Percent",
    "Hertz",
]
# NotSupported also for an unknown connector.
UnlockStatus = Literal["Unlocked", "UnlockFailed", "NotSupported"]
UpdateFirmwareStatusEnumType = Literal[
    "Accepted",
    "Rejected",
    "AcceptedCanceled",
    "InvalidCertificate",
    "RevokedCertificate",
]
UpdateStatus = Literal["Accepted", "Failed", "NotSupported", "VersionMismatch"]
# Differential adds/changes entries that carry idTagInfo and deletes those without.
UpdateType = Literal["Differential", "Full"]
UploadLogStatusEnumType = Literal[
    "BadMessage",
    "Idle",
    "NotSupportedOperation",
    "PermissionDenied",
    "Uploaded",
    "UploadFailure",
    "Uploading",
]
ValueFormat = Literal["Raw", "SignedData"]
