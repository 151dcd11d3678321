"""Whoever follows few kinds of events has an index of just these: the newest migration that makes it tells what is in it."""

from __future__ import annotations

import re
from collections.abc import Set
from pathlib import Path

import pytest

import schemas
from csms.billing import worker as billing
from csms.roaming.publication import changes as roaming


@pytest.mark.parametrize(("name", "types"), [("outbox_billing", billing.TYPES), ("outbox_roaming", roaming.TYPES)])
def test_the_index_has_all_types_of_events_and_no_others(name: str, types: Set[str]) -> None:
    """Else the reader would not be served by it, or it would be larger than need be."""
    migrations = sorted((Path(schemas.__file__ or "").parent / "migrations").glob("*.sql"))
    text = "".join(migration.read_text() for migration in migrations)
    *_, index = re.findall(rf"CREATE INDEX {name} .*?WHERE type IN \(([^)]*)\)", text, re.DOTALL)
    assert set(re.findall(r"'([a-z_.]+)'", index)) == types
