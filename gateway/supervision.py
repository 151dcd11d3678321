"""The boundary around everything that one station causes (supervision.md 3.0)."""

from __future__ import annotations

from typing import Final

import trio

EXITS: Final = (trio.Cancelled, KeyboardInterrupt, SystemExit)


def split_exits(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """(what must go on outwards, what stays here): cancellation and exits pass, all else ends at the boundary.

    A Rust panic is a BaseException and stays. Use it in the only places that catch BaseException.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.split(EXITS)
    return (error, None) if isinstance(error, EXITS) else (None, error)
