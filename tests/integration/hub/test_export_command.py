"""`csms export`: files of CDRs and sessions."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import trio

from csms.export.sessions import SESSIONS
from tests.integration.hub.cdr_rows import billed_session, charged, store_cdr, tariff
from tests.integration.hub.harness import Field, Person, RunningHub


async def test_export(hub: RunningHub, boss: Person, field: Field, tmp_path: Path) -> None:
    await boss.put("/api/v1/tenants/north/config", {"time_zone": "Europe/Berlin"})
    session_id, _ = await billed_session(hub, field, "north", "CP1")
    tenant_id, station_id = await field.tenant_id("north"), await field.connect("north", "CP2")
    # one second before and at the midnight of Berlin
    midnight = datetime(2026, 3, 31, 22, tzinfo=UTC)
    for end in (midnight - timedelta(seconds=1), midnight):
        await store_cdr(hub, tenant_id, station_id, tariff("PLAIN"), charged("3", end))
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_bytes(bytes(range(32)))
    environ = {"PATH": os.environ["PATH"], "CSMS_DATABASE_URL": hub.dsn, "CSMS_SECRET_FILE": str(secret)}

    async def run(*arguments: str, tenant: str = "north") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "csms.cli", "export", *arguments, "--tenant", tenant]
        with trio.fail_after(60):
            return await trio.run_process(command, env=environ, capture_stdout=True, capture_stderr=True, check=False)

    file = tmp_path / "cdrs.csv"
    done = await run("cdrs", "--from", "2026-03-01", "--to", "2026-04-01", "--output", str(file))
    assert (done.returncode, done.stderr) == (0, f"{file.stat().st_size} bytes written\n".encode())
    assert [row["number"] for row in csv.DictReader(file.read_text().splitlines())] == ["1", "2"]
    assert (file.stat().st_mode & 0o777, sorted(path.name for path in tmp_path.iterdir())) == (0o600, ["cdrs.csv", "secret"])
    printed = await run("cdrs", "--from", "2026-03-31T22:00:00Z", "--format", "jsonl", "--output", "-")
    assert printed.stdout.count(b"\n") == 1
    sessions = tmp_path / "sessions.parquet"
    assert (await run("sessions", "--format", "parquet", "--output", str(sessions))).returncode == 0
    (row,) = pyarrow.parquet.read_table(sessions).to_pylist()
    assert list(row) == [column.name for column in SESSIONS.columns]
    assert (row["session_id"], row["charge_point_id"], row["energy_wh"]) == (str(session_id), "CP1", 4000)
    for arguments, told in (
        (("cdrs", "--output", str(tmp_path / "none" / "x")), b"cannot be written"),
        (("cdrs", "--from", "yesterday", "--output", "-"), b"'yesterday' is neither a date"),
        (("cdrs", "--from", "2026-03-01T00:00", "--output", "-"), b"without its offset"),
        (("cdrs", "--from", "1900-01-01", "--output", "-"), b"is not from 1970"),
    ):
        assert told in (await run(*arguments)).stderr, arguments
    (tmp_path / ".cdrs.csv.part").touch()
    assert b"another export writes it" in (await run("cdrs", "--output", str(file))).stderr
    assert (await run("cdrs", "--output", "-", tenant="nobody")).stderr == b"error: there is no tenant nobody\n"
