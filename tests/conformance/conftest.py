"""One server for all vectors of a test process, on a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.certificates import Authority
from tests.conformance.scene import CALL_TIMEOUT, DEFAULT, PENDING, STRICT, Scene
from tests.e2e.databases import external_database
from tests.e2e.running import Api, RunningServer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Of the server's certificates, and of stations."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def vector_server(
    postgres: EmbeddedPostgres,
    migrated_template: str,
    root_secret: RootSecret,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
) -> Iterator[tuple[RunningServer, str, dict[str, Api]]]:
    folder: Path = tmp_path_factory.mktemp("vectors")
    with external_database(postgres, migrated_template, root_secret, folder) as (url, environment):
        pairs = [authority.issue("localhost", "ecdsa"), authority.issue("localhost", "rsa")]
        tls = {
            "CSMS_OCPP_TLS_CERTIFICATE": ",".join(str(chain) for chain, _ in pairs),
            "CSMS_OCPP_TLS_KEY": ",".join(str(key) for _, key in pairs),
            "CSMS_OCPP_TLS_CLIENT_CA": str(authority.file),
        }
        hurried = {"CSMS_CALL_TIMEOUT_S": str(int(CALL_TIMEOUT)), "CSMS_COST_INTERVAL_S": "1"}
        server = RunningServer(folder, {**environment, **tls, **hurried})
        try:
            server.start()
            with server.api() as api, server.api(STRICT) as strict, server.api(PENDING) as pending:
                for tenant, onboarding in ((STRICT, "accept"), (PENDING, "pending")):
                    api.post(
                        "/tenants",
                        {
                            "id": tenant,
                            "name": tenant,
                            "onboarding": onboarding,
                            "unknown_tokens": "refuse",
                            "allow_unauthenticated": True,
                            "admin": {"email": f"admin@{tenant}.test", "password": "a password for tests"},
                        },
                    )
                yield server, url, {DEFAULT: api, STRICT: strict, PENDING: pending}
        finally:
            server.ensure_gone()


@pytest.fixture
def scene(vector_server: tuple[RunningServer, str, dict[str, Api]], authority: Authority) -> Iterator[Callable[[str], Scene]]:
    """Makes the scene of one vector; its connections are closed at the end."""
    server, url, apis = vector_server
    scenes: list[Scene] = []

    def make(version: str) -> Scene:
        scenes.append(Scene(server, apis, url, version, authority))
        return scenes[-1]

    yield make
    for one in scenes:
        one.close()
