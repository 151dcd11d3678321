"""Station passwords: how they are stored, and how they are checked cheaply in a reconnect storm.

Machine-made passwords carry at least 128 random bits, so a salted, peppered HMAC is enough (about 1 us); passwords that a
person chose get argon2id, and a verified one is remembered as a keyed digest so that reconnects do not pay again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from csms.clock import Ids

Scheme = Literal["hmac", "argon2"]

_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789-_=."
_CACHE_SIZE: Final = 200_000


class StationPasswords:
    """Makes and checks stored station passwords. Passwords are bytes: OCPP 1.6 keys may be binary (security.md 1.2)."""

    def __init__(self, pepper: bytes, ids: Ids) -> None:
        self._pepper = pepper
        self._ids = ids
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._argon2 = PasswordHasher()

    def generate(self) -> str:
        """A password of 24 characters that fits every OCPP version's alphabet and limits (16..40), 140 bits."""
        return "".join(_ALPHABET[b % len(_ALPHABET)] for b in self._ids.token(24))

    def store_machine_made(self, password: bytes) -> tuple[Scheme, bytes, bytes]:
        """(scheme, hash, salt) of a password with at least 128 random bits."""
        salt = self._ids.token(16)
        return "hmac", self._hmac(password, salt), salt

    def store_chosen(self, password: bytes) -> tuple[Scheme, bytes, bytes]:
        """(scheme, hash, salt) of a password that a person chose. Takes about 100 ms of CPU: call it in a worker thread."""
        return "argon2", self._argon2.hash(password).encode(), b""

    def is_cheap(self, scheme: str, stored: bytes, salt: bytes, password: bytes) -> bool:
        """True when `verify` needs no slow hash: machine-made, or verified before by this process."""
        return scheme == "hmac" or self._cache_key(stored, password) in self._verified

    def verify(self, scheme: str, stored: bytes, salt: bytes, password: bytes) -> bool:
        """Compare in constant time. Slow (a worker thread's job) unless `is_cheap`."""
        if scheme == "hmac":
            return hmac.compare_digest(self._hmac(password, salt), stored)
        key = self._cache_key(stored, password)
        if key in self._verified:
            self._verified.move_to_end(key)
            return True
        try:
            self._argon2.verify(stored.decode("ascii", "replace"), password)
        except (VerificationError, InvalidHashError):
            return False
        self._verified[key] = None
        while len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)
        return True

    def _hmac(self, password: bytes, salt: bytes) -> bytes:
        return hmac.digest(self._pepper, salt + password, hashlib.sha256)

    def _cache_key(self, stored: bytes, password: bytes) -> bytes:
        return hmac.digest(self._pepper, b"verified\0" + stored + b"\0" + password, hashlib.sha256)
