"""A station to handle messages for, and the two judges of what a version module makes: native codec and JSON Schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal
from uuid import UUID

from jsonschema import Draft202012Validator

from csms.domain.operations import Operation, Registration
from csms.tenants import TenantConfig
from gateway.effects import Commit, Effect, Reply
from schemas.json_schema import json_schema
from schemas.tables import native_tables

NOW = datetime(2025, 6, 1, 12, 0, 0, 123_456, UTC)
NOW_TEXT = "2025-06-01T12:00:00.123Z"
COMMAND_ID = UUID("01975f6e-8c00-7000-8000-0000f2345678")


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Station:
    ocpp_version: str
    tenant_id: int = 3
    station_id: int = 14
    identity: str = "CP-14"
    epoch: int = 5
    registration: Registration = "accepted"
    clock: FixedClock = field(default_factory=FixedClock)
    tenant: TenantConfig = field(default_factory=lambda: TenantConfig(3, "acme", "accept", "refuse", True, "UTC", "EUR", 300))
    certificate_name: str | None = None


def payload_of(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def committed(effect: Effect, kind: type[Operation]) -> Any:
    """The operation of an effect, which must be a Commit of that kind for the station above."""
    assert isinstance(effect, Commit)
    assert type(effect.operation) is kind
    assert (effect.operation.tenant_id, effect.operation.station_id) == (3, 14)
    return effect.operation


def answered(version: str, action: str, effect: Effect, outcome: Any = None) -> dict[str, Any]:
    """The answer of an effect; it must be a valid response of the version."""
    assert isinstance(effect, Commit | Reply)
    payload = effect.payload if isinstance(effect, Reply) else effect.answer(outcome)
    assert_valid(version, action, "response", payload)
    return dict(json.loads(payload))


def assert_valid(version: str, action: str, kind: Literal["request", "response"], payload: bytes) -> None:
    faults = [error.message for error in _validator(version, action, kind).iter_errors(json.loads(payload))]
    assert not faults, (action, payload, faults)
    catalogue = _catalogue()
    if catalogue is not None:
        fault = catalogue.validate(version, action, kind, payload)
        assert fault is None, (action, payload, fault.path, fault.rule)


@cache
def _validator(version: str, action: str, kind: Literal["request", "response"]) -> Draft202012Validator:
    return Draft202012Validator(json_schema(version, action, kind), format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def _catalogue() -> Any:
    """The native judge; None in a checkout where it has not been built."""
    if find_spec("gateway._native") is None:
        return None
    return import_module("gateway._native").Catalogue(native_tables())
