"""The TLS port: suites, versions, security profiles 2 and 3, certificates that are renewed, and peers that do not keep to TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from csms.settings import Settings, SettingsError
from gateway.closing import CloseReason
from gateway.readiness import Readiness
from gateway.tls import shake_hands, tls_of
from gateway.wire import Wire
from tests.certificates import Authority
from tests.integration.gateway import frames
from tests.integration.gateway.site import running

PASSWORD = b"a-password-of-the-station"
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384")
"""Those that OCPP demands of a server."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def served(authority: Authority) -> dict[str, Any]:
    """Settings of a gateway with an ECDSA and an RSA certificate, which takes the authority's stations."""
    pairs = [authority.issue("localhost", "ecdsa"), authority.issue("localhost", "rsa")]
    return {
        "ocpp_tls_port": 0,
        "ocpp_tls_certificate": tuple(chain for chain, _ in pairs),
        "ocpp_tls_key": tuple(key for _, key in pairs),
        "ocpp_tls_client_ca": authority.file,
    }


@pytest.mark.parametrize("suite", SUITES)
async def test_the_suites_of_ocpp(database: str, authority: Authority, served: dict[str, Any], suite: str) -> None:
    client = authority.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suite)
    async with running(database, **served) as site, await site.secured(client) as stream:
        assert stream.cipher()[0] == suite  # type: ignore[no-untyped-call]  # Trio hands it on to ssl


async def test_without_static_rsa_its_suites_are_refused(database: str, authority: Authority, served: dict[str, Any]) -> None:
    async with running(database, **served, ocpp_tls_static_rsa=False) as site:
        client = authority.client()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers("AES128-GCM-SHA256")
        with pytest.raises(trio.BrokenResourceError):
            await site.secured(client)
        async with await site.secured(authority.client()) as stream:
            assert stream.version() == "TLSv1.3"  # type: ignore[no-untyped-call]  # Trio hands it on to ssl


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_versions_below_1_2_are_refused(database: str, authority: Authority, served: dict[str, Any]) -> None:
    async with running(database, **served) as site:
        client = authority.client()
        client.set_ciphers("ALL:@SECLEVEL=0")
        client.minimum_version = ssl.TLSVersion.TLSv1
        client.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(trio.BrokenResourceError) as refused:
            await site.secured(client)
        assert "PROTOCOL_VERSION" in str(refused.value.__cause__).upper().replace(" ", "_")


async def test_profile_2_is_kept_to_once_it_was_reached(database: str, authority: Authority, served: dict[str, Any]) -> None:
    async with running(database, **served) as site:
        await site.add_station("CP1", PASSWORD)
        async with site.station(password=PASSWORD) as plain:
            await plain.boot()
        async with site.station(password=PASSWORD, tls=authority.client()) as station:
            await station.boot()
            (row,) = await site.rows("SELECT security_profile FROM stations")
            assert row["security_profile"] == 2
        assert await site.refusal(password=b"another-password-12", tls=authority.client()) == 401
        assert await site.refusal(password=PASSWORD) == 401, "never below the profile that it has reached"


async def test_large_messages_pass_in_both_directions(database: str, authority: Authority, served: dict[str, Any]) -> None:
    """Longer than a TLS record and than what the socket takes at once, and many of them."""
    async with running(database, **served) as site:
        await site.add_station("CP1", PASSWORD)
        async with site.station(password=PASSWORD, versions=["ocpp2.0.1"], tls=authority.client()) as station:
            await station.boot()
            data = {"vendorId": "V", "data": "x" * 120_000}
            for number in range(10):
                await station.send([2, f"d{number}", "DataTransfer", data])
            for number in range(10):
                assert (await station.receive())[:2] == [3, f"d{number}"]
            key = {"certificateType": "CSMSRootCertificate", "certificate": "c" * 5_500}
            command = await site.order("CP1", None, key, action="InstallCertificate")
            call = await station.receive()
            assert call[3] == key
            await station.send([3, call[1], {"status": "Accepted"}])
            await site.command(command, until="accepted")


async def test_what_a_full_socket_did_not_take_follows_whole(authority: Authority, served: dict[str, Any]) -> None:
    """More than a turn of the writer has left when the socket is full."""
    context = tls_of(Settings(**served), lambda: 0.0)
    assert context is not None
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    connected, sent = threading.Event(), threading.Event()
    sentences = [bytes([number]) * 50_000 for number in range(5)]

    def read() -> bytes:
        with authority.client().wrap_socket(theirs, server_hostname="localhost") as peer:
            connected.set()
            sent.wait(5)
            return b"".join(iter(lambda: peer.recv(65_536), b""))

    received = b""

    async def peer() -> None:
        nonlocal received
        received = await trio.to_thread.run_sync(read)

    with trio.fail_after(10), Readiness() as readiness:
        async with trio.open_nursery() as nursery:
            wire = Wire(context.wrap(ours), nursery, readiness, None)
            nursery.start_soon(peer)
            assert isinstance(wire.sock, ssl.SSLSocket)
            await shake_hands(wire.sock)
            await trio.to_thread.run_sync(connected.wait)
            wire.send(b"".join(sentences))
            sent.set()
            wire.finish_sending()
    wire.close(CloseReason.LOST)
    assert received == b"".join(sentences)


async def test_a_station_signs_in_with_its_certificate(database: str, authority: Authority, served: dict[str, Any]) -> None:
    async with running(database, **served) as site:
        await site.add_station("CP1", certificate_name="SN-1")
        client = authority.client(authority.issue("SN-1"))
        boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M", "serialNumber": "SN-1"}}
        async with site.station(versions=["ocpp2.0.1"], tls=client) as station:
            assert (await station.call("BootNotification", boot))[2]["status"] == "Accepted"
            (row,) = await site.rows("SELECT security_profile FROM stations")
            assert row["security_profile"] == 3
        async with site.station(tls=client) as station:
            await station.boot()  # OCPP 1.6 has no such rule for the serial number


async def test_other_certificates_let_nobody_in(
    database: str, authority: Authority, served: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "Stranger")
    async with running(database, open_door=False, **served) as site:
        await site.add_station("CP1", certificate_name="SN-1")
        await site.add_station("CP2", PASSWORD, certificate_name="SN-2")
        await site.add_station("CP3")
        await site.add_station("CP4", certificate_name="SN-1", retired_at=site.services.clock.now())
        good = authority.client(authority.issue("SN-1"))
        for identity in ("CP2", "CP3", "CP4", "cp1", "CP5"):
            assert await site.refusal(identity, tls=good) in (401, 404), identity
        assert await site.refusal("CP1") == 401, "without a certificate"
        assert await site.refusal("CP1", tls=authority.client()) == 401
        assert await site.refusal("CP1", path="/ocpp/other/CP1", tls=good) == 401
        for bad in (authority.issue("SN-1", lasts=-timedelta(days=1)), stranger.issue("SN-1")):
            # TLS 1.3 tells a client that its certificate is refused only after its own part of the handshake
            with pytest.raises(trio.BrokenResourceError):
                await site.refusal("CP1", tls=authority.client(bad))
        rows = await site.rows("SELECT identity FROM stations WHERE connection_epoch > 0")
        assert rows == []
        # the password still counts until the certificate was used once
        assert await site.refusal("CP2", password=PASSWORD, tls=authority.client()) == 101
        assert await site.refusal("CP2", tls=authority.client(authority.issue("SN-2"))) == 101
        assert await site.refusal("CP2", password=PASSWORD, tls=authority.client()) == 401


async def test_certificates_are_renewed_while_stations_stay(
    database: str, authority: Authority, served: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tls.LOOK_AGAIN_S", 0.0)
    (tmp_path / "new").mkdir()
    successor = Authority(tmp_path / "new", "Successor")
    async with running(database, **served) as site:
        await site.add_station("CP1", PASSWORD)
        async with site.station(password=PASSWORD, tls=authority.client()) as station:
            await station.boot()
            chain, key = served["ocpp_tls_certificate"][0], served["ocpp_tls_key"][0]
            new_chain, new_key = successor.issue("localhost")
            _replace(new_chain, chain)
            async with await site.secured(authority.client()):
                pass  # the key is still the old one: what was loaded goes on
            _replace(new_key, key)
            async with await site.secured(successor.client()):
                pass
            assert (await station.call("Heartbeat", {}))[0] == 3


async def test_peers_that_do_not_keep_to_tls(database: str, authority: Authority, served: dict[str, Any]) -> None:
    """Nothing, half a handshake, another protocol, a cut: they are closed in time and nobody else notices."""
    async with running(database, **served, handshake_timeout_s=1) as site:
        await site.add_station("CP1", PASSWORD)
        assert site.tls_port is not None
        for said in (b"", b"\x16\x03\x01\x02\x00\x01", frames.request("/ocpp/CP1"), b"\x80" * 3000):
            stream = await trio.open_tcp_stream("127.0.0.1", site.tls_port)
            async with stream:
                await stream.send_all(said)
                with trio.fail_after(4):
                    try:
                        while await stream.receive_some():
                            pass
                    except trio.BrokenResourceError:
                        pass
        for _ in range(3):
            await trio.aclose_forcefully(await trio.open_tcp_stream("127.0.0.1", site.tls_port))
            await trio.aclose_forcefully(await site.secured(authority.client()))
        async with site.station(password=PASSWORD, tls=authority.client()) as station:
            await station.boot()


def _replace(new: Path, old: Path) -> None:
    """As those do it who renew certificates: the file is there at every moment."""
    copied = old.with_suffix(".new")
    shutil.copy(new, copied)
    copied.replace(old)


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("nowhere", "cannot be read: No such file or directory"),
        ("rubbish", "cannot be used"),
        ("another key", "cannot be used: NO_CERTIFICATE_ASSIGNED|cannot be used: KEY_VALUES_MISMATCH"),
        ("rubbish ca", "ocpp_tls_client_ca"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, authority: Authority, served: dict[str, Any], broken: str, line: str) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("-----BEGIN NOTHING-----")
    changes: dict[str, dict[str, Any]] = {
        "nowhere": {"ocpp_tls_key": (tmp_path / "nowhere", tmp_path / "nowhere")},
        "rubbish": {"ocpp_tls_certificate": (rubbish, rubbish)},
        "another key": {"ocpp_tls_key": served["ocpp_tls_key"][::-1]},
        "rubbish ca": {"ocpp_tls_client_ca": rubbish},
    }
    with pytest.raises(SettingsError, match=line):
        tls_of(Settings(**(served | changes[broken])), lambda: 0.0)
