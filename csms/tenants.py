"""Tenant settings as every process sees them: a directory refreshed from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from csms.domain.external import AskingRules
from csms.domain.tolerance import RuleSet, Validation

DEFAULT_TENANT = "default"

NO_RULES: Final = RuleSet()


class TenantConfig(msgspec.Struct, frozen=True):
    """The settings of one tenant that decide about stations and tokens."""

    tenant_id: int
    slug: str
    onboarding: Literal["accept", "pending", "refuse"]
    unknown_tokens: Literal["refuse", "accept"]
    allow_unauthenticated: bool
    time_zone: str
    currency: str
    heartbeat_interval_s: int
    validation: Validation = "tolerant"
    tolerance_version: int = 0
    """Raised with every change of the tenant's tolerance rules."""
    external: AskingRules | None = None
    """Set when a third party is asked about tokens."""

    def in_try_out(self) -> TenantConfig:
        """Try-out mode: take unknown stations without a password, keep unknown tokens as unknown (design 2)."""
        return msgspec.structs.replace(self, onboarding="accept", unknown_tokens="accept", allow_unauthenticated=True)


class TenantDirectory:
    """All tenants by slug and by id, as of the last refresh. Look-ups are in memory; the store refreshes it."""

    def __init__(self, *, try_out: bool) -> None:
        self._try_out = try_out
        self._by_slug: dict[str, TenantConfig] = {}
        self._by_id: dict[int, TenantConfig] = {}
        self._rules: dict[int, tuple[int, RuleSet]] = {}

    def replace_all(self, tenants: Iterable[TenantConfig]) -> None:
        found = [t.in_try_out() if self._try_out and t.slug == DEFAULT_TENANT else t for t in tenants]
        self._by_slug = {t.slug: t for t in found}
        self._by_id = {t.tenant_id: t for t in found}

    def by_slug(self, slug: str) -> TenantConfig | None:
        return self._by_slug.get(slug)

    def by_id(self, tenant_id: int) -> TenantConfig | None:
        return self._by_id.get(tenant_id)

    @property
    def rule_versions(self) -> dict[int, int]:
        """The versions of the tolerance rules that are known here, by tenant; a tenant without rules is not in it."""
        return {tenant_id: version for tenant_id, (version, _) in self._rules.items()}

    def replace_rules(self, changed: Mapping[int, tuple[int, RuleSet]]) -> None:
        """(version, rules) of tenants whose rules have changed."""
        self._rules |= changed

    def rules(self, tenant_id: int) -> RuleSet:
        """The tenant's tolerance rules."""
        known = self._rules.get(tenant_id)
        return NO_RULES if known is None else known[1]
