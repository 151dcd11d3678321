"""Which gateway processes are alive: the ledger of each renews its row every ten seconds."""

from __future__ import annotations

from typing import Final, NamedTuple

from csms.store.pool import Connection

_ALIVE_S: Final = 30.0
"""Three signs of life may be missing. Stations count as offline later, when nobody can have come back any more."""


class Gateways(NamedTuple):
    """Processes that gave a sign of life lately, and those that did within a day."""

    alive: int
    known: int


async def count_gateways(conn: Connection) -> Gateways:
    (row,) = await conn.fetch(
        "SELECT count(*) FILTER (WHERE seen_at > now() - make_interval(secs => $1)) AS alive, count(*) AS known "
        "FROM gateway_processes WHERE seen_at > now() - interval '1 day'",
        _ALIVE_S,
    )
    return Gateways(row["alive"], row["known"])
