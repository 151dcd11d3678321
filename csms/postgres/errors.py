"""What can go wrong with the embedded PostgreSQL, each as one line an operator can act on."""

from __future__ import annotations


class PostgresError(Exception):
    """The embedded PostgreSQL cannot be started or stopped; the message says why and what to do."""


class DataFolderInUse(PostgresError):
    """Another process of ours runs on this data folder."""
