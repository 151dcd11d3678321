"""One valid message per action a station may call."""

from __future__ import annotations

from typing import Any

OCPP16: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "DEADBEEF"},
    "BootNotification": {"chargePointVendor": "Acme", "chargePointModel": "Box"},
    "DataTransfer": {"vendorId": "com.example", "messageId": "m", "data": "{}"},
    "DiagnosticsStatusNotification": {"status": "Uploading"},
    "FirmwareStatusNotification": {"status": "Downloading"},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Uploaded", "requestId": 4},
    "MeterValues": {
        "connectorId": 1,
        "transactionId": 77,
        "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": "12.5"}]}],
    },
    "SecurityEventNotification": {"type": "TamperDetectionActivated", "timestamp": "2025-06-01T12:00:00Z"},
    "SignCertificate": {"csr": "-----BEGIN CERTIFICATE REQUEST-----"},
    "SignedFirmwareStatusNotification": {"status": "Installed", "requestId": 9},
    "StartTransaction": {
        "connectorId": 2,
        "idTag": "DEADBEEF",
        "meterStart": 1000,
        "timestamp": "2025-06-01T12:00:00Z",
        "reservationId": 8,
    },
    "StatusNotification": {
        "connectorId": 2,
        "errorCode": "OtherError",
        "status": "Charging",
        "info": "i",
        "timestamp": "2025-06-01T12:00:00Z",
        "vendorId": "v",
        "vendorErrorCode": "E1",
    },
    "StopTransaction": {
        "transactionId": 77,
        "idTag": "DEADBEEF",
        "meterStop": 2000,
        "timestamp": "2025-06-01T13:00:00Z",
        "reason": "Remote",
    },
}

OCPP201: dict[str, dict[str, Any]] = {
    "Authorize": {"idToken": {"idToken": "DEADBEEF", "type": "ISO14443"}},
    "BootNotification": {"reason": "PowerUp", "chargingStation": {"model": "Box", "vendorName": "Acme"}},
    "ClearedChargingLimit": {"chargingLimitSource": "EMS", "evseId": 1},
    "DataTransfer": {"vendorId": "com.example", "data": {"a": [1, 2.5]}},
    "FirmwareStatusNotification": {"status": "Downloading", "requestId": 3},
    "Get15118EVCertificate": {
        "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
        "action": "Install",
        "exiRequest": "gJgCAA==",
    },
    "GetCertificateStatus": {
        "ocspRequestData": {
            "hashAlgorithm": "SHA256",
            "issuerNameHash": "0a",
            "issuerKeyHash": "0b",
            "serialNumber": "0c",
            "responderURL": "https://ocsp.example.org/",
        }
    },
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Uploaded", "requestId": 4},
    "MeterValues": {
        "evseId": 2,
        "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": 12.5}]}],
    },
    "NotifyChargingLimit": {"chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}, "evseId": 1},
    "NotifyCustomerInformation": {
        "data": "nothing is known",
        "seqNo": 0,
        "generatedAt": "2025-06-01T12:00:00Z",
        "requestId": 21,
    },
    "NotifyDisplayMessages": {
        "requestId": 22,
        "tbc": True,
        "messageInfo": [{"id": 1, "priority": "AlwaysFront", "message": {"format": "UTF8", "content": "Hello", "language": "en"}}],
    },
    "NotifyEVChargingNeeds": {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}},
    "NotifyEVChargingSchedule": {
        "evseId": 1,
        "timeBase": "2025-06-01T12:00:00Z",
        "chargingSchedule": {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]},
    },
    "NotifyEvent": {
        "generatedAt": "2025-06-01T12:00:00Z",
        "seqNo": 0,
        "eventData": [
            {
                "eventId": 1,
                "timestamp": "2025-06-01T11:59:59Z",
                "trigger": "Alerting",
                "actualValue": "true",
                "component": {"name": "ChargingStation"},
                "eventNotificationType": "HardWiredNotification",
                "variable": {"name": "Problem"},
            }
        ],
    },
    "NotifyMonitoringReport": {
        "requestId": 23,
        "seqNo": 0,
        "generatedAt": "2025-06-01T12:00:00Z",
        "monitor": [
            {
                "component": {"name": "EVSE"},
                "variable": {"name": "Power"},
                "variableMonitoring": [{"id": 1, "transaction": False, "value": 1, "type": "UpperThreshold", "severity": 5}],
            }
        ],
    },
    "NotifyReport": {
        "requestId": 6,
        "generatedAt": "2025-06-01T12:00:00Z",
        "seqNo": 1,
        "tbc": True,
        "reportData": [
            {
                "component": {"name": "EVSE", "instance": "left", "evse": {"id": 1, "connectorId": 2}},
                "variable": {"name": "Power", "instance": "x"},
                "variableAttribute": [
                    {"value": "11000", "mutability": "ReadOnly", "persistent": True, "constant": False},
                    {"type": "MaxSet", "value": "22000"},
                ],
                "variableCharacteristics": {"dataType": "decimal", "supportsMonitoring": True, "maxLimit": 22000.0},
            },
            {
                "component": {"name": "OCPPCommCtrlr"},
                "variable": {"name": "HeartbeatInterval"},
                "variableAttribute": [{"value": "60"}],
            },
        ],
    },
    "PublishFirmwareStatusNotification": {"status": "Published", "location": ["https://lc.local/fw"], "requestId": 24},
    "ReportChargingProfiles": {
        "requestId": 25,
        "chargingLimitSource": "CSO",
        "evseId": 1,
        "chargingProfile": [
            {
                "id": 9,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": [
                    {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]}
                ],
            }
        ],
    },
    "ReservationStatusUpdate": {"reservationId": 26, "reservationUpdateStatus": "Expired"},
    "SecurityEventNotification": {"type": "TamperDetectionActivated", "timestamp": "2025-06-01T12:00:00Z"},
    "SignCertificate": {"csr": "-----BEGIN CERTIFICATE REQUEST-----", "certificateType": "ChargingStationCertificate"},
    "StatusNotification": {
        "timestamp": "2025-06-01T12:00:00Z",
        "connectorStatus": "Occupied",
        "evseId": 2,
        "connectorId": 1,
    },
    "TransactionEvent": {
        "eventType": "Started",
        "timestamp": "2025-06-01T12:00:00Z",
        "triggerReason": "RemoteStart",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging", "remoteStartId": 12},
        "evse": {"id": 2, "connectorId": 1},
        "idToken": {"idToken": "DEADBEEF", "type": "ISO14443"},
        "reservationId": 8,
        "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": 12.5}]}],
    },
}

_HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "0a", "issuerKeyHash": "0b", "serialNumber": "0c"}

OCPP21: dict[str, dict[str, Any]] = dict(
    sorted(
        {
            **OCPP201,
            "NotifyMonitoringReport": {"requestId": 23, "seqNo": 0, "generatedAt": "2025-06-01T12:00:00Z"},
            "BatterySwap": {
                "batteryData": [{"evseId": 1, "serialNumber": "B1", "soC": 80, "soH": 99}],
                "eventType": "BatteryIn",
                "idToken": {"idToken": "DEADBEEF", "type": "ISO14443"},
                "requestId": 31,
            },
            "ClosePeriodicEventStream": {"id": 7},
            "GetCertificateChainStatus": {
                "certificateStatusRequests": [
                    {"certificateHashData": _HASH, "source": "OCSP", "urls": ["https://ocsp.example.org/"]},
                    {"certificateHashData": _HASH | {"serialNumber": "0d"}, "source": "CRL", "urls": ["https://crl.example.org/"]},
                ]
            },
            "NotifyDERAlarm": {"controlType": "FreqDroop", "timestamp": "2025-06-01T12:00:00Z", "alarmEnded": True},
            "NotifyDERStartStop": {"controlId": "der-1", "started": True, "timestamp": "2025-06-01T12:00:00Z"},
            "NotifyPriorityCharging": {"transactionId": "tx-1", "activated": True},
            "NotifySettlement": {
                "pspRef": "psp-1",
                "status": "Settled",
                "settlementAmount": 12.34,
                "settlementTime": "2025-06-01T12:00:00Z",
            },
            "OpenPeriodicEventStream": {
                "constantStreamData": {"id": 7, "params": {"interval": 1, "values": 10}, "variableMonitoringId": 3}
            },
            "PullDynamicScheduleUpdate": {"chargingProfileId": 9},
            "ReportDERControl": {
                "requestId": 32,
                "tbc": False,
                "fixedVar": [
                    {
                        "id": "der-2",
                        "isDefault": True,
                        "isSuperseded": False,
                        "fixedVar": {"priority": 1, "setpoint": 5, "unit": "PctMaxVar"},
                    }
                ],
            },
            "VatNumberValidation": {"vatNumber": "NL123456789B01", "evseId": 1},
        }.items()
    )
)

STREAM_VALUES: dict[str, Any] = {
    "id": 7,
    "pending": 0,
    "basetime": "2025-06-01T12:00:00Z",
    "data": [{"t": 0, "v": "230.1"}],
}
"""NotifyPeriodicEventStream, which goes as a SEND."""
