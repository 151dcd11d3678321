"""People who sign in: their passwords, the first administrator, and setting a password from the command line."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import trio
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from csms.clock import Ids
from csms.settings import Settings
from csms.store import Store
from csms.store.queries import auth as auth_queries
from csms.store.queries import users as user_queries
from csms.tenants import DEFAULT_TENANT

MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 200
DEFAULT_ADMIN_EMAIL: Final = "admin@localhost"

T = TypeVar("T")

_AT_ONCE: Final = 2
_MAX_WAITING: Final = 50

_DECOY: Final = "$argon2id$v=19$m=65536,t=3,p=4$JmuMNS0zMTo0JaZ0wMeSlA$Z5rTIy+p3nhQmuMFcUqRDqdbx/wmnOyJKBg4tbTub20"
"""A hash of nothing, with the hasher's parameters: unknown users cost as much time as known ones."""


class UnknownUser(Exception):
    """There is no such tenant, or no user with this e-mail address in it."""


class BadPassword(ValueError):
    """The password cannot be used; the message says why."""


def check_password(password: str) -> None:
    """Raise BadPassword unless it is long enough to be one, and not so long that hashing it is an attack."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadPassword(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if "\0" in password:
        raise BadPassword("a password has no NUL character")


class TooManyHashes(Exception):
    """So many passwords wait to be hashed that one more would only make it worse: try again later."""


class HashWorkers:
    """Worker threads for slow hashes: two at a time, because each takes about 100 ms of CPU and 64 MiB of memory in a
    process that may hold stations too. At most 50 wait."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """`work(*arguments)` in a thread. Raises TooManyHashes."""
        if self._limiter.statistics().tasks_waiting >= _MAX_WAITING:
            raise TooManyHashes
        return await trio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)


class UserPasswords:
    """argon2id hashes of user passwords, made by `workers`. All methods raise TooManyHashes."""

    def __init__(self, workers: HashWorkers) -> None:
        self._hasher = PasswordHasher()
        self._workers = workers

    async def hash(self, password: str) -> str:
        return await self._workers.run(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare with a stored hash; None (no such user) takes as long and is always False."""
        matches = await self._workers.run(self._verify, stored or _DECOY, password)
        return matches and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


async def ensure_first_admin(store: Store, settings: Settings, ids: Ids) -> str | None:
    """Make the platform's first administrator in the tenant `default` when there is none.

    Gives the password that was made up, to be shown once; None when there was an administrator already or the settings
    name the password. Raises BadPassword, StoreUnavailable.
    """
    tenant_id = await _tenant_id(store, DEFAULT_TENANT)
    if await store.hub.tenant_unit(tenant_id, lambda conn: user_queries.count_admins(conn, tenant_id, active_only=False)):
        return None
    made_up = None
    password = settings.admin_password
    if password is None:
        password = made_up = base64.urlsafe_b64encode(ids.token(15)).decode()
    check_password(password)
    hashed = await UserPasswords(HashWorkers()).hash(password)
    email = settings.admin_email or DEFAULT_ADMIN_EMAIL
    inserted = await store.hub.tenant_unit(
        tenant_id, lambda conn: user_queries.insert_first_admin(conn, tenant_id, ids.uuid7(), email, hashed)
    )
    return made_up if inserted else None


async def set_password(store: Store, tenant_slug: str, email: str, password: str) -> None:
    """Give a user a new password and enable him again; his tokens become void. Raises UnknownUser, BadPassword."""
    check_password(password)
    tenant_id = await _tenant_id(store, tenant_slug)
    hashed = await UserPasswords(HashWorkers()).hash(password)
    if not await store.hub.tenant_unit(tenant_id, lambda conn: user_queries.set_password(conn, tenant_id, email, hashed)):
        raise UnknownUser(f"there is no user {email} in the tenant {tenant_slug}")


async def _tenant_id(store: Store, slug: str) -> int:
    tenant = await store.auth.unit(lambda conn: auth_queries.find_tenant(conn, slug))
    if tenant is None:
        raise UnknownUser(f"there is no tenant {slug}")
    return tenant.tenant_id
