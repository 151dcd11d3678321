"""Certification cases of firmware updates, diagnostics and logs, OCPP 1.6 and its security extension."""

from __future__ import annotations

from tests.conformance.ocpp16.playing import ChargePoint
from tests.conformance.scene import at

WHERE = "https://files.example.test/firmware.bin"


def _firmware(point: ChargePoint, *statuses: str) -> None:
    for status in statuses:
        assert point.call("FirmwareStatusNotification", {"status": status}) == {}


def test_tc_044_1_firmware_download_and_install(point: ChargePoint) -> None:
    point.ordered("UpdateFirmware", {"location": WHERE, "retrieveDate": at(), "retries": 1, "retryInterval": 10}, {})
    _firmware(point, "Downloading", "Downloaded")
    point.status(1, "Unavailable")
    _firmware(point, "Installing")
    point.reboot()
    point.status(1, "Available")
    _firmware(point, "Installed")
    told = [event["status"] for event in point.events("firmware_status")]
    assert told == ["Downloading", "Downloaded", "Installing", "Installed"]


def test_tc_044_2_firmware_download_failed(point: ChargePoint) -> None:
    point.ordered("UpdateFirmware", {"location": WHERE, "retrieveDate": at()}, {})
    _firmware(point, "Downloading", "DownloadFailed")
    assert point.events("firmware_status")[-1] == {"status": "DownloadFailed"}


def test_tc_044_3_firmware_installation_failed(point: ChargePoint) -> None:
    point.ordered("UpdateFirmware", {"location": WHERE, "retrieveDate": at()}, {})
    _firmware(point, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    assert point.events("firmware_status")[-1] == {"status": "InstallationFailed"}


def _diagnostics(point: ChargePoint, end: str) -> None:
    request = {"location": "https://files.example.test/upload", "startTime": at(-3600), "stopTime": at()}
    point.ordered("GetDiagnostics", request, {"fileName": "diagnostics.zip"})
    for status in ("Uploading", end):
        assert point.call("DiagnosticsStatusNotification", {"status": status}) == {}
    assert point.events("diagnostics_status") == [{"status": "Uploading"}, {"status": end}]


def test_tc_045_1_get_diagnostics(point: ChargePoint) -> None:
    _diagnostics(point, "Uploaded")


def test_tc_045_2_get_diagnostics_upload_failed(point: ChargePoint) -> None:
    _diagnostics(point, "UploadFailed")


def test_tc_079_get_security_log(point: ChargePoint) -> None:
    log = {"remoteLocation": "https://files.example.test/logs", "oldestTimestamp": at(-86400), "latestTimestamp": at()}
    request = {"log": log, "logType": "SecurityLog", "requestId": 4711}
    point.ordered("GetLog", request, {"status": "Accepted", "filename": "security.log"})
    for status in ("Uploading", "Uploaded"):
        assert point.call("LogStatusNotification", {"status": status, "requestId": 4711}) == {}
    told = [(event["status"], event["requestId"]) for event in point.events("log_status")]
    assert told == [("Uploading", 4711), ("Uploaded", 4711)]


def _signed_update(point: ChargePoint, request_id: int) -> None:
    firmware = {"location": WHERE, "retrieveDateTime": at(), "signingCertificate": "PEM", "signature": "c2lnbmF0dXJl"}
    request = {"requestId": request_id, "firmware": firmware}
    point.ordered("SignedUpdateFirmware", request, {"status": "Accepted"})


def _signed_firmware(point: ChargePoint, request_id: int, *statuses: str) -> None:
    for status in statuses:
        assert point.call("SignedFirmwareStatusNotification", {"status": status, "requestId": request_id}) == {}


def test_tc_080_secure_firmware_update(point: ChargePoint) -> None:
    before = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting")
    _signed_update(point, 80)
    _signed_firmware(point, 80, *before)
    point.reboot()
    _signed_firmware(point, 80, "Installed")
    assert point.call("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": at()}) == {}
    told = [event["status"] for event in point.events("firmware_status")]
    assert told == [*before, "Installed"]


def test_tc_081_secure_firmware_update_invalid_signature(point: ChargePoint) -> None:
    _signed_update(point, 81)
    _signed_firmware(point, 81, "Downloading", "Downloaded", "InvalidSignature")
    assert point.call("SecurityEventNotification", {"type": "InvalidFirmwareSignature", "timestamp": at()}) == {}
    assert point.events("firmware_status")[-1]["status"] == "InvalidSignature"
    assert [event["type"] for event in point.events("security_event")] == ["InvalidFirmwareSignature"]
