"""Our own OCPI URLs (T3, V2): built here, read here.

/ocpi/versions                         the versions endpoint
/ocpi/{version}                        the details of a version
/ocpi/{version}/credentials
/ocpi/{version}/{sender|receiver}/{module}/...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from schemas.ocpi221.urls import join_url, path_segments
from schemas.ocpi221.versions import InterfaceRole

PREFIX: Final = "/ocpi"
VERSIONS: Final = "versions"
CREDENTIALS: Final = "credentials"

_ROLES: Final[dict[str, InterfaceRole]] = {"sender": "SENDER", "receiver": "RECEIVER"}


class OwnUrls:
    """`public_url` is where partners reach this installation, without a path; known when the server listens."""

    def __init__(self, public_url: str) -> None:
        self._base = public_url.rstrip("/") + PREFIX

    @property
    def base(self) -> str:
        return self._base

    def versions(self) -> str:
        return join_url(self._base, VERSIONS)

    def details(self, version: str) -> str:
        return join_url(self._base, version)

    def credentials(self, version: str) -> str:
        return join_url(self._base, version, CREDENTIALS)

    def endpoint(self, version: str, module: str, role: InterfaceRole, *segments: str) -> str:
        return join_url(self._base, version, role.lower(), module, *segments)


@dataclass(frozen=True, slots=True)
class OwnPath:
    """What a path below /ocpi names. `segments` are those after the endpoint, decoded."""

    kind: Literal["versions", "details", "module"]
    version: str | None = None
    module: str | None = None
    role: InterfaceRole | None = None
    segments: tuple[str, ...] = ()


def read_path(raw_path: str) -> OwnPath | None:
    """What `raw_path`, still encoded, names (T4, Z2, Z26); None: nothing of ours."""
    segments = path_segments(raw_path)
    if not segments or segments[0] != PREFIX.strip("/") or len(segments) < 2:
        return None
    if segments[1] == VERSIONS:
        return OwnPath("versions") if len(segments) == 2 else None
    version, rest = segments[1], segments[2:]
    if not rest:
        return OwnPath("details", version)
    if rest[0] == CREDENTIALS:
        return OwnPath("module", version, CREDENTIALS, None, rest[1:])
    role = _ROLES.get(rest[0].lower())
    if role is None or len(rest) < 2:
        return None
    return OwnPath("module", version, rest[1], role, rest[2:])
