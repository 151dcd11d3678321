"""Vectors 57 to 61: connecting (section 1)."""

from __future__ import annotations

import pytest

from tests.conformance.commands import _read
from tests.conformance.scene import Scene
from tests.conformance.wire import Closed, Refused, Station, Wire


def wrong_password(scene: Scene) -> None:
    """57: a newcomer who cannot prove who he is does not disturb the one who could."""
    identity = scene.identity()
    password = scene.api.post("/chargepoints", {"charge_point_id": identity, "generate_password": True})["password"]
    first = scene.connect(identity, basic=(identity, password))
    assert scene.boot(first) == "Accepted"
    with pytest.raises(Refused) as refused:
        scene.connect(identity, basic=(identity, "x" * 24))
    assert refused.value.status == 401
    first.call("Heartbeat", {})


def newest_connection_wins(scene: Scene) -> None:
    """58: commands go to the second connection, also after the first one's late close."""
    first = scene.station()
    second = scene.connect(first.identity)
    second.call("Heartbeat", {})
    _obeys(scene, second)
    try:
        first.wire.reset()
    except OSError:
        pass  # the server has closed it already
    second.call("Heartbeat", {})
    _obeys(scene, second)


def _obeys(scene: Scene, station: Station) -> None:
    command, parameters, answer = _read(scene)
    ordered = scene.background(lambda: scene.api.command(station.identity, command, **parameters))
    call = station.receive()
    station.send([3, call[1], answer])
    assert ordered.result(10)["status"] == "accepted"


def _subprotocol(scene: Scene, offered: str | None) -> str | None:
    wire = Wire.connect(scene.server.ocpp_port, f"/ocpp/{scene.identity()}", offered)
    wire.close()
    return wire.subprotocol


def client_prefers(scene: Scene) -> None:
    """59: the client's order decides."""
    assert _subprotocol(scene, "ocpp1.6, ocpp2.0.1") == "ocpp1.6"
    assert _subprotocol(scene, "ocpp2.0.1, ocpp1.6") == "ocpp2.0.1"
    assert _subprotocol(scene, "ocpp2.1, ocpp2.0.1, ocpp1.6") == "ocpp2.1"
    assert _subprotocol(scene, "ocpp1.6, ocpp2.1") == "ocpp1.6"


def no_common_subprotocol(scene: Scene) -> None:
    """60: a handshake without a sub-protocol and then a close, or a refusal before the upgrade (rule C5)."""
    with pytest.raises((Refused, Closed)) as ended:
        _served_without_subprotocol(scene)
    if isinstance(ended.value, Refused):
        assert ended.value.status in (400, 404, 426)


def _served_without_subprotocol(scene: Scene) -> None:
    wire = Wire.connect(scene.server.ocpp_port, f"/ocpp/{scene.identity()}", "foo")
    try:
        assert wire.subprotocol is None
        wire.receive()
    finally:
        wire.close()


def bad_identities(scene: Scene) -> None:
    """61: refused before the upgrade, and no row is made."""
    (before,) = scene.rows("SELECT count(*) FROM stations")
    for segment in ("ST%2F1", "..%2fx", "x" * 49, "ST:1", "ST%3A1", ""):
        with pytest.raises(Refused) as refused:
            Wire.connect(scene.server.ocpp_port, f"/ocpp/default/{segment}", scene.version)
        assert 400 <= refused.value.status < 500, segment
    (after,) = scene.rows("SELECT count(*) FROM stations")
    assert after["count"] == before["count"]
