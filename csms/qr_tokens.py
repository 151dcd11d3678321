"""Codes of dynamic QR tokens: what they are good until and that they are ours can be told from the code alone (pure).

A code is what a station sends as an id token, so it has the 20 characters that OCPP 1.6 allows, of an alphabet in which case does
not matter (Crockford's base 32): `QR`, then 30 bits of the second in which it ends, 20 random bits, and 40 bits of an HMAC-SHA256
over the tenant and all that comes before. That it is used only once is kept by its row among the id tokens.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from csms.clock import Ids

PREFIX: Final = "QR"
LENGTH: Final = 20
KIND: Final = "dynamic_qr"
TYPE: Final = "Central"
"""What OCPP 2.x calls a token that the CSMS has made."""

Finding = Literal["genuine", "expired", "forged"]

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {text[value]: value for text in (_ALPHABET, _ALPHABET.lower()) for value in range(len(_ALPHABET))}
_DIGIT_BITS: Final = 5
_END_BITS: Final = 30
_RANDOM_BITS: Final = 20
_MAC_BITS: Final = 40
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""30 bits of seconds from here end in January 2060."""
_DOMAIN: Final = b"dynamic-qr\0"


class QrCodes:
    """Makes codes and tells ours from others."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes, for nothing else."""
        self._key = key

    def issue(self, tenant_id: int, expires_at: datetime, ids: Ids) -> str:
        """A new code that is good until `expires_at`, whole seconds of the years 2026 to 2059. Raises ValueError for others."""
        ends = (expires_at - _EPOCH) // timedelta(seconds=1)
        if not 0 <= ends < 1 << _END_BITS or expires_at.microsecond:
            raise ValueError(f"no code can end at {expires_at.isoformat()}")
        drawn = int.from_bytes(ids.token(4)) >> (32 - _RANDOM_BITS)
        said = ends << _RANDOM_BITS | drawn
        return PREFIX + _digits(said << _MAC_BITS | self._mac(tenant_id, said), LENGTH - len(PREFIX))

    def verify(self, code: str, tenant_id: int, now: datetime) -> Finding | None:
        """What a code is, in any case of its letters; None: it does not look like one of ours.

        `expired`: it was genuine. Whether a genuine one was used, or taken back, only the database knows.
        """
        if len(code) != LENGTH or code[: len(PREFIX)].upper() != PREFIX:
            return None
        value = 0
        for character in code[len(PREFIX) :]:
            digit = _VALUES.get(character)
            if digit is None:
                return "forged"
            value = value << _DIGIT_BITS | digit
        said = value >> _MAC_BITS
        if not hmac.compare_digest(_bytes(value & (1 << _MAC_BITS) - 1), _bytes(self._mac(tenant_id, said))):
            return "forged"
        ends = _EPOCH + timedelta(seconds=said >> _RANDOM_BITS)
        return "genuine" if now < ends else "expired"

    def _mac(self, tenant_id: int, said: int) -> int:
        message = _DOMAIN + tenant_id.to_bytes(8) + said.to_bytes(8)
        return int.from_bytes(hmac.digest(self._key, message, hashlib.sha256)[: _MAC_BITS // 8])


def random_code(prefix: str, ids: Ids) -> str:
    """A token of `LENGTH` characters that nobody can guess: `prefix`, and random characters of the same alphabet."""
    count = LENGTH - len(prefix)
    return prefix + _digits(int.from_bytes(ids.token(16)) & (1 << count * _DIGIT_BITS) - 1, count)


def _bytes(mac: int) -> bytes:
    return mac.to_bytes(_MAC_BITS // 8)


def _digits(value: int, count: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range((count - 1) * _DIGIT_BITS, -1, -_DIGIT_BITS))
