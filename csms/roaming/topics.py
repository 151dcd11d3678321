"""What processes tell each other over the bus about roaming. A message may be lost: everybody looks now and then as well."""

from __future__ import annotations

from typing import Final

CHANGED_TOPIC: Final = "ocpi.changed"
"""Parties, partners, their tokens, or what they may have, have changed."""
PUSHES_TOPIC: Final = "ocpi.pushes"
"""Told with the tenant's id when there is something new to deliver."""
