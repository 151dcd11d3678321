"""What the certification cases of TLS share between the versions: suites, TLS versions, certificates, and going up a profile."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.conformance.scene import Scene
from tests.conformance.wire import Refused, Station, Wire

SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""Those that the standards demand of the server."""


def shows_a_valid_certificate(scene: Scene) -> None:
    """Name and chain are checked by OpenSSL, as a station does it; with each suite, on TLS 1.2 and with what both like best."""
    identity, password = with_password(scene)
    for suite in (*SUITES, None):
        tls = scene.authority.client()
        if suite is not None:
            tls.maximum_version = ssl.TLSVersion.TLSv1_2
            tls.set_ciphers(suite)
        station = scene.connect(identity, basic=(identity, password), tls=tls)
        sock = station.wire.socket
        assert isinstance(sock, ssl.SSLSocket)
        cipher = sock.cipher()
        assert cipher is not None
        assert cipher[0] == suite if suite is not None else sock.version() == "TLSv1.3"
        assert sock.compression() is None
        assert scene.boot(station) == "Accepted"
    assert scene.api.get(f"/chargepoints/{identity}")["security_profile"] == 2


def takes_the_certificate(scene: Scene) -> None:
    """The name in it is the serial number of the station."""
    identity, tls = with_certificate(scene)
    station = scene.connect(identity, tls=tls)
    assert boots(scene, station, f"SN-{identity}")
    assert scene.api.get(f"/chargepoints/{identity}")["security_profile"] == 3


def refuses_other_certificates(scene: Scene, folder: Path) -> None:
    """Of an unknown authority, expired, of another station, none."""
    identity, right = with_certificate(scene)
    name = f"SN-{identity}"
    (folder / "stranger").mkdir()
    stranger, expired = Authority(folder / "stranger"), scene.authority.issue(name, lasts=-timedelta(days=1))
    for own in (stranger.issue(name), expired):
        with pytest.raises((ssl.SSLError, ConnectionError, Refused)) as refused:
            scene.connect(identity, tls=scene.authority.client(own))
        # TLS 1.3 tells a client only after its own part of the handshake
        assert not isinstance(refused.value, Refused) or refused.value.status == 0
    for other in (scene.authority.client(scene.authority.issue("SN-OF-ANOTHER")), scene.authority.client()):
        with pytest.raises(Refused) as unauthorized:
            scene.connect(identity, tls=other)
        assert unauthorized.value.status == 401
    assert scene.api.get(f"/chargepoints/{identity}")["connected_at"] is None
    assert boots(scene, scene.connect(identity, tls=right), name)


def refuses_old_versions(scene: Scene) -> None:
    tls = scene.authority.client()
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        Wire.connect(scene.server.tls_port, "/ocpp/TLS-1", scene.version, tls=tls)


def refuses_the_lower_profile(scene: Scene, identity: str, password: str) -> None:
    """After the first connection on the higher one."""
    secure = scene.connect(identity, basic=(identity, password), tls=scene.authority.client())
    assert scene.boot(secure) == "Accepted"
    assert scene.api.get(f"/chargepoints/{identity}")["security_profile"] == 2
    with pytest.raises(Refused) as refused:
        scene.connect(identity, basic=(identity, password))
    assert refused.value.status == 401
    secure.call("Heartbeat", {})


def with_password(scene: Scene) -> tuple[str, str]:
    """A new station's identity and password."""
    identity = scene.identity()
    made = scene.api.post("/chargepoints", {"charge_point_id": identity, "generate_password": True})
    return identity, made["password"]


def with_certificate(scene: Scene) -> tuple[str, ssl.SSLContext]:
    """A new station's identity, and its end of TLS."""
    identity = scene.identity()
    name = f"SN-{identity}"
    scene.api.post("/chargepoints", {"charge_point_id": identity, "certificate_name": name})
    return identity, scene.authority.client(scene.authority.issue(name))


def boots(scene: Scene, station: Station, serial_number: str) -> bool:
    if scene.is16:
        boot = {"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": serial_number}
        return bool(station.call("BootNotification", boot)["status"] == "Accepted")
    whole = {"vendorName": "V", "model": "M", "serialNumber": serial_number}
    return bool(station.call("BootNotification", {"chargingStation": whole, "reason": "PowerUp"})["status"] == "Accepted")
