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
    "DataTransfer": {"vendorId": "com.example", "data": {"a": [1, 2.5]}},
    "FirmwareStatusNotification": {"status": "Downloading", "requestId": 3},
    "Heartbeat": {},
    "LogStatusNotification": {"status": "Uploaded", "requestId": 4},
    "MeterValues": {
        "evseId": 2,
        "meterValue": [{"timestamp": "2025-06-01T12:00:00Z", "sampledValue": [{"value": 12.5}]}],
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
    "SecurityEventNotification": {"type": "TamperDetectionActivated", "timestamp": "2025-06-01T12:00:00Z"},
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
