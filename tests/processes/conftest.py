"""What the tests of several processes share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from csms.postgres import EmbeddedPostgres
from csms.secret import RootSecret
from tests.e2e.databases import external_database
from tests.processes.installation import Redis


@dataclass(frozen=True)
class Shared:
    """A database and a Redis for any number of processes."""

    database_url: str
    environment: dict[str, str]
    redis: Redis


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis.start()
    try:
        yield server
    finally:
        server.gone()


@pytest.fixture
def shared(
    postgres: EmbeddedPostgres, migrated_template: str, root_secret: RootSecret, redis: Redis, tmp_path: Path
) -> Iterator[Shared]:
    with external_database(postgres, migrated_template, root_secret, tmp_path) as (url, environment):
        yield Shared(url, {**environment, "CSMS_REDIS_URL": redis.url}, redis)
