"""Failures that an operator can act on, told in one line."""

from __future__ import annotations


def failure_line(error: BaseException) -> str | None:
    """The line to print for a failure with a known cause; None for a fault of ours, which deserves its traceback."""
    from csms.bus import BusUnavailable
    from csms.postgres import PostgresError
    from csms.secret import SecretError
    from csms.settings import SettingsError
    from csms.store import SchemaError, StoreUnavailable

    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, PostgresError | SecretError | SchemaError | SettingsError | CommandError):
        return str(error)
    if isinstance(error, StoreUnavailable):
        return f"the database does not answer: {error}"
    if isinstance(error, BusUnavailable):
        return f"the bus (CSMS_REDIS_URL) does not answer: {error}"
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return None


class CommandError(Exception):
    """A command cannot be done; the message says why."""
