"""Cursors of paged lists: an opaque, signed position that fits one list of one tenant with one set of filters only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final, TypeVar

import msgspec

from hub.api.problems import Problem, invalid

T = TypeVar("T")

_MAC_SIZE: Final = 12
_MAX_CURSOR: Final = 512


class Cursors:
    """Writes and reads cursors. The signature covers the list's name, the tenant and the filters."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, scope: str, position: object) -> str:
        payload = msgspec.json.encode(position)
        return _text(self._mac(scope, payload) + payload)

    def read(self, scope: str, cursor: str | None, into: type[T]) -> T | None:
        """The position, None without a cursor. Raises Problem 422 for a cursor that this list did not write."""
        if cursor is None:
            return None
        if len(cursor) > _MAX_CURSOR:
            raise _foreign()
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _foreign() from None
        mac, payload = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
        # the last character has bits to spare: several texts stand for the same bytes, and one of them was written
        if _text(raw) != cursor or not hmac.compare_digest(mac, self._mac(scope, payload)):
            raise _foreign()
        try:
            return msgspec.json.decode(payload, type=into)
        except msgspec.DecodeError:  # written by an older version of the product
            raise _foreign() from None

    def _mac(self, scope: str, payload: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\0" + payload, hashlib.sha256)[:_MAC_SIZE]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _foreign() -> Problem:
    return invalid("cursor", "is not a cursor of this list with these filters")
