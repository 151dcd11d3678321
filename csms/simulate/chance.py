"""Seeded randomness: the same seed gives every station the same days of charging."""

# The simulation must be repeatable, which `csms.clock` is not meant to be; nothing here guards a secret.
from random import Random  # noqa: TID251

__all__ = ["Random", "seeded"]


def seeded(seed: int, *scope: object) -> Random:
    """A generator of its own for each scope, so that what one station draws does not depend on the others."""
    return Random("/".join(map(str, (seed, *scope))))  # noqa: S311
