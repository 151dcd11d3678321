"""Objects of OCPI 2.1.1 and 2.3.0, what a conversion has to know about 2.2.1 documents, and how two documents differ."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import schemas.ocpi_versions.versions  # noqa: F401 (it brings in every module)
from schemas import ocpi211, ocpi230
from schemas.ocpi211 import locations as locations211
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.headers import Party
from schemas.ocpi221.sessions import Session
from schemas.ocpi230 import cdrs as cdrs230
from schemas.ocpi230 import credentials as credentials230
from schemas.ocpi_versions.port import Context
from tests.unit.ocpi221.generation import MENDS, types

MENDS[locations211.Hours] = lambda given: {
    "regular_hours": () if given["twentyfourseven"] else given["regular_hours"],
    "twentyfourseven": None if given["regular_hours"] and not given["twentyfourseven"] else given["twentyfourseven"],
}
MENDS[credentials230.Credentials] = lambda given: {
    "roles": given["roles"][:1],
    "hub_party_id": None if given["hub_party_id"] is None else (given["hub_party_id"] + "xxx")[:5],
}

MENDS[cdrs230.CDR] = MENDS[CDR]
MENDS[cdrs230.Session] = MENDS[Session]

TYPES_211 = types(ocpi211.__name__)
TYPES_230 = types(ocpi230.__name__)

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
CPO = Party("BE", "BEC")
EMSP = Party("NL", "TNM")
_INDEX = re.compile(r"\[\d+\]")


def context(**changes: Any) -> Context:
    """A connection on which our eMSP has a CPO as partner."""
    return Context(**{"partner": CPO, "own": EMSP, "time_zone": "Europe/Brussels", "now": NOW, **changes})


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """The paths, without indexes, at which two documents differ; null, absent and an empty list are the same (B1)."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(set(one) | set(other)):
            yield from differences(one.get(name), other.get(name), f"{path}.{name}".removeprefix("."))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for left, right in zip(one, other, strict=True):
            yield from differences(left, right, path)
    elif one in (None, []) and other in (None, []):
        return
    elif one != other and not _same_degrees(one, other, path):
        yield path


def _same_degrees(one: Any, other: Any, path: str) -> bool:
    """2.1.1 writes all coordinates with six decimals."""
    return path.endswith(("latitude", "longitude")) and None not in (one, other) and Decimal(one) == Decimal(other)


def unnamed(found: Iterator[str], losses: Any, names: tuple[tuple[str, str], ...] = ()) -> set[str]:
    """Those of the paths that no loss is about: it names them, something in them, or what they are in."""
    told = {_INDEX.sub("", loss.field) for loss in losses}
    for name, other in names:
        told |= {re.sub(rf"\b{name}\b", other, field) for field in told}
    return {
        path
        for path in found
        if not any(f"{path}.".startswith(f"{field}.") or f"{field}.".startswith(f"{path}.") for field in told)
    }
