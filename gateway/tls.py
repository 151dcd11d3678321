"""TLS on the stations' port: handshakes, and certificates that are renewed while the gateway runs (security.md 1.3, 1.4)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import structlog
import trio

from csms.settings import Settings, SettingsError

log = structlog.get_logger()

_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
)
_STATIC_RSA_CIPHERS: Final = "AES128-GCM-SHA256:AES256-GCM-SHA384"
"""OCPP demands them of a server (A00.FR.317); they have no forward secrecy."""
LOOK_AGAIN_S: Final = 10.0
"""Files that were replaced are noticed within this time."""


class Peer(NamedTuple):
    """What the transport tells of who connects. `certificate_name`: the common name of its verified certificate, if it has one."""

    encrypted: bool = False
    certificate_name: str | None = None


class TlsContext:
    """The OpenSSL context of new handshakes, made anew when one of its files was replaced."""

    def __init__(
        self,
        certificates: Sequence[tuple[Path, Path]],
        *,
        client_ca: Path | None,
        static_rsa: bool,
        monotonic: Callable[[], float],
    ) -> None:
        """`certificates`: chain and key of each kind of key (RSA, ECDSA). `client_ca`: who signs the certificates of stations;
        None: they are asked for none. Raises SettingsError when a file cannot be used."""
        self._certificates = certificates
        self._client_ca = client_ca
        self._static_rsa = static_rsa
        self._monotonic = monotonic
        self._looked = monotonic()
        self._state = self._file_state()
        self._context = self._make()

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """The server's end of a handshake that is still to come. Takes `sock` over. Raises OSError when the peer is gone."""
        self._look_again()
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _look_again(self) -> None:
        now = self._monotonic()
        if now - self._looked < LOOK_AGAIN_S:
            return
        self._looked = now
        try:
            state = self._file_state()
            if state == self._state:
                return
            self._context = self._make()
        except SettingsError as error:
            # a renewal may be half done: what was loaded goes on
            log.error("gateway.tls_not_reloaded", error=str(error))
            return
        self._state = state
        log.info("gateway.tls_reloaded")

    def _file_state(self) -> list[tuple[int, int]]:
        files = [file for pair in self._certificates for file in pair]
        if self._client_ca is not None:
            files.append(self._client_ca)
        try:
            return [(status.st_mtime_ns, status.st_ino) for status in map(Path.stat, files)]
        except OSError as error:
            raise SettingsError(f"the TLS file {error.filename} cannot be read: {error.strerror}") from None

    def _make(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(f"{_CIPHERS}:{_STATIC_RSA_CIPHERS}" if self._static_rsa else _CIPHERS)
        for chain, key in self._certificates:
            try:
                # with a password nobody is asked for one on the terminal
                context.load_cert_chain(chain, key, password="")
            except (OSError, ValueError) as error:
                raise SettingsError(
                    f"the TLS certificate {chain} and its key {key} cannot be used: {_reason(error)}; "
                    "wanted are PEM files that belong together, the server's own certificate first, the key without a password"
                ) from None
        if self._client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            try:
                context.load_verify_locations(self._client_ca)
            except (OSError, ValueError) as error:
                raise SettingsError(f"ocpp_tls_client_ca: {self._client_ca} cannot be used: {_reason(error)}") from None
        return context


def tls_of(settings: Settings, monotonic: Callable[[], float]) -> TlsContext | None:
    """The TLS that the settings ask for, if they do. Raises SettingsError when a file cannot be used."""
    if not settings.ocpp_tls_certificate:
        return None
    return TlsContext(
        list(zip(settings.ocpp_tls_certificate, settings.ocpp_tls_key, strict=True)),
        client_ca=settings.ocpp_tls_client_ca,
        static_rsa=settings.ocpp_tls_static_rsa,
        monotonic=monotonic,
    )


async def shake_hands(sock: ssl.SSLSocket) -> Peer:
    """Raises OSError, of which ssl.SSLError is one, when the handshake fails."""
    while True:
        try:
            sock.do_handshake()
            break
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(sock)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(sock)
    certificate = sock.getpeercert() or {}
    subject: tuple[tuple[tuple[str, str], ...], ...] = certificate.get("subject", ())  # type: ignore[assignment]  # one of many members
    names = [value for part in subject for kind, value in part if kind == "commonName"]
    return Peer(True, names[0] if len(names) == 1 else None)


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
