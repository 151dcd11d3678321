"""Whom PostgreSQL runs as.

PostgreSQL refuses to run as root. Started by anyone else it runs as that user. Started by root it runs as a user id of
its own that no other program uses, so that nothing else on the machine, `nobody` included, can read its files.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from csms.postgres.errors import PostgresError

# A range that systemd's table of user ids leaves unused, and low enough to exist inside most containers' id maps
_OWN_IDS = range(60600, 60700)

# PostgreSQL's programs get nothing of our environment: it may hold passwords (CSMS_ADMIN_PASSWORD, PGPASSWORD)
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user id and group id; `switch` is true when processes must be started under them by root."""

    uid: int
    gid: int
    switch: bool

    def popen(
        self, arguments: Sequence[str | Path], *, stdin: int | None = subprocess.DEVNULL, stdout: int, stderr: int
    ) -> subprocess.Popen[str]:
        """Start a program under this account, in a session of its own (Ctrl-C in our terminal does not reach it)."""
        return subprocess.Popen(
            list(arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd="/",
            env=_ENVIRONMENT,
            text=True,
            start_new_session=True,
            umask=0o077,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def run(self, arguments: Sequence[str | Path], *, text_in: str = "", timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a program to its end and return its output; `subprocess.TimeoutExpired` after `timeout` seconds."""
        with self.popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(text_in, timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(list(arguments), process.returncode, out, err)

    def can_enter(self, folder: Path) -> bool:
        """Whether a process of this account can go into the folder: asked of the kernel, which knows ACLs as well."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        try:
            return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], timeout=10).returncode == 0
        except OSError:
            return False


def own_account() -> Account:
    """The account PostgreSQL runs under when a database is made here.

    Raises PostgresError when this user has no name (PostgreSQL asks for it) or root cannot switch to another user.
    """
    uid = os.geteuid()
    if uid != 0:
        try:
            pwd.getpwuid(uid)
        except KeyError:
            raise PostgresError(
                f"user id {uid} has no entry in the user database, which PostgreSQL needs: "
                "run as a named user or set CSMS_DATABASE_URL"
            ) from None
        return Account(uid, os.getegid(), switch=False)
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    account = Account(own := next(i for i in _OWN_IDS if i not in taken), own, switch=True)
    if not account.can_enter(Path("/")):
        raise PostgresError(
            f"PostgreSQL does not run as root, and this root cannot switch to user id {own} (a restricted container?): "
            "run as an ordinary user or set CSMS_DATABASE_URL"
        )
    return account


def named_account() -> Account:
    """The account that `initdb` runs under: it insists on a user that has a name, which our own user id has not."""
    if os.geteuid() != 0:
        return own_account()
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresError(
            "PostgreSQL does not run as root and there is no user `nobody`: run as an ordinary user or set CSMS_DATABASE_URL"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def launcher_name() -> str:
    """The name of the user that runs us: the one that PostgreSQL lets in."""
    return pwd.getpwuid(os.geteuid()).pw_name
