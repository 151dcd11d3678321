"""OCPI 2.2.1, the versions endpoints."""

from typing import Annotated, Literal

from schemas.ocpi221.base import AbsentAs, AtLeastOne, CallableUrl, OcpiObject

# 2.3.0 came later (digest, 20); the list of versions is the same document in all of them.
VersionNumber = Literal["2.0", "2.1", "2.1.1", "2.2", "2.2.1", "2.3.0"]
InterfaceRole = Literal["SENDER", "RECEIVER"]
ModuleID = Literal[
    "cdrs", "chargingprofiles", "commands", "credentials", "hubclientinfo", "locations", "sessions", "tariffs", "tokens"
]  # fmt: skip


class Version(OcpiObject, frozen=True, kw_only=True):
    """A version that a platform offers, and where its details are."""

    version: VersionNumber | str
    url: CallableUrl


class Endpoint(OcpiObject, frozen=True, kw_only=True):
    """The base URL of a module in a role. The role of `credentials` means nothing; ours is SENDER (V3).

    `role` is None only in what partners send (Z16).
    """

    identifier: ModuleID | str
    role: Annotated[InterfaceRole | str | None, AbsentAs(None, "Z16")]
    url: CallableUrl


class VersionDetails(OcpiObject, frozen=True, kw_only=True):
    """The endpoints of a version; a module may be there once per role (V2)."""

    version: VersionNumber | str
    endpoints: Annotated[tuple[Endpoint, ...], AtLeastOne()]
