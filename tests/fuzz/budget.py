"""How long the differential tests look for differences, and from which seed on."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("CSMS_FUZZ_SECONDS", "20"))
"""For all of them together; CSMS_FUZZ_SECONDS=3600 for an hour."""
SEED = int(os.environ.get("CSMS_FUZZ_SEED", "1"))


def chances(share: float) -> Iterator[tuple[int, random.Random]]:
    """Seeds with their source of random choices, for this share of the time. An input follows from its seed alone."""
    end = time.monotonic() + SECONDS * share
    seed = SEED
    while time.monotonic() < end:
        yield seed, random.Random(seed)
        seed += 1
