"""What the embedded PostgreSQL is told: settings, and who may come in."""

from __future__ import annotations

from pathlib import Path

from csms.postgres.account import launcher_name
from csms.postgres.home import Home

OWNER = "csms"  # owns the database; not a superuser, like the role of a database that someone else runs for us
SUPERUSER = "postgres"
DATABASE = "csms"

_SETTINGS = """\
# Settings of the embedded PostgreSQL. Written once: yours to tune. Read at every start of csms.
# Socket, port and the access rules are given on the command line and cannot be changed here.

max_connections = 64
shared_buffers = 256MB

# An acknowledged message must survive a power cut: leave these three on.
fsync = on
synchronous_commit = on
full_page_writes = on

# A forgotten open transaction holds back the outbox of every tenant.
idle_in_transaction_session_timeout = 5s

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off

# Our statements are short; compiling them costs more than running them.
jit = off
"""

_NOTE = "# Written by csms at every start: changes made here are lost.\n"

_ACCESS_RULES = f"""\
{_NOTE}# The kernel says who is at the other end of the socket; there is no password that could leak.
local  all          {OWNER}         peer  map=launcher
local  all          {SUPERUSER}     peer  map=launcher
local  replication  {SUPERUSER}     peer  map=launcher
local  all          all             reject
"""


def write_configuration(home: Home) -> None:
    """Write the settings when there are none, and the access rules always."""
    if not home.settings.exists():
        _write(home.settings, _SETTINGS)
    _write(home.access_rules, _ACCESS_RULES)
    user = launcher_name().replace('"', '""')
    _write(home.user_map, f'{_NOTE}launcher  "{user}"  {OWNER}\nlauncher  "{user}"  {SUPERUSER}\n')


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o644)  # PostgreSQL's account reads them; they hold no secret
    fresh.replace(path)
