"""Roles and permissions."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, get_args

from csms.store.queries.users import Role
from hub.auth.permissions import PERMISSIONS, allows, may_grant
from hub.routes import all_routes

ORDER: Final[tuple[Role, ...]] = ("viewer", "operator", "tenant_admin", "admin")


def test_each_role_may_what_the_lesser_one_may() -> None:
    assert set(PERMISSIONS) == set(get_args(Role)) == set(ORDER)
    for lesser, greater in pairwise(ORDER):
        assert PERMISSIONS[lesser] < PERMISSIONS[greater]


def test_a_viewer_changes_nothing() -> None:
    for row in all_routes():
        if row.changes and row.permission is not None:
            assert not allows("viewer", row.permission), row.path


def test_every_permission_is_used_and_every_route_has_one() -> None:
    used = {row.permission for row in all_routes() if row.permission is not None} | {"sessions.force_stop"}
    assert used == PERMISSIONS["admin"]
    public = {row.path for row in all_routes() if row.permission is None}
    assert {path for path in public if path.startswith("/api/")} == {
        "/api/v1/auth/login",
        "/api/v1/auth/refresh",
        "/api/v1/auth/logout",
    }


def test_secrets_of_a_tenant_are_for_its_administrators() -> None:
    for permission in ("users.read", "users.write", "api_keys.read", "api_keys.write", "tenants.configure"):
        assert not allows("operator", permission)
        assert allows("tenant_admin", permission)
    assert not allows("tenant_admin", "tenants.list")


def test_nobody_grants_what_is_above_himself() -> None:
    for index, granter in enumerate(ORDER):
        assert [may_grant(granter, granted) for granted in ORDER] == [place <= index for place in range(4)]
