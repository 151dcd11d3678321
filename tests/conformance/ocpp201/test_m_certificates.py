"""Certification cases of block M, certificate management, OCPP 2.0.1."""

from __future__ import annotations

from typing import Any

from tests.conformance.ocpp201.playing import ACCEPTED, ChargingStation

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def _hash(number: int) -> dict[str, str]:
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": f"{number:x}" * 64,
        "issuerKeyHash": "b" * 64,
        "serialNumber": "0123456789abcdef",
    }


def _install(station: ChargingStation, kind: str, status: str = "Accepted") -> None:
    payload = {"certificateType": kind, "certificate": PEM}
    station.ordered("InstallCertificate", payload, {"status": status}, "accepted" if status == "Accepted" else "rejected")


def _retrieve(station: ChargingStation, *kinds: str, found: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Ask for certificates of these types; gives the chains as the API tells them."""
    payload = {"certificateType": list(kinds)} if kinds else {}
    children = {"childCertificateHashData": [_hash(9)]}
    chains = [
        {
            "certificateType": kind,
            "certificateHashData": _hash(number),
            **(children if kind == "V2GCertificateChain" else {}),
        }
        for number, kind in enumerate(found or kinds, 1)
    ]
    answer = {"status": "Accepted", "certificateHashDataChain": chains}
    command = station.ordered("GetInstalledCertificateIds", payload, answer)
    result: list[dict[str, Any]] = command["result"]["certificateHashDataChain"]
    return result


def test_tc_m_01_install_csms_root(station: ChargingStation) -> None:
    _install(station, "CSMSRootCertificate")


def test_tc_m_02_install_manufacturer_root(station: ChargingStation) -> None:
    _install(station, "ManufacturerRootCertificate")


def test_tc_m_03_install_v2g_root(station: ChargingStation) -> None:
    _install(station, "V2GRootCertificate")


def test_tc_m_04_install_mobility_operator_root(station: ChargingStation) -> None:
    _install(station, "MORootCertificate")


def test_tc_m_05_install_failed(station: ChargingStation) -> None:
    _install(station, "CSMSRootCertificate", "Failed")


def test_tc_m_12_retrieve_csms_roots(station: ChargingStation) -> None:
    _retrieve(station, "CSMSRootCertificate")


def test_tc_m_13_retrieve_manufacturer_roots(station: ChargingStation) -> None:
    _retrieve(station, "ManufacturerRootCertificate")


def test_tc_m_14_retrieve_v2g_roots(station: ChargingStation) -> None:
    _retrieve(station, "V2GRootCertificate")


def test_tc_m_15_retrieve_v2g_chains(station: ChargingStation) -> None:
    (chain,) = _retrieve(station, "V2GCertificateChain")
    assert chain["childCertificateHashData"] == [_hash(9)]


def test_tc_m_16_retrieve_mobility_operator_roots(station: ChargingStation) -> None:
    _retrieve(station, "MORootCertificate")


def test_tc_m_17_retrieve_two_kinds(station: ChargingStation) -> None:
    _retrieve(station, "CSMSRootCertificate", "ManufacturerRootCertificate")


def test_tc_m_18_retrieve_all_kinds(station: ChargingStation) -> None:
    found = ("V2GRootCertificate", "MORootCertificate", "CSMSRootCertificate", "V2GCertificateChain")
    _retrieve(station, found=(*found, "ManufacturerRootCertificate"))


def test_tc_m_19_no_matching_certificate(station: ChargingStation) -> None:
    payload = {"certificateType": ["MORootCertificate"]}
    station.ordered("GetInstalledCertificateIds", payload, {"status": "NotFound"}, "rejected")


def _delete(station: ChargingStation, status: str, outcome: str) -> None:
    (chain,) = _retrieve(station, "CSMSRootCertificate")
    station.ordered("DeleteCertificate", {"certificateHashData": chain["certificateHashData"]}, {"status": status}, outcome)


def test_tc_m_20_delete(station: ChargingStation) -> None:
    _delete(station, ACCEPTED["status"], "accepted")


def test_tc_m_21_delete_failed(station: ChargingStation) -> None:
    _delete(station, "Failed", "rejected")
