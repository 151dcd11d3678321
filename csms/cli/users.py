"""`csms user …`: what is done about users from the machine itself."""

from __future__ import annotations

import base64
import getpass
import sys
from argparse import Namespace

import trio

from csms.accounts import MAX_PASSWORD, BadPassword, UnknownUser, check_password
from csms.accounts import set_password as store_password
from csms.cli.database import load_secret, open_database
from csms.cli.failure import CommandError
from csms.clock import SystemClock, SystemIds
from csms.settings import Settings
from csms.store import check_schema, open_store


def set_password(arguments: Namespace) -> int:
    """`csms user set-password`."""
    settings: Settings = arguments.settings
    password = _make_up() if arguments.generate else _ask()
    try:
        check_password(password)
    except BadPassword as error:
        raise CommandError(str(error)) from None

    async def run() -> None:
        async with open_database(settings, share=True) as database:
            await check_schema(database.url, fingerprint=load_secret(settings).fingerprint())
            async with open_store(database.url, hub_dsn=settings.database_hub_url, connections=1) as store:
                try:
                    await store_password(store, arguments.tenant, arguments.email, password)
                except UnknownUser as error:
                    raise CommandError(str(error)) from None

    trio.run(run)
    if arguments.generate:
        print(password)
    print("the password is set", file=sys.stderr)
    return 0


def _make_up() -> str:
    return base64.urlsafe_b64encode(SystemIds(SystemClock()).token(15)).decode()


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline(MAX_PASSWORD + 2).rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("the two passwords differ")
    return password
