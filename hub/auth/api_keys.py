"""API keys: made here, shown once, stored as a keyed hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from csms.clock import Ids

_FORM: Final = re.compile(r"^csms_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$")


@dataclass(frozen=True, slots=True)
class NewKey:
    text: str
    prefix: str
    digest: bytes


class ApiKeys:
    """`csms_<8 hex digits to recognise it by>_<32 random bytes>`."""

    def __init__(self, hash_key: bytes, ids: Ids) -> None:
        self._hash_key = hash_key
        self._ids = ids

    def make(self) -> NewKey:
        prefix = f"csms_{self._ids.token(4).hex()}"
        secret = base64.urlsafe_b64encode(self._ids.token(32)).rstrip(b"=").decode()
        text = f"{prefix}_{secret}"
        return NewKey(text, prefix, self._hash(text))

    def digest(self, text: str) -> bytes | None:
        """What to look a presented key up by; None when it cannot be one."""
        return self._hash(text) if _FORM.match(text) else None

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._hash_key, text.encode("ascii"), hashlib.sha256)
