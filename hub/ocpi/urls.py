"""Our own OCPI URLs (T3, V2): built here, read here.

/ocpi/versions                         the versions endpoint
/ocpi/{version}                        the details of a version
/ocpi/{version}/credentials
/ocpi/{version}/{sender|receiver}/{module}/...
/ocpi/{cpo|emsp}/versions              the same for versions in which we are one thing on a connection (digest 21): what we are
/ocpi/{cpo|emsp}/{version}[/credentials]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from schemas.ocpi221.urls import join_url, path_segments
from schemas.ocpi221.versions import InterfaceRole
from schemas.ocpi_versions.port import Peer

PREFIX: Final = "/ocpi"
VERSIONS: Final = "versions"
CREDENTIALS: Final = "credentials"

_ROLES: Final[dict[str, InterfaceRole]] = {"sender": "SENDER", "receiver": "RECEIVER"}
_PEERS: Final[dict[str, Peer]] = {"cpo": "CPO", "emsp": "EMSP"}


class OwnUrls:
    """`public_url` is where partners reach this installation, without a path; known when the server listens."""

    def __init__(self, public_url: str) -> None:
        self._base = public_url.rstrip("/") + PREFIX

    @property
    def base(self) -> str:
        return self._base

    def versions(self, role: Peer | None = None) -> str:
        """`role`: as what we are asked; None: that is not said."""
        return join_url(self._base, *_as(role), VERSIONS)

    def details(self, version: str, role: Peer | None = None) -> str:
        return join_url(self._base, *_as(role), version)

    def credentials(self, version: str, role: Peer | None = None) -> str:
        return join_url(self._base, *_as(role), version, CREDENTIALS)

    def endpoint(self, version: str, module: str, role: InterfaceRole, *segments: str) -> str:
        return join_url(self._base, version, role.lower(), module, *segments)


def _as(role: Peer | None) -> tuple[str, ...]:
    return () if role is None else (role.lower(),)


@dataclass(frozen=True, slots=True)
class OwnPath:
    """What a path below /ocpi names. `segments` are those after the endpoint, decoded; `peer`: as what we are asked."""

    kind: Literal["versions", "details", "module"]
    version: str | None = None
    module: str | None = None
    role: InterfaceRole | None = None
    segments: tuple[str, ...] = ()
    peer: Peer | None = None


def read_path(raw_path: str) -> OwnPath | None:
    """What `raw_path`, still encoded, names (T4, Z2, Z26); None: nothing of ours."""
    segments = path_segments(raw_path)
    if not segments or segments[0] != PREFIX.strip("/") or len(segments) < 2:
        return None
    peer = _PEERS.get(segments[1].lower())
    named = segments[1 if peer is None else 2 :]
    if not named:
        return None
    if named[0] == VERSIONS:
        return OwnPath("versions", peer=peer) if len(named) == 1 else None
    version, rest = named[0], named[1:]
    if not rest:
        return OwnPath("details", version, peer=peer)
    if rest[0] == CREDENTIALS:
        return OwnPath("module", version, CREDENTIALS, None, rest[1:], peer)
    role = _ROLES.get(rest[0].lower())
    if role is None or len(rest) < 2 or peer is not None:
        return None
    return OwnPath("module", version, rest[1], role, rest[2:])
