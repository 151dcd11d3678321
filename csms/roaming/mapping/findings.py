"""What stands against telling partners of an object, and what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from schemas.ocpi221.base import OcpiObject, Remark

Thing = TypeVar("Thing", bound=OcpiObject)

Weight = Literal["withheld", "assumed"]
"""withheld: it is not told for this reason. assumed: it is told, with something that nobody entered."""


class Finding(msgspec.Struct, frozen=True):
    """Something that a person should complete. `object_id`: of the object of its module that this is about; `field` is a path in
    our own data (`latitude`, `evses[1].connectors[2].type`), or in the OCPI object where it is about its limits."""

    module: str
    object_id: str
    field: str
    reason: str
    weight: Weight = "withheld"
    charge_point_id: str | None = None


class Mapped(NamedTuple, Generic[Thing]):
    """An object as partners get it, None if they cannot, and what was found."""

    thing: Thing | None
    findings: tuple[Finding, ...]


def of_remarks(module: str, object_id: str, remarks: Iterable[Remark], charge_point_id: str | None = None) -> list[Finding]:
    """Findings for what a strict check has against an object (schemas.ocpi221.writing.check)."""
    return [
        Finding(module, object_id, remark.field, f"{remark.text} ({remark.rule})", charge_point_id=charge_point_id)
        for remark in remarks
    ]
