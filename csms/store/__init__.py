"""PostgreSQL: the one durable store. SQL lives here and nowhere else."""

from csms.store.migrations import SchemaError, SecretMismatch, check_schema, migrate
from csms.store.pool import Connection, Database, Store, StoreUnavailable, open_store

__all__ = [
    "Connection",
    "Database",
    "SchemaError",
    "SecretMismatch",
    "Store",
    "StoreUnavailable",
    "check_schema",
    "migrate",
    "open_store",
]
