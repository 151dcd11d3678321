"""The embedded PostgreSQL: started and looked after by `csms serve` when no database URL is set.

Synchronous functions only; whoever runs an event loop calls them in a thread. What it promises, and where it keeps
what, is written in docs/operations/embedded-postgresql.md.
"""

from csms.postgres.errors import DataFolderInUse, PostgresError
from csms.postgres.server import EmbeddedPostgres, running_url

__all__ = ["DataFolderInUse", "EmbeddedPostgres", "PostgresError", "running_url"]
