"""Decides which faults of a message are forgiven: by the tenant's rules first, then by its mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from csms.domain.tolerance import Kind, Relaxation, RuleSet, counted_path
from csms.tenants import TenantConfig, TenantDirectory
from gateway.tolerance.essentials import BILLING, ESSENTIAL
from gateway.tolerance.makes import Make, read_make
from gateway.tolerance.sparing import Allow, Allowance, Removal, spare

if TYPE_CHECKING:
    from gateway._native import Catalogue

_BY_MODE = Allowance(None)


class Spared(NamedTuple):
    """A message without what broke its schema.

    `doubtful`: something was forgiven by the tenant's mode alone; the message counts as suspect and is kept as it was. What a
    rule spares is as if it had never been there: whoever made the rule has looked at it.
    """

    payload: bytes
    relaxations: tuple[Relaxation, ...]
    doubtful: bool


class Tolerance:
    """Asked only about messages that the codec has found faulty."""

    def __init__(self, catalogue: Catalogue, tenants: TenantDirectory) -> None:
        self._catalogue = catalogue
        self._tenants = tenants

    def spare_call(self, tenant: TenantConfig, make: Make, ocpp_version: str, action: str, payload: bytes) -> Spared | None:
        """A station's CALL as it can be taken; None: it is refused.

        A BootNotification is judged by the make that it names itself, if that can be read.
        """
        rules = self._tenants.rules(tenant.tenant_id)
        by_mode = tenant.validation == "tolerant" and action in BILLING[ocpp_version]
        if not rules and not by_mode:
            return None
        if rules and action == "BootNotification" and (named := read_make(payload)).vendor is not None:
            make = named
        allow = _judge(rules, "call", make, ocpp_version, action, by_mode=by_mode)
        spared = spare(self._catalogue, ocpp_version, action, "request", payload, ESSENTIAL.get(action, ()), allow)
        return None if spared is None else _told("call", ocpp_version, action, *spared)

    def spare_answer(self, tenant_id: int, make: Make, ocpp_version: str, action: str, payload: bytes) -> Spared | None:
        """A station's answer to our CALL as it can be taken; None: it stays an answer that breaks its schema."""
        rules = self._tenants.rules(tenant_id)
        if not rules:
            return None
        allow = _judge(rules, "answer", make, ocpp_version, action, by_mode=False)
        spared = spare(self._catalogue, ocpp_version, action, "response", payload, (), allow)
        return None if spared is None else _told("answer", ocpp_version, action, *spared)


def _judge(rules: RuleSet, kind: Kind, make: Make, ocpp_version: str, action: str, *, by_mode: bool) -> Allow:
    def allow(paths: tuple[str, ...]) -> Allowance | None:
        rule = rules.find(kind, make.vendor, make.model, ocpp_version, action, paths)
        if rule is not None:
            return Allowance(rule) if rule.effect == "spare" else None
        return _BY_MODE if by_mode else None

    return allow


def _told(kind: Kind, ocpp_version: str, action: str, payload: bytes, removals: list[Removal]) -> Spared:
    found = {
        (counted_path(fault.path), fault.rule): Relaxation(
            kind,
            ocpp_version,
            action,
            counted_path(fault.path),
            fault.rule,
            "tolerant" if rule is None else "rule",
            None if rule is None else rule.rule_id,
        )
        for fault, (rule,) in removals
    }
    return Spared(payload, tuple(found.values()), any(removal.allowance.rule is None for removal in removals))
