"""What 2.2.1 and 2.2 do not have of later versions: it stays in our store and is taken out on the way to such a partner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.cdrs import CDR, CdrLocation, CdrToken
from schemas.ocpi221.commands import ReserveNow, StartSession
from schemas.ocpi221.locations import EVSE, Connector, Location, PublishTokenType
from schemas.ocpi221.sessions import Session
from schemas.ocpi221.tariffs import Tariff
from schemas.ocpi221.tokens import AuthorizationInfo, Token
from schemas.ocpi221.types import Price
from schemas.ocpi_versions.documents import Fit, Rule, Rules, fitted, transformed
from schemas.ocpi_versions.losses import Losses
from schemas.ocpi_versions.port import Converted, Document, VersionRequest

CARRIERS: Final[frozenset[type[OcpiObject]]] = frozenset(
    {Location, EVSE, Connector, Session, CDR, Tariff, Token, AuthorizationInfo, ReserveNow, StartSession}
)
"""The types that something newer may be in; all others are the same in 2.2, 2.2.1 and 2.3.0."""

_MEMBERS_OF_230: Final[dict[type[OcpiObject], frozenset[str]]] = {
    Location: frozenset({"parking_places", "help_phone"}),
    EVSE: frozenset({"parking", "accepted_service_providers"}),
    Connector: frozenset({"capabilities"}),
    Price: frozenset({"taxes"}),
    Tariff: frozenset({"tax_included"}),
}
_VALUES_OF_230: Final = frozenset({"MCS", "SAE_J3400", "EMPLOYEES", "TAXIS", "TENANTS"})
_MEMBERS_OF_221: Final[dict[type[OcpiObject], frozenset[str]]] = {
    CDR: frozenset({"home_charging_compensation"}),
    CdrLocation: frozenset({"state"}),
    StartSession: frozenset({"connector_id"}),
}
_VALUES_OF_221: Final = frozenset(
    {
        "START_SESSION_CONNECTOR_REQUIRED",
        "AC_2_PHASE",
        "AC_2_PHASE_SPLIT",
        "CHAOJI",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
    }
)

FIT_221: Final = Fit(rule="2.2.1", strict=False, dropped=_MEMBERS_OF_230, refused=_VALUES_OF_230)
FIT_22: Final = Fit(
    rule="2.2", strict=False, dropped={**_MEMBERS_OF_230, **_MEMBERS_OF_221}, refused=_VALUES_OF_230 | _VALUES_OF_221
)

EMAID: Final = "EMAID"
"""Of 2.3.0; before it, such a token is an OTHER."""


_SUSPECTS: Final = ({EMAID} | _VALUES_OF_230).union(*_MEMBERS_OF_230.values()) - {"capabilities"}
_DEEPEST: Final = 20
"""Nothing that we know is that deep in a document; what is deeper was made up to do harm."""


def _may_have_newer(value: Any, depth: int = 0) -> bool:
    """Whether there is a name or value of 2.3.0 anywhere in a document, or capabilities that are not those of an EVSE.

    Most documents have none, and lists of them are long: so this is looked for before anything else is done.
    """
    if isinstance(value, str):
        return value in _SUSPECTS
    if depth > _DEEPEST:
        return True
    if isinstance(value, dict):
        if not _SUSPECTS.isdisjoint(value) or ("capabilities" in value and "connectors" not in value):
            return True
        value = value.values()
    elif not isinstance(value, list):
        return False
    return any(isinstance(inner, str | dict | list) and _may_have_newer(inner, depth + 1) for inner in value)


def without_newer(
    type_: type[OcpiObject], document: Any, fit: Fit, rules: Mapping[type[OcpiObject], Rule], *, partial: bool
) -> Converted:
    """`document` without what `fit` names, otherwise untouched (R4). `rules` are applied besides. Raises CannotSend."""
    if type_ not in CARRIERS or (not rules and not _may_have_newer(document)):
        return Converted(document)
    losses = Losses()

    def typed(thing: Document, losses: Losses) -> Document:
        if thing.get("type") == EMAID:
            losses.remark(fit.rule, f"{EMAID} is sent as OTHER", "type")
            thing["type"] = "OTHER"
        return thing

    objects: dict[type[OcpiObject], Rule] = {Token: typed, CdrToken: typed, PublishTokenType: typed, **rules}
    if CdrToken in rules:
        objects[CdrToken] = lambda thing, losses: rules[CdrToken](typed(thing, losses), losses)
    changed = transformed(type_, document, Rules(objects=objects), losses)
    return Converted(fitted(type_, changed, fit, losses, partial=partial), losses.told())


def query_without_newer(request: VersionRequest, rule: str) -> tuple[tuple[tuple[str, str], ...], tuple[Remark, ...]]:
    """K1: the query of a request about a token."""
    if request.module != "tokens" or ("type", EMAID) not in request.query:
        return request.query, ()
    query = tuple((name, "OTHER") if (name, value) == ("type", EMAID) else (name, value) for name, value in request.query)
    return query, (Remark("type", rule, f"{EMAID} is sent as OTHER"),)
