"""Access tokens: JWTs of 15 minutes, HS256 with a key derived from the root secret (RFC 7519, RFC 8725)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from csms.clock import Clock, Ids
from csms.store.queries.users import Role

ISSUER: Final = "open-csms"
AUDIENCE: Final = "open-csms-api"
LIFETIME: Final = timedelta(minutes=15)

_ALGORITHMS: Final = ["HS256"]
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}
_MAX_SIZE: Final = 2048
_CLOCK_SKEW_S: Final = 60


class InvalidToken(Exception):
    """Not a token of ours, or no longer."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tenant` is the slug of the user's home tenant, `ver` the user's token version at sign-in."""

    iss: str
    aud: str
    sub: UUID
    tenant: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{1,40}$")]
    role: Role
    ver: int
    iat: int
    exp: int
    jti: str


class AccessTokens:
    """Issues and reads access tokens."""

    def __init__(self, key: bytes, clock: Clock, ids: Ids) -> None:
        self._key = OctKey.import_key(key)
        self._clock = clock
        self._ids = ids

    def issue(self, *, user_id: UUID, tenant: str, role: Role, token_version: int) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "tenant": tenant,
            "role": role,
            "ver": token_version,
            "iat": now,
            "exp": now + int(LIFETIME.total_seconds()),
            "jti": self._ids.uuid4().hex,
        }
        return jwt.encode(dict(_HEADER), claims, self._key, algorithms=_ALGORITHMS)

    def read(self, text: str) -> Claims:
        """The claims of a good token. Raises InvalidToken for anything else, without saying what is wrong with it."""
        if len(text) > _MAX_SIZE:
            raise InvalidToken
        try:
            token = jwt.decode(text, self._key, algorithms=_ALGORITHMS)
            claims = msgspec.convert(token.claims, Claims)
        except (JoseError, msgspec.ValidationError, ValueError, TypeError, RecursionError):
            raise InvalidToken from None
        # exactly the header we write: no kid, jku, x5u, jwk, crit, b64 to be talked into anything
        if token.header != _HEADER or claims.iss != ISSUER or claims.aud != AUDIENCE:
            raise InvalidToken
        now = self._clock.now().timestamp()
        lifetime = claims.exp - claims.iat
        if claims.exp <= now or claims.iat > now + _CLOCK_SKEW_S or not 0 < lifetime <= LIFETIME.total_seconds():
            raise InvalidToken
        return claims
