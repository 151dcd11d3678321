"""The payment providers in the box."""

from __future__ import annotations

from functools import partial

from csms.payments.port import Providers
from csms.payments.test_provider import NAME, DeterministicProvider
from csms.store import Database


def built_in(database: Database) -> Providers:
    """`database` is the hub role's."""
    return Providers({NAME: partial(DeterministicProvider, database)})
