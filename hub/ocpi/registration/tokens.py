"""Credentials tokens."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Final

from csms.clock import Ids

GRACE: Final = timedelta(seconds=60)
"""C6: how long the old tokens are good for requests that were under way."""

_BYTES: Final = 32


def new_token(ids: Ids) -> str:
    """A token that nobody can guess, of characters that every partner takes (A2)."""
    return base64.urlsafe_b64encode(ids.token(_BYTES)).decode().rstrip("=")
