"""Secrets of third parties at rest: AES-256-GCM under a key that only the installation's root secret gives."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from csms.clock import Ids

_NONCE: Final = 12


class Unreadable(Exception):
    """What is stored was sealed with another key, for another tenant or field, or was changed since."""


class Sealer:
    """Seals texts of a tenant. What is sealed can only be read as the same field of the same tenant."""

    def __init__(self, key: bytes, ids: Ids) -> None:
        """`key`: 32 bytes."""
        self._cipher = AESGCM(key)
        self._ids = ids

    def seal(self, tenant_id: int, field: str, text: str) -> bytes:
        nonce = self._ids.token(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), _place(tenant_id, field))

    def open(self, tenant_id: int, field: str, sealed: bytes) -> str:
        """Raises Unreadable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _place(tenant_id, field)).decode()
        except (InvalidTag, ValueError):  # too short for a nonce
            raise Unreadable(f"{field} of tenant {tenant_id}") from None


def _place(tenant_id: int, field: str) -> bytes:
    return f"{tenant_id} {field}".encode()
