"""Hypothesis strategies for every OCPI type, derived from how the type is checked: what they make may be sent."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

import schemas.ocpi221.interfaces  # noqa: F401 (it brings in every module)
from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.cdrs import CDR, CdrDimension, ChargingPeriod
from schemas.ocpi221.chargingprofiles import ActiveChargingProfileResult
from schemas.ocpi221.commands import StartSession
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.locations import EVSE, Hours, Location, PublishTokenType, RegularHours
from schemas.ocpi221.objects import ListKind, Member, ObjectKind, kind_of
from schemas.ocpi221.scalars import (
    LARGEST_INTEGER,
    ChoiceKind,
    CoordinateKind,
    InstantKind,
    IntegerKind,
    Kind,
    NumberKind,
    TextKind,
    TruthKind,
    write_coordinate,
)
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import TariffElement
from schemas.ocpi221.writing import check

_ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
_PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"])
_URLS = st.sampled_from(["https://example.com", "http://a.example:8080/ocpi?x=1&y=%2F", "https://example.com/Zürich#1"])


def types(package: str = "schemas.ocpi221") -> list[type[OcpiObject]]:
    """Every type of every module of `package`."""
    found: list[type[OcpiObject]] = []
    waiting: list[type[OcpiObject]] = [OcpiObject]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        found += [sub for sub in subclasses if sub.__module__.startswith(f"{package}.")]
        waiting += subclasses
    return sorted(found, key=lambda type_: type_.__name__)


def objects(type_: type[OcpiObject]) -> st.SearchStrategy[Any]:
    """Objects of `type_` that may be sent."""
    kind = kind_of(type_)
    return st.fixed_dictionaries({member.name: _member(member) for member in kind.members}).map(lambda given: _mended(type_, given))


def _member(member: Member) -> st.SearchStrategy[Any]:
    values = _values(member.kind)
    return values if member.required else st.one_of(st.just(() if isinstance(member.kind, ListKind) else None), values)


def _values(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case TextKind(limits=limits, form=None):
            characters = _ASCII if limits.folded else _PRINTABLE
            texts = st.text(characters, min_size=limits.folded, max_size=min(limits.max, 40))
            return texts.map(lambda text: text if text.strip() else "x") if limits.folded else texts
        case TextKind(form=re.Pattern() as form) if "://" in form.pattern:
            return _URLS
        case TextKind(form=re.Pattern() as form):
            return st.from_regex(re.compile(form.pattern, re.ASCII), fullmatch=True)
        case CoordinateKind(limits=limits):
            return st.decimals(-limits.limit, limits.limit, places=6).map(write_coordinate)
        case NumberKind(limits=limits):
            places = 4 if limits.decimals is None else limits.decimals
            least = -(10**10) if limits.min is None else limits.min
            return st.decimals(least, 10**10 if limits.max is None else limits.max, places=places)
        case IntegerKind(limits=limits):
            least = -LARGEST_INTEGER if limits.min is None else limits.min
            return st.integers(least, LARGEST_INTEGER if limits.max is None else limits.max)
        case TruthKind():
            return st.booleans()
        case InstantKind():
            milliseconds = st.one_of(st.integers(0, 10**13), st.integers(0, 10**10).map(lambda seconds: seconds * 1000))
            return milliseconds.map(lambda count: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=count))
        case ChoiceKind(values=values):
            return st.sampled_from(sorted(values))
        case ListKind(item=item, at_least_one=at_least_one):
            return st.lists(_values(item), min_size=at_least_one, max_size=2).map(tuple)
        case ObjectKind(type=type_):
            return objects(type_)
        case _:
            raise AssertionError(kind)


def _mended(type_: type[OcpiObject], given: dict[str, Any]) -> OcpiObject:
    """An object of `given`, with what the rules between its fields ask for put right."""
    mend = next((MENDS[base] for base in type_.__mro__ if base in MENDS), None)
    thing = type_(**given if mend is None else {**given, **mend(given)})
    assert check(thing) == ()
    return thing


def _newest(given: dict[str, Any], children: str) -> datetime:
    newest: datetime = max([given["last_updated"], *(child.last_updated for child in given[children])])
    return newest


def _cdr(given: dict[str, Any]) -> dict[str, Any]:
    billed = [ChargingPeriod(start_date_time=p.start_date_time, dimensions=_BILLED) for p in given["charging_periods"]]
    credit = {"credit": True, "credit_reference_id": "original"} if given["credit"] else {"credit_reference_id": None}
    return {"charging_periods": tuple(billed), "id": "credit" if given["credit"] else "plain", **credit}


_BILLED = (CdrDimension(type="ENERGY", volume=Decimal("1.5")),)
MENDS: dict[type[OcpiObject], Callable[[dict[str, Any]], dict[str, Any]]] = {
    RegularHours: lambda given: {"period_begin": "00:00", "period_end": max(given["period_end"], "00:01")},
    Hours: lambda given: {"twentyfourseven": not given["regular_hours"]},
    PublishTokenType: lambda given: {"uid": given["uid"] or "1", "type": given["type"] or "RFID", "issuer": given["issuer"] or "I"},
    EVSE: lambda given: {"last_updated": _newest(given, "connectors")},
    Location: lambda given: {
        "last_updated": _newest(given, "evses"),
        "publish": given["publish"] and not given["publish_allowed_to"],
    },
    CDR: _cdr,
    ActiveChargingProfileResult: lambda given: {} if given["profile"] else {"result": "REJECTED"},
    StartSession: lambda given: {"evse_uid": given["evse_uid"] or "1"},
    TariffElement: lambda given: {} if {c.type for c in given["price_components"]} <= {"FLAT", "TIME"} else {"restrictions": None},
    Session: lambda given: {"evse_uid": "E" + given["evse_uid"][:35], "connector_id": "C" + given["connector_id"][:35]},
    Credentials: lambda given: {"roles": given["roles"][:1]},
}
