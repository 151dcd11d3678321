"""Which types go in and out with a request of OCPI 2.2.1 (the endpoint table of our digest)."""

from dataclasses import dataclass
from typing import Final

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import OPERATIONS, Operation
from schemas.ocpi_versions.port import VersionRequest

_ANYWHERE: Final = frozenset({"response_url", "location_header"})
"""What has an URL of its own, whose segments are nobody's but its owner's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The operation that a request is, and the types at its path; None for those that are the same in all versions."""

    operation: Operation
    body: type[OcpiObject] | None
    data: type[OcpiObject] | None
    owner: Party | None
    """Who the path says owns the object."""


def shape_of(request: VersionRequest) -> Shape | None:
    """What `request`, in the terms of 2.2.1, is; None if there is no such request."""
    loose: Operation | None = None
    for operation in OPERATIONS:
        if (operation.module, operation.role, operation.method) != (request.module, request.role, request.method):
            continue
        if operation.base in _ANYWHERE:
            loose = operation
            continue
        for index, path in enumerate(operation.paths):
            if _matches(path, request.segments):
                return Shape(
                    operation=operation,
                    body=_type(operation.body, index, len(operation.paths)),
                    data=_type(operation.data, index, len(operation.paths)),
                    owner=_owner(path, request.segments),
                )
    if loose is None:
        return None
    return Shape(operation=loose, body=_type(loose.body, 0, 1), data=_type(loose.data, 0, 1), owner=None)


def _matches(path: str, segments: tuple[str, ...]) -> bool:
    wanted = [step for step in path.split("/") if step]
    return len(wanted) == len(segments) and all(
        step.startswith("{") or step == segment for step, segment in zip(wanted, segments, strict=True)
    )


def _type(types: tuple[type[OcpiObject] | type[str], ...], index: int, paths: int) -> type[OcpiObject] | None:
    if not types or (len(types) > 1 and len(types) != paths):
        return None  # nothing, or one of several results of charging profiles
    found = types[index] if len(types) > 1 else types[0]
    return found if issubclass(found, OcpiObject) else None


def _owner(path: str, segments: tuple[str, ...]) -> Party | None:
    return Party(segments[0], segments[1]) if path.startswith("/{country_code}/{party_id}") else None
