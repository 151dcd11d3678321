"""Certification cases of the security extension and of connecting, OCPP 1.6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import securing
from tests.conformance.ocpp16.playing import OCPP16, ChargePoint
from tests.conformance.scene import Scene, at
from tests.conformance.wire import Refused, Wire

HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a" * 64,
    "issuerKeyHash": "b" * 64,
    "serialNumber": "0123456789abcdef",
}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def _install(point: ChargePoint, kind: str) -> None:
    point.ordered("InstallCertificate", {"certificateType": kind, "certificate": PEM}, {"status": "Accepted"})
    answer = {"status": "Accepted", "certificateHashData": [HASH]}
    point.ordered("GetInstalledCertificateIds", {"certificateType": kind}, answer)


def test_tc_075_1_install_manufacturer_root(point: ChargePoint) -> None:
    _install(point, "ManufacturerRootCertificate")


def test_tc_075_2_install_central_system_root(point: ChargePoint) -> None:
    _install(point, "CentralSystemRootCertificate")


def test_tc_076_delete_certificate(point: ChargePoint) -> None:
    kind = "CentralSystemRootCertificate"
    order = point.scene.order(point.station, "GetInstalledCertificateIds", {"certificateType": kind})
    found = order.answer({"status": "Accepted", "certificateHashData": [HASH]})["result"]["certificateHashData"]
    point.ordered("DeleteCertificate", {"certificateHashData": found[0]}, {"status": "Accepted"})
    point.ordered("GetInstalledCertificateIds", {"certificateType": kind}, {"status": "NotFound"}, "rejected")


def _security_event(point: ChargePoint, kind: str) -> None:
    event = {"type": kind, "timestamp": at(), "techInfo": "signature does not match"}
    assert point.call("SecurityEventNotification", event) == {}
    assert point.events("security_event") == [event]


def test_tc_077_invalid_charge_point_certificate(point: ChargePoint) -> None:
    point.ordered("CertificateSigned", {"certificateChain": PEM}, {"status": "Rejected"}, "rejected")
    _security_event(point, "InvalidChargePointCertificate")


def test_tc_078_invalid_central_system_certificate(point: ChargePoint) -> None:
    request = {"certificateType": "CentralSystemRootCertificate", "certificate": PEM}
    point.ordered("InstallCertificate", request, {"status": "Rejected"}, "rejected")
    _security_event(point, "InvalidCentralSystemCertificate")


def test_tc_083_upgrade_of_the_security_profile(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP16)
    identity, password = securing.with_password(play)
    station = play.connect(identity, basic=(identity, password))
    assert play.boot(station) == "Accepted"
    ChargePoint(play, station).ordered("ChangeConfiguration", {"key": "SecurityProfile", "value": "2"}, {"status": "Accepted"})
    station.wire.close()
    securing.refuses_the_lower_profile(play, identity, password)


def test_tc_085_basic_authentication(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP16)
    identity = play.identity()
    password = play.api.post("/chargepoints", {"charge_point_id": identity, "generate_password": True})["password"]
    for wrong in ((identity, "wrong"), ("somebody", password), (identity, "")):
        with pytest.raises(Refused) as refused:
            play.connect(identity, basic=wrong)
        assert refused.value.status == 401
    with pytest.raises(Refused):
        play.connect(identity)
    assert play.boot(play.connect(identity, basic=(identity, password))) == "Accepted"
    assert play.api.get(f"/chargepoints/{identity}")["security_profile"] == 1


def test_tc_086_server_certificate(scene: Callable[[str], Scene]) -> None:
    securing.shows_a_valid_certificate(scene(OCPP16))


def test_tc_087_client_certificate(scene: Callable[[str], Scene], tmp_path: Path) -> None:
    play = scene(OCPP16)
    securing.takes_the_certificate(play)
    securing.refuses_other_certificates(play, tmp_path)


def test_tc_088_subprotocol_negotiation(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP16)
    for offered in ("ocpp1.6", "ocpp1.6, ocpp1.5", "ocpp1.5, ocpp1.6"):
        wire = Wire.connect(play.server.ocpp_port, f"/ocpp/{play.identity()}", offered)
        assert wire.subprotocol == "ocpp1.6"
        wire.close()
