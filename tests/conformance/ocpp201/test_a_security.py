"""Certification cases of block A, security, OCPP 2.0.1."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.ocpp201.playing import OCPP201
from tests.conformance.scene import Scene
from tests.conformance.wire import Refused


def _with_password(scene: Scene) -> tuple[str, str]:
    identity = scene.identity()
    made = scene.api.post("/chargepoints", {"charge_point_id": identity, "generate_password": True})
    return identity, made["password"]


def _refused(scene: Scene, identity: str, user: str, password: str) -> None:
    with pytest.raises(Refused) as refused:
        scene.connect(identity, basic=(user, password))
    assert refused.value.status == 401
    assert scene.api.get(f"/chargepoints/{identity}")["connected_at"] is None


def test_tc_a_01_basic_authentication(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = _with_password(play)
    station = play.connect(identity, basic=(identity, password))
    assert play.boot(station) == "Accepted"
    record = play.api.get(f"/chargepoints/{identity}")
    assert (record["status"], record["security_profile"]) == ("online", 1)


def test_tc_a_02_basic_authentication_wrong_user_name(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = _with_password(play)
    _refused(play, identity, "SOMEBODY", password)
    _refused(play, identity, identity.lower(), password)


def test_tc_a_03_basic_authentication_wrong_password(scene: Callable[[str], Scene]) -> None:
    play = scene(OCPP201)
    identity, password = _with_password(play)
    _refused(play, identity, identity, password + "x")
    _refused(play, identity, identity, "")
