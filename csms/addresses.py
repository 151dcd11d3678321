"""Addresses that we listen on, as an operator is told of them."""

from __future__ import annotations


def not_to_be_had(error: OSError, host: str, port: int) -> OSError:
    """The same error with the address in it, which the system leaves out."""
    return OSError(error.errno, error.strerror or str(error), f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
