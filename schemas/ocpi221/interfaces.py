"""Which module offers what in which role (OCPI 2.2.1; the endpoint table of our digest, by its numbers)."""

from typing import Final, Literal

from msgspec import Struct

from schemas.ocpi221.base import OcpiObject
from schemas.ocpi221.cdrs import CDR
from schemas.ocpi221.chargingprofiles import (
    ActiveChargingProfile,
    ActiveChargingProfileResult,
    ChargingProfileResponse,
    ChargingProfileResult,
    ClearProfileResult,
    SetChargingProfile,
)
from schemas.ocpi221.commands import COMMANDS, CommandResponse, CommandResult
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.hubclientinfo import ClientInfo
from schemas.ocpi221.locations import EVSE, Connector, Location
from schemas.ocpi221.sessions import ChargingPreferences, Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, LocationReferences, Token
from schemas.ocpi221.types import Role
from schemas.ocpi221.versions import InterfaceRole, ModuleID, Version, VersionDetails

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Base = Literal["endpoint", "versions", "version_details", "location_header", "response_url"]

PAGE_QUERY: Final = ("date_from", "date_to", "offset", "limit")

_LOCATION = (Location, EVSE, Connector)
_OWNED_LOCATION = (
    "/{country_code}/{party_id}/{location_id}",
    "/{country_code}/{party_id}/{location_id}/{evse_uid}",
    "/{country_code}/{party_id}/{location_id}/{evse_uid}/{connector_id}",
)
_OWN_LOCATION = ("/{location_id}", "/{location_id}/{evse_uid}", "/{location_id}/{evse_uid}/{connector_id}")
_OWNED_SESSION = ("/{country_code}/{party_id}/{session_id}",)
_OWNED_TARIFF = ("/{country_code}/{party_id}/{tariff_id}",)
_OWNED_TOKEN = ("/{country_code}/{party_id}/{token_uid}",)
_CLIENT = ("/{country_code}/{party_id}",)


class Operation(Struct, frozen=True, kw_only=True):
    """One row of the endpoint table.

    `number` is the row, `paths` come after the URL that `base` names: that of the module and role in the version details, or one
    got otherwise. `body` and `data` name the types of what goes in and out; where there are several paths, the type at the same
    place belongs to each, else any of them may come. `data` is empty for an answer without data. `listed`: `data` is a list, and
    `paged` that it comes in pages.
    """

    number: int
    module: ModuleID | Literal["versions", "invoicereconciliation"]
    role: InterfaceRole | None
    method: Method
    base: Base = "endpoint"
    paths: tuple[str, ...] = ("",)
    query: tuple[str, ...] = ()
    body: tuple[type[OcpiObject], ...] = ()
    body_required: bool = True
    data: tuple[type[OcpiObject] | type[str], ...] = ()
    listed: bool = False
    paged: bool = False
    partial: bool = False

    @property
    def routed(self) -> bool:
        """Whether routing headers are used."""
        return self.module not in _CONFIGURATION


FUNCTIONAL_MODULES: Final[frozenset[str]] = frozenset(
    {"cdrs", "chargingprofiles", "commands", "invoicereconciliation", "locations", "sessions", "tariffs", "tokens"}
)
"""Modules whose messages are routed; the others are for configuration (R17). Invoices are of 2.3.0 alone."""
_CONFIGURATION: Final = frozenset({"credentials", "hubclientinfo", "versions"})


def _row(
    number: int,
    module: ModuleID | Literal["versions"],
    role: InterfaceRole | None,
    method: Method,
    paths: tuple[str, ...] = ("",),
    *,
    base: Base = "endpoint",
    query: tuple[str, ...] = (),
    body: tuple[type[OcpiObject], ...] = (),
    body_required: bool = True,
    data: tuple[type[OcpiObject] | type[str], ...] = (),
) -> Operation:
    return Operation(
        number=number,
        module=module,
        role=role,
        method=method,
        base=base,
        paths=paths,
        query=query,
        body=body,
        body_required=body_required,
        data=data,
        listed=query == PAGE_QUERY or base == "versions",
        paged=query == PAGE_QUERY,
        partial=method == "PATCH",
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    _row(1, "versions", None, "GET", base="versions", data=(Version,)),
    _row(2, "versions", None, "GET", base="version_details", data=(VersionDetails,)),
    _row(3, "credentials", None, "GET", data=(Credentials,)),
    _row(4, "credentials", None, "POST", body=(Credentials,), data=(Credentials,)),
    _row(5, "credentials", None, "PUT", body=(Credentials,), data=(Credentials,)),
    _row(6, "credentials", None, "DELETE"),
    _row(7, "hubclientinfo", "SENDER", "GET", query=PAGE_QUERY, data=(ClientInfo,)),
    _row(8, "hubclientinfo", "RECEIVER", "GET", _CLIENT, data=(ClientInfo,)),
    _row(9, "hubclientinfo", "RECEIVER", "PUT", _CLIENT, body=(ClientInfo,)),
    _row(10, "locations", "SENDER", "GET", query=PAGE_QUERY, data=(Location,)),
    _row(11, "locations", "SENDER", "GET", _OWN_LOCATION, data=_LOCATION),
    _row(12, "locations", "RECEIVER", "GET", _OWNED_LOCATION, data=_LOCATION),
    _row(13, "locations", "RECEIVER", "PUT", _OWNED_LOCATION, body=_LOCATION),
    _row(14, "locations", "RECEIVER", "PATCH", _OWNED_LOCATION, body=_LOCATION),
    _row(15, "sessions", "SENDER", "GET", query=PAGE_QUERY, data=(Session,)),
    _row(16, "sessions", "SENDER", "PUT", ("/{session_id}/charging_preferences",), body=(ChargingPreferences,), data=(str,)),
    _row(17, "sessions", "RECEIVER", "GET", _OWNED_SESSION, data=(Session,)),
    _row(18, "sessions", "RECEIVER", "PUT", _OWNED_SESSION, body=(Session,)),
    _row(19, "sessions", "RECEIVER", "PATCH", _OWNED_SESSION, body=(Session,)),
    _row(20, "cdrs", "SENDER", "GET", query=PAGE_QUERY, data=(CDR,)),
    _row(21, "cdrs", "RECEIVER", "POST", body=(CDR,)),
    _row(22, "cdrs", "RECEIVER", "GET", base="location_header", data=(CDR,)),
    _row(23, "tariffs", "SENDER", "GET", query=PAGE_QUERY, data=(Tariff,)),
    _row(24, "tariffs", "RECEIVER", "GET", _OWNED_TARIFF, data=(Tariff,)),
    _row(25, "tariffs", "RECEIVER", "PUT", _OWNED_TARIFF, body=(Tariff,)),
    _row(26, "tariffs", "RECEIVER", "DELETE", _OWNED_TARIFF),
    _row(27, "tokens", "RECEIVER", "GET", _OWNED_TOKEN, query=("type",), data=(Token,)),
    _row(28, "tokens", "RECEIVER", "PUT", _OWNED_TOKEN, query=("type",), body=(Token,)),
    _row(29, "tokens", "RECEIVER", "PATCH", _OWNED_TOKEN, query=("type",), body=(Token,)),
    _row(30, "tokens", "SENDER", "GET", query=PAGE_QUERY, data=(Token,)),
    _row(
        31,
        "tokens",
        "SENDER",
        "POST",
        ("/{token_uid}/authorize",),
        query=("type",),
        body=(LocationReferences,),
        body_required=False,
        data=(AuthorizationInfo,),
    ),
    _row(
        32,
        "commands",
        "RECEIVER",
        "POST",
        tuple(f"/{command}" for command in COMMANDS),
        body=tuple(COMMANDS.values()),
        data=(CommandResponse,),
    ),
    _row(33, "commands", "SENDER", "POST", base="response_url", body=(CommandResult,)),
    _row(
        34,
        "chargingprofiles",
        "RECEIVER",
        "GET",
        ("/{session_id}",),
        query=("duration", "response_url"),
        data=(ChargingProfileResponse,),
    ),
    _row(
        35, "chargingprofiles", "RECEIVER", "PUT", ("/{session_id}",), body=(SetChargingProfile,), data=(ChargingProfileResponse,)
    ),
    _row(
        36,
        "chargingprofiles",
        "RECEIVER",
        "DELETE",
        ("/{session_id}",),
        query=("response_url",),
        data=(ChargingProfileResponse,),
    ),
    _row(
        37,
        "chargingprofiles",
        "SENDER",
        "POST",
        base="response_url",
        body=(ActiveChargingProfileResult, ChargingProfileResult, ClearProfileResult),
    ),
    _row(38, "chargingprofiles", "SENDER", "PUT", ("/{session_id}",), body=(ActiveChargingProfile,)),
)
"""Everything that may be asked for; all else is HTTP 404 or 405 (S5)."""

_BOTH: Final[tuple[InterfaceRole, ...]] = ("SENDER", "RECEIVER")
_SENDER: Final[tuple[InterfaceRole, ...]] = ("SENDER",)
_RECEIVER: Final[tuple[InterfaceRole, ...]] = ("RECEIVER",)

TYPICAL_INTERFACES: Final[dict[str, dict[Role, tuple[InterfaceRole, ...]]]] = {
    "cdrs": {"CPO": _SENDER, "EMSP": _RECEIVER, "HUB": _BOTH},
    "chargingprofiles": {"CPO": _RECEIVER, "HUB": _BOTH, "SCSP": _SENDER},
    "commands": {"CPO": _RECEIVER, "EMSP": _SENDER, "HUB": _BOTH},
    "credentials": {"CPO": _BOTH, "EMSP": _BOTH, "HUB": _BOTH, "NSP": _BOTH, "NAP": _BOTH, "SCSP": _BOTH},
    "hubclientinfo": {"CPO": _RECEIVER, "EMSP": _RECEIVER, "HUB": _SENDER, "NSP": _RECEIVER, "NAP": _RECEIVER, "SCSP": _RECEIVER},
    "locations": {"CPO": _SENDER, "EMSP": _RECEIVER, "HUB": _BOTH, "NSP": _RECEIVER, "NAP": _BOTH},
    "sessions": {"CPO": _SENDER, "EMSP": _RECEIVER, "HUB": _BOTH, "SCSP": _RECEIVER},
    "tariffs": {"CPO": _SENDER, "EMSP": _RECEIVER, "HUB": _BOTH, "NSP": _RECEIVER, "NAP": _BOTH},
    "tokens": {"CPO": _RECEIVER, "EMSP": _SENDER, "HUB": _BOTH},
    "versions": {"CPO": _BOTH, "EMSP": _BOTH, "HUB": _BOTH, "NSP": _BOTH, "NAP": _BOTH, "SCSP": _BOTH},
}
"""What a platform of each role usually implements; nothing of it is mandatory (section 3 of our digest)."""
