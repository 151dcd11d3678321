"""Signing in with e-mail and password, staying signed in, signing out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from csms.accounts import UserPasswords
from csms.clock import Clock, Ids
from csms.limits import SharedLimits
from csms.store import Store
from csms.store.queries import auth as auth_queries
from csms.store.queries import refresh_tokens as token_queries
from csms.store.queries.users import Role
from hub.api.problems import Problem, too_many
from hub.auth.access_tokens import LIFETIME, AccessTokens

REFRESH_LIFETIME: Final = timedelta(days=14)

_REFRESH_FORM: Final = re.compile(r"^csmsr_[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True, slots=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in: int


class SignIn:
    """At most 10 failed attempts a minute per account and source, 100 per source (security.md 7)."""

    def __init__(
        self,
        store: Store,
        tokens: AccessTokens,
        passwords: UserPasswords,
        limits: SharedLimits,
        clock: Clock,
        ids: Ids,
        refresh_key: bytes,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._passwords = passwords
        self._clock = clock
        self._ids = ids
        self._refresh_key = refresh_key
        self._per_account = limits.limit("account_and_source", 10, 60)
        self._per_source = limits.limit("account_source", 100, 60)

    async def sign_in(self, tenant: str, email: str, password: str, source: str) -> SignedIn:
        """Raises Problem 401 (the same for every cause) and 429, TooManyHashes."""
        account = (tenant, email.lower(), source)
        wait = max(self._per_source.take(source), self._per_account.take(account))
        if wait:
            raise too_many("too many sign-in attempts", int(wait) + 1)
        user = await self._store.auth.look(lambda conn: auth_queries.find_user(conn, tenant, email))
        matches = await self._passwords.verify(None if user is None else user.password_hash, password)
        if user is None or not matches or user.disabled_at is not None:
            raise _wrong()
        refresh = self._new_refresh_token()
        begun = await self._store.hub.tenant_unit(
            user.tenant_id,
            lambda conn: token_queries.begin_family(
                conn,
                user.tenant_id,
                self._digest(refresh),
                user.user_id,
                user.token_version,
                self._ids.uuid4(),
                self._refresh_end(),
            ),
        )
        if not begun:
            raise _wrong()
        self._per_account.give_back(account)
        self._per_source.give_back(source)
        return self._signed_in(user.user_id, user.slug, user.role, user.token_version, refresh)

    async def refresh(self, token: str, source: str) -> SignedIn:
        """Exchange a refresh token for new tokens. Used twice, all that came from its sign-in is void. Raises Problem 401."""
        wait = self._per_source.take(source)
        if wait:
            raise too_many("too many attempts", int(wait) + 1)
        digest = self._known_form(token)
        found = await self._store.auth.look(lambda conn: auth_queries.find_refresh_token(conn, digest))
        if found is None:
            raise _refused()
        fresh = self._new_refresh_token()
        account = await self._store.hub.tenant_unit(
            found.tenant_id,
            lambda conn: token_queries.rotate_token(
                conn, found.tenant_id, found.user_id, digest, self._digest(fresh), self._refresh_end()
            ),
        )
        if account is None:
            raise _refused()
        self._per_source.give_back(source)
        return self._signed_in(account.user_id, found.slug, account.role, account.token_version, fresh)

    async def sign_out(self, token: str) -> None:
        """End a sign-in: its refresh tokens are void, its access tokens run out within 15 minutes. Unknown tokens too."""
        if not _REFRESH_FORM.match(token):
            return
        digest = self._digest(token)
        found = await self._store.auth.look(lambda conn: auth_queries.find_refresh_token(conn, digest))
        if found is not None:
            await self._store.hub.tenant_unit(
                found.tenant_id, lambda conn: token_queries.revoke_family(conn, found.tenant_id, digest)
            )

    def _signed_in(self, user_id: UUID, tenant: str, role: Role, token_version: int, refresh: str) -> SignedIn:
        access = self._tokens.issue(user_id=user_id, tenant=tenant, role=role, token_version=token_version)
        return SignedIn(access, refresh, int(LIFETIME.total_seconds()))

    def _new_refresh_token(self) -> str:
        return "csmsr_" + base64.urlsafe_b64encode(self._ids.token(32)).rstrip(b"=").decode()

    def _refresh_end(self) -> datetime:
        return self._clock.now() + REFRESH_LIFETIME

    def _known_form(self, token: str) -> bytes:
        if not _REFRESH_FORM.match(token):
            raise _refused()
        return self._digest(token)

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._refresh_key, token.encode("ascii"), hashlib.sha256)


def _wrong() -> Problem:
    return Problem(401, "sign-in-failed", "the e-mail address or the password is wrong")


def _refused() -> Problem:
    return Problem(401, "refresh-refused", "the refresh token is not valid: sign in again")
