"""Certification cases of block N, logs and customer information, OCPP 2.0.1."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, REJECTED, ChargingStation
from tests.conformance.scene import at

HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a" * 64, "issuerKeyHash": "b" * 64, "serialNumber": "01ab"}
_ids = count(700)


def _get_log(station: ChargingStation, kind: str, answer: dict[str, Any], outcome: str = "accepted") -> Any:
    log = {"remoteLocation": "https://files.example.test/logs", "oldestTimestamp": at(-86400), "latestTimestamp": at()}
    payload = {"logType": kind, "requestId": next(_ids), "log": log, "retries": 1, "retryInterval": 10}
    return station.ordered("GetLog", payload, answer, outcome)


def _progress(station: ChargingStation, command: Any, *statuses: str) -> None:
    told = [{"status": status, "requestId": command["payload"]["requestId"]} for status in statuses]
    before = station.events("log_status", command)
    for status in told:
        station.tells("LogStatusNotification", status)
    assert station.events("log_status", command) == before + told


def test_tc_n_25_diagnostics_log(station: ChargingStation) -> None:
    command = _get_log(station, "DiagnosticsLog", {"status": "Accepted", "filename": "diagnostics.log"})
    _progress(station, command, "Uploading", "Uploaded")


def test_tc_n_34_log_rejected(station: ChargingStation) -> None:
    _get_log(station, "DiagnosticsLog", REJECTED, "rejected")


def test_tc_n_35_security_log(station: ChargingStation) -> None:
    command = _get_log(station, "SecurityLog", {"status": "Accepted", "filename": "security.log"})
    _progress(station, command, "Uploading", "Uploaded")


def test_tc_n_36_second_request_cancels_the_first(station: ChargingStation) -> None:
    first = _get_log(station, "DiagnosticsLog", {"status": "Accepted", "filename": "first.log"})
    _progress(station, first, "Uploading")
    second = _get_log(station, "DiagnosticsLog", {"status": "AcceptedCanceled", "filename": "second.log"})
    _progress(station, first, "AcceptedCanceled")
    _progress(station, second, "Uploading", "Uploaded")


def _customer(station: ChargingStation, *, report: bool, clear: bool, data: str | None, **who: object) -> None:
    """Ask for, or clear, what the station knows of a customer; the parts of its answer are tied to the order."""
    request_id = next(_ids)
    payload = {"requestId": request_id, "report": report, "clear": clear, **who}
    command = station.ordered("CustomerInformation", payload, ACCEPTED)
    # a clearing without a report is confirmed by one empty part, too
    texts = [""] if data is None else [data[:4], data[4:]]
    parts: list[dict[str, Any]] = [
        {
            "requestId": request_id,
            "seqNo": number,
            "generatedAt": at(),
            "data": text,
            **({"tbc": True} if number < len(texts) - 1 else {}),
        }
        for number, text in enumerate(texts)
    ]
    for part in parts:
        station.tells("NotifyCustomerInformation", part)
    assert station.events("customer_information", command) == parts


def _token(station: ChargingStation) -> dict[str, str]:
    return {"idToken": station.card, "type": "ISO14443"}


def test_tc_n_27_customer_information_with_data(station: ChargingStation) -> None:
    _customer(station, report=True, clear=False, data="name=A. Driver", idToken=_token(station))


def test_tc_n_28_customer_information_without_data(station: ChargingStation) -> None:
    _customer(station, report=True, clear=False, data=None, idToken=_token(station))


def test_tc_n_29_customer_information_not_accepted(station: ChargingStation) -> None:
    payload = {"requestId": next(_ids), "report": True, "clear": False, "idToken": _token(station)}
    station.ordered("CustomerInformation", payload, REJECTED, "rejected")


def test_tc_n_30_clear_and_report_with_data(station: ChargingStation) -> None:
    _customer(station, report=True, clear=True, data="name=A. Driver", idToken=_token(station))


def test_tc_n_31_clear_and_report_without_data(station: ChargingStation) -> None:
    _customer(station, report=True, clear=True, data=None, idToken=_token(station))


def test_tc_n_32_clear_without_report(station: ChargingStation) -> None:
    _customer(station, report=False, clear=True, data=None, idToken=_token(station))


def test_tc_n_46_clear_and_update_the_local_list(station: ChargingStation) -> None:
    _customer(station, report=False, clear=True, data=None, idToken=_token(station))
    payload = {
        "versionNumber": 2,
        "updateType": "Differential",
        "localAuthorizationList": [{"idToken": _token(station)}],
    }
    station.ordered("SendLocalList", payload, ACCEPTED)


def test_tc_n_62_clear_by_identifier(station: ChargingStation) -> None:
    _customer(station, report=True, clear=True, data="contract 4711", customerIdentifier="CUSTOMER-4711")


def test_tc_n_63_clear_by_certificate(station: ChargingStation) -> None:
    _customer(station, report=True, clear=True, data="contract 4712", customerCertificate=HASH)
