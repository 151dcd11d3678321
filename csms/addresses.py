"""Addresses that we listen on, as an operator is told of them."""

from __future__ import annotations

import os


def not_to_be_had(error: OSError, host: str, port: int) -> OSError:
    """The same error with the address in it, which the system leaves out."""
    number = error.errno or 0
    return OSError(number, os.strerror(number) if number else str(error), f"{host}:{port}")
