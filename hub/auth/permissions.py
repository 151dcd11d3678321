"""Who may do what: roles and their permissions, in the form resource.action."""

from __future__ import annotations

from typing import Final

from csms.store.queries.users import Role

_VIEWER: Final = frozenset(
    {
        "cdrs.read",
        "chargepoints.read",
        "commands.read",
        "events.read",
        "id_tokens.read",
        "locations.read",
        "me.read",
        "ocpi.read",
        "payments.read",
        "sessions.read",
        "statements.read",
        "tariffs.read",
        "tenants.read",
    }
)
_OPERATOR: Final = _VIEWER | {
    "chargepoints.write",
    "commands.send",
    "external_authorization.read",
    "id_tokens.check",
    "id_tokens.write",
    "locations.write",
    "offline_policy.write",
    "payments.write",
    "quarantine.read",
    "quarantine.write",
    "sessions.force_stop",
    "sessions.resolve",
    "sessions.stop",
    "tariffs.preview",
    "tariffs.write",
    "tolerance_rules.read",
}
_TENANT_ADMIN: Final = _OPERATOR | {
    "api_keys.read",
    "api_keys.write",
    "external_authorization.write",
    "ocpi.write",
    "payments.configure",
    "statements.write",
    "tenants.configure",
    "tolerance_rules.write",
    "users.read",
    "users.write",
}
_ADMIN: Final = _TENANT_ADMIN | {"ocpi.hub", "tenants.create", "tenants.list"}

PERMISSIONS: Final[dict[Role, frozenset[str]]] = {
    "viewer": _VIEWER,
    "operator": _OPERATOR,
    "tenant_admin": _TENANT_ADMIN,
    "admin": _ADMIN,
}
"""`admin` is the platform's administrator: all tenants, lives in the tenant `default`. The others act on their own tenant."""

_RANK: Final[dict[Role, int]] = {"viewer": 0, "operator": 1, "tenant_admin": 2, "admin": 3}


def allows(role: Role, permission: str) -> bool:
    return permission in PERMISSIONS[role]


def may_grant(granter: Role, granted: Role) -> bool:
    """Nobody hands out, changes or takes away a role above his own."""
    return _RANK[granted] <= _RANK[granter]
