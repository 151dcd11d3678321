"""Certification cases of block A, security, OCPP 2.0.1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import securing
from tests.conformance.ocpp201.playing import OCPP201, ChargingStation
from tests.conformance.scene import Scene
from tests.conformance.wire import Refused


def _refused(scene: Scene, identity: str, user: str, password: str) -> None:
    with pytest.raises(Refused) as refused:
        scene.connect(identity, basic=(user, password))
    assert refused.value.status == 401
    assert scene.api.get(f"/chargepoints/{identity}")["connected_at"] is None


def test_tc_a_01_basic_authentication(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = securing.with_password(play)
    station = play.connect(identity, basic=(identity, password))
    assert play.boot(station) == "Accepted"
    record = play.api.get(f"/chargepoints/{identity}")
    assert (record["status"], record["security_profile"]) == ("online", 1)


def test_tc_a_02_basic_authentication_wrong_user_name(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = securing.with_password(play)
    _refused(play, identity, "SOMEBODY", password)
    _refused(play, identity, identity.lower(), password)


def test_tc_a_03_basic_authentication_wrong_password(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = securing.with_password(play)
    _refused(play, identity, identity, password + "x")
    _refused(play, identity, identity, "")


def test_tc_a_04_server_certificate(scene: Callable[[str], Scene]) -> None:
    securing.shows_a_valid_certificate(scene(OCPP201))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tc_a_06_tls_version_too_low(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    securing.refuses_old_versions(play)
    securing.shows_a_valid_certificate(play)


def test_tc_a_07_client_certificate(scene: Callable[[str], Scene]) -> None:
    securing.takes_the_certificate(scene(OCPP201))


def test_tc_a_08_invalid_client_certificate(scene: Callable[[str], Scene], tmp_path: Path) -> None:
    securing.refuses_other_certificates(scene(OCPP201), tmp_path)


def test_tc_a_19_upgrade_of_the_security_profile(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = securing.with_password(play)
    station = play.connect(identity, basic=(identity, password))
    assert play.boot(station) == "Accepted"
    old = ChargingStation(play, station)
    profile = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": f"wss://localhost:{play.server.tls_port}/ocpp/default",
        "messageTimeout": 30,
        "securityProfile": 2,
        "ocppInterface": "Wired0",
    }
    old.ordered("SetNetworkProfile", {"configurationSlot": 2, "connectionData": profile}, {"status": "Accepted"})
    priority = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}}
    answer = {"setVariableResult": [{"attributeStatus": "RebootRequired", **priority}]}
    old.ordered("SetVariables", {"setVariableData": [{"attributeValue": "2,1", **priority}]}, answer)
    old.ordered("Reset", {"type": "OnIdle"}, {"status": "Accepted"})
    station.wire.close()
    securing.refuses_the_lower_profile(play, identity, password)
