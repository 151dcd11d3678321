"""Attacks on access tokens: every one ends in 401 (attack V20, RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import trio
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from csms.clock import SystemClock, SystemIds
from csms.secret import JWT_SIGNING, RootSecret
from hub.auth.access_tokens import AccessTokens
from tests.integration.hub.harness import Person, RunningHub


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(header: dict[str, Any], claims: Any, key: bytes, digest: str = "sha256") -> str:
    body = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{body}.{_b64(hmac.digest(key, body.encode(), digest))}"


def _attacks(good: str, key: bytes) -> Iterator[tuple[str, str]]:
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    plain = {"alg": "HS256", "typ": "JWT"}
    none = _b64(json.dumps({"alg": "none", "typ": "JWT"}).encode())
    yield "no signature", f"{head}.{body}."
    yield "alg none", f"{none}.{body}."
    yield "alg none with the old signature", f"{none}.{body}.{signature}"
    yield "alg NONE in capitals", _b64(b'{"alg":"NONE","typ":"JWT"}') + f".{body}."
    yield "another key", _sign(plain, claims, bytes(32))
    yield "the empty key", _sign(plain, claims, b"")
    yield "HS384 with the right key", _sign({**plain, "alg": "HS384"}, claims, key, "sha384")
    yield "HS512 with the right key", _sign({**plain, "alg": "HS512"}, claims, key, "sha512")
    public = RSAKey.generate_key(2048)
    yield "RS256", jwt.encode({"alg": "RS256"}, claims, public, algorithms=["RS256"])
    yield "HS256 with a public key's text", _sign(plain, claims, public.as_pem(private=False))
    yield "kid that is a path", _sign({**plain, "kid": "../../dev/null"}, claims, key)
    yield "kid that is SQL", _sign({**plain, "kid": "' OR 1=1 --"}, claims, key)
    yield "jku", _sign({**plain, "jku": "http://127.0.0.1/keys"}, claims, key)
    yield "x5u", _sign({**plain, "x5u": "http://127.0.0.1/cert"}, claims, key)
    yield "embedded jwk", _sign({**plain, "jwk": OctKey.import_key(bytes(32)).as_dict()}, claims, bytes(32))
    yield "crit", _sign({**plain, "crit": ["exp"]}, claims, key)
    yield "typ of something else", _sign({**plain, "typ": "at+jwt"}, claims, key)
    for name, change in (
        ("expired", {"exp": claims["iat"] - 1}),
        ("expired, as text", {"exp": str(claims["exp"])}),
        ("no end", {"exp": None}),
        ("a year long", {"exp": claims["iat"] + 31_536_000}),
        ("from the future", {"iat": claims["iat"] + 600, "exp": claims["exp"] + 600}),
        ("another audience", {"aud": "other"}),
        ("several audiences", {"aud": [claims["aud"], "other"]}),
        ("another issuer", {"iss": "other"}),
        ("another tenant", {"tenant": "default"}),
        ("a tenant that does not exist", {"tenant": "nowhere"}),
        ("a tenant that is SQL", {"tenant": "north' OR '1'='1"}),
        ("another user", {"sub": str(uuid4())}),
        ("a user that is no id", {"sub": "*"}),
        ("a role that does not exist", {"role": "root"}),
        ("an older token version", {"ver": -1}),
        ("an unknown claim", {"tenant_id": 1}),
    ):
        yield name, _sign(plain, {**claims, **change}, key)
    for name in claims:
        yield f"without {name}", _sign(plain, {k: v for k, v in claims.items() if k != name}, key)
    yield "claims that are a list", _sign(plain, [claims], key)
    yield "claims nested deeply", f"{head}.{_b64(b'[' * 900)}.{signature}"
    yield "a changed byte", f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    yield "four parts", f"{good}.x"
    yield "very long", good + "A" * 5000
    yield "a JWE", f"{head}.{body}.{signature}.{body}.{signature}"
    yield "only dots", ".."
    yield "no base64", "$.$.$"


async def test_every_attack_is_refused_alike(hub: RunningHub, boss: Person, root_secret: RootSecret) -> None:
    client = hub.client()
    answers = {}
    for name, token in _attacks(boss.access_token, root_secret.derive(JWT_SIGNING)):
        answer = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, name
        answers[name] = answer.content
    assert len(answers) > 40
    assert len(set(answers.values())) == 1
    assert (await boss.get("/api/v1/me")).status_code == 200


async def test_the_role_in_a_token_gives_nothing(hub: RunningHub, boss: Person, root_secret: RootSecret) -> None:
    """Signed by us or not: the role is read from the database."""
    viewer = await hub.make_user(boss, "viewer")
    _, body, _ = viewer.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    risen = _sign({"alg": "HS256", "typ": "JWT"}, {**claims, "role": "admin"}, root_secret.derive(JWT_SIGNING))
    client = hub.client({"Authorization": f"Bearer {risen}"})
    assert (await client.get("/api/v1/me")).json()["role"] == "viewer"
    assert (await client.get("/api/v1/users")).status_code == 403


async def test_tokens_are_not_in_addresses(hub: RunningHub, boss: Person) -> None:
    client = hub.client()
    for name in ("access_token", "token", "api_key"):
        assert (await client.get(f"/api/v1/me?{name}={boss.access_token}")).status_code == 401


def test_tokens_differ_and_end() -> None:
    clock = SystemClock()
    tokens = AccessTokens(hashlib.sha256(b"key").digest(), clock, SystemIds(clock))
    user = uuid4()
    first, second = (tokens.issue(user_id=user, tenant="north", role="viewer", token_version=3) for _ in range(2))
    assert first != second
    claims = tokens.read(first)
    assert (claims.sub, claims.tenant, claims.role, claims.ver) == (user, "north", "viewer", 3)
    assert claims.exp - claims.iat == 900


async def test_a_flood_of_sign_ins_is_turned_away_before_it_is_hashed(hub: RunningHub, boss: Person) -> None:
    """120 guesses for as many accounts from one source: 100 are looked at in a minute."""
    client = hub.client()
    statuses: list[int] = []

    async def guess(number: int) -> None:
        body = {"email": f"user{number}@example.org", "password": "guess-guess", "tenant": "north"}
        statuses.append((await client.post("/api/v1/auth/login", json=body)).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(120):
            nursery.start_soon(guess, number)
    assert statuses.count(401) + statuses.count(503) <= 100
    assert statuses.count(429) >= 20
