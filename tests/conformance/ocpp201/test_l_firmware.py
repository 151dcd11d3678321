"""Certification cases of block L, firmware management, OCPP 2.0.1."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation
from tests.conformance.scene import at

WHERE = "https://files.example.test/firmware.bin"
_ids = count(100)


def _update(station: ChargingStation, status: str = "Accepted", outcome: str = "accepted", **more: str) -> Any:
    """Order a signed update; gives the command."""
    firmware = {"location": WHERE, "retrieveDateTime": at(), "signingCertificate": "PEM", "signature": "c2ln", **more}
    payload = {"requestId": next(_ids), "retries": 2, "retryInterval": 30, "firmware": firmware}
    return station.ordered("UpdateFirmware", payload, {"status": status}, outcome)


def _progress(station: ChargingStation, command: Any, *statuses: str) -> None:
    """The station tells how far it is; all of it is tied to the order."""
    told = [{"status": status, "requestId": command["payload"]["requestId"]} for status in statuses]
    before = station.events("firmware_status", command)
    for status in told:
        station.tells("FirmwareStatusNotification", status)
    assert station.events("firmware_status", command) == before + told


def _security_event(station: ChargingStation, kind: str) -> None:
    event = {"type": kind, "timestamp": at()}
    station.tells("SecurityEventNotification", event)
    assert station.events("security_event") == [event]


def test_tc_l_01_installed(station: ChargingStation) -> None:
    command = _update(station)
    _progress(station, command, "Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting")
    station.reboot("FirmwareUpdate", firmwareVersion="2.0.0")
    assert station.record()["firmware_version"] == "2.0.0"
    _progress(station, command, "Installed")
    _security_event(station, "FirmwareUpdated")


def test_tc_l_02_install_scheduled(station: ChargingStation) -> None:
    command = _update(station, installDateTime=at(600))
    before = ("Downloading", "Downloaded", "SignatureVerified", "InstallScheduled")
    _progress(station, command, *before, "Installing", "Installed")


def test_tc_l_03_download_scheduled(station: ChargingStation) -> None:
    command = _update(station, retrieveDateTime=at(600))
    _progress(station, command, "DownloadScheduled", "Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")


def test_tc_l_04_revoked_certificate(station: ChargingStation) -> None:
    _update(station, "RevokedCertificate", "rejected")


def test_tc_l_05_invalid_certificate(station: ChargingStation) -> None:
    _update(station, "InvalidCertificate", "rejected")
    _security_event(station, "InvalidFirmwareSigningCertificate")


def test_tc_l_06_invalid_signature(station: ChargingStation) -> None:
    _progress(station, _update(station), "Downloading", "Downloaded", "InvalidSignature")
    _security_event(station, "InvalidFirmwareSignature")


def test_tc_l_07_download_failed(station: ChargingStation) -> None:
    _progress(station, _update(station), "Downloading", "DownloadFailed")


def test_tc_l_08_verification_failed(station: ChargingStation) -> None:
    before = ("Downloading", "Downloaded", "SignatureVerified", "Installing")
    _progress(station, _update(station), *before, "InstallVerificationFailed")


def test_tc_l_09_installation_failed(station: ChargingStation) -> None:
    before = ("Downloading", "Downloaded", "SignatureVerified", "Installing")
    _progress(station, _update(station), *before, "InstallationFailed")


def test_tc_l_10_second_update_cancels_the_first(station: ChargingStation) -> None:
    first = _update(station)
    _progress(station, first, "Downloading")
    second = _update(station, "AcceptedCanceled")
    _progress(station, second, "Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")
    assert len(station.events("firmware_status", first)) == 1


def test_tc_l_11_first_cannot_be_cancelled(station: ChargingStation) -> None:
    first = _update(station)
    _progress(station, first, "Downloading", "Downloaded", "SignatureVerified", "Installing")
    _update(station, "Rejected", "rejected")
    _progress(station, first, "Installed")


def test_tc_l_13_waits_until_the_transaction_ends(station: ChargingStation) -> None:
    transaction = station.charging()
    command = _update(station)
    _progress(station, command, "Downloading", "Downloaded", "SignatureVerified", "InstallScheduled")
    transaction.ended("StopAuthorized", "Local", token=station.card)
    station.status("Unavailable")
    _progress(station, command, "Installing", "Installed")
    station.status("Available")


def _publish(station: ChargingStation) -> Any:
    payload = {"requestId": next(_ids), "location": WHERE, "checksum": "d41d8cd98f00b204e9800998ecf8427e"}
    return station.ordered("PublishFirmware", payload, ACCEPTED)


def _published(station: ChargingStation, command: Any, *statuses: str) -> None:
    places = ["http://10.0.0.2/firmware.bin", "ftp://10.0.0.2/firmware.bin"]
    told = [
        {"status": status, "requestId": command["payload"]["requestId"], **({"location": places} if status == "Published" else {})}
        for status in statuses
    ]
    for status in told:
        station.tells("PublishFirmwareStatusNotification", status)
    assert station.events("publish_firmware_status", command) == told


def test_tc_l_17_published(station: ChargingStation) -> None:
    _published(station, _publish(station), "Downloading", "Downloaded", "ChecksumVerified", "Published")


def test_tc_l_19_publish_invalid_checksum(station: ChargingStation) -> None:
    _published(station, _publish(station), "Downloading", "Downloaded", "InvalidChecksum")


def test_tc_l_20_publish_failed(station: ChargingStation) -> None:
    _published(station, _publish(station), "Downloading", "Downloaded", "ChecksumVerified", "PublishFailed")


def test_tc_l_24_publish_download_failed(station: ChargingStation) -> None:
    _published(station, _publish(station), "Downloading", "DownloadFailed")


def _unpublish(station: ChargingStation, status: str, outcome: str) -> None:
    payload = {"checksum": "d41d8cd98f00b204e9800998ecf8427e"}
    station.ordered("UnpublishFirmware", payload, {"status": status}, outcome)


def test_tc_l_21_unpublished(station: ChargingStation) -> None:
    _unpublish(station, "Unpublished", "accepted")


def test_tc_l_22_unpublish_no_firmware(station: ChargingStation) -> None:
    _unpublish(station, "NoFirmware", "rejected")


def test_tc_l_23_unpublish_download_ongoing(station: ChargingStation) -> None:
    _unpublish(station, "DownloadOngoing", "rejected")
