"""Codetics OCPP, a complete CSMS on PostgreSQL: a Rust crate, run as it ships."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from bench.peers.peer import KNOWN_STATIONS, STATION_PREFIX, Peer, PeerUnavailable, Running
from bench.peers.server import server
from bench.peers.setup import place, prepared, require
from bench.processes import BenchError, free_port
from csms.postgres import EmbeddedPostgres, PostgresError

_NAME: Final = "codetics-ocpp"
_CRATE: Final = "codetics-ocpp-service"
_VERSION: Final = "0.1.0"
_SOURCE: Final = Path(__file__).parent
_EXTENSIONS: Final = ("pg_trgm", "unaccent")
_DEBIAN: Final = Path("/usr/lib/postgresql")
_TIMEOUT: Final = 30.0


def _prepare(cache: Path) -> None:
    require(_NAME, "cargo")
    with _postgres() as (url, _):
        missing = asyncio.run(_missing_extensions(url))
    if missing:
        raise PeerUnavailable(
            f"{_NAME} is left out: PostgreSQL has no {' and '.join(missing)} (contrib); CSMS_POSTGRES_BIN names another one"
        )
    prepared(_NAME, _SOURCE, cache, ("cargo", "install", _CRATE, "--version", f"={_VERSION}", "--locked", "--root", "."))


@contextmanager
def _run(cache: Path, port: int) -> Iterator[Running]:
    directory = place(cache, _SOURCE)
    api_port = free_port()
    with _postgres() as (url, postmaster):
        environment = {
            # its parser wants a host before the path, and takes the socket's folder from the query all the same
            "DATABASE_URL": url.replace("@/", "@localhost/", 1),
            "OCPP_LISTEN": f"127.0.0.1:{port}",
            "API_LISTEN": f"127.0.0.1:{api_port}",
            "AUTHORIZE_UNKNOWN_TOKENS": "true",
            "NODE_ID": "bench",
            "RUST_LOG": "error",
        }
        arguments = [str(directory / "bin" / _CRATE)]
        with server(arguments, port, directory, environment=environment, ends_with_input=False) as running:
            _register_stations(api_port)
            asyncio.run(_mark_booted(url))
            yield running._replace(postmaster=postmaster)


@contextmanager
def _postgres() -> Iterator[tuple[str, int]]:
    """A PostgreSQL with its defaults, thrown away afterwards: its URL and the postmaster."""
    folder = Path(tempfile.mkdtemp(prefix="csms-bench-peer-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, PostgreSQL runs as another user, who must get through
    postgres = EmbeddedPostgres(folder / "data", _binaries())
    try:
        url = postgres.start(timeout=120)
        if postgres.pid is None:
            raise BenchError("PostgreSQL has no process")
        yield url, postgres.pid
    except PostgresError as error:
        raise PeerUnavailable(f"{_NAME} is left out: {error}") from None
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    """The PostgreSQL that is named, else the machine's newest, which is more likely to have the extensions than our package."""
    named = os.environ.get("CSMS_POSTGRES_BIN")
    if named:
        return Path(named)
    versions = [folder for folder in _DEBIAN.glob("*/bin") if (folder / "postgres").is_file() and folder.parent.name.isdigit()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


async def _missing_extensions(url: str) -> list[str]:
    connection = await asyncpg.connect(url, timeout=_TIMEOUT)
    try:
        rows = await connection.fetch("SELECT name FROM pg_available_extensions", timeout=_TIMEOUT)
    finally:
        await connection.close(timeout=_TIMEOUT)
    available = {row["name"] for row in rows}
    return [extension for extension in _EXTENSIONS if extension not in available]


def _register_stations(port: int) -> None:
    """It refuses stations that it was not told of."""
    api = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    identities = [f"{STATION_PREFIX}{number:06d}" for number in range(1, KNOWN_STATIONS + 1)]
    try:
        for identity in ("CHECK-ocpp1.6", "CHECK-ocpp2.0.1", *identities):
            body = json.dumps({"ocpp_identity": identity, "name": identity})
            api.request("POST", "/api/v1/stations", body, {"Content-Type": "application/json"})
            answer = api.getresponse()
            said = answer.read()
            if answer.status not in (200, 201):
                raise BenchError(f"{_NAME} does not take station {identity}: {answer.status} {said[:200]!r}")
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{_NAME}: {type(error).__name__}: {error}") from None
    finally:
        api.close()


async def _mark_booted(url: str) -> None:
    """As after an earlier boot. A station that never booted is sent a TriggerMessage first, which the load does not expect."""
    connection = await asyncpg.connect(url, timeout=_TIMEOUT)
    try:
        await connection.execute("UPDATE charging_stations SET registration_status = 'Accepted'", timeout=_TIMEOUT)
    finally:
        await connection.close(timeout=_TIMEOUT)


PEER: Final = Peer(
    name=_NAME,
    language="Rust",
    version=_VERSION,
    licence="Apache-2.0",
    kind="system",
    stores="stations, transactions and meter values in PostgreSQL",
    threads="as many as there are cores (Tokio's multi-thread runtime); up to 20 PostgreSQL connections",
    protocols=("ocpp1.6", "ocpp2.0.1"),
    prepare=_prepare,
    run=_run,
)
