"""The first administrator, and `csms user …`: what is done about users from the machine itself."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace

import trio
from argon2 import PasswordHasher

from csms.cli.database import load_secret, open_database
from csms.cli.failure import CommandError
from csms.clock import Ids, SystemClock, SystemIds
from csms.settings import Settings
from csms.store import Connection, Store, check_schema, open_store
from csms.store.queries.auth import find_tenant
from csms.store.queries.users import count_admins, insert_first_admin
from csms.store.queries.users import set_password as store_password
from csms.tenants import DEFAULT_TENANT

_FIRST_ADMIN = "admin@localhost"
_SHORTEST, _LONGEST = 8, 1024
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"


async def ensure_first_admin(store: Store, settings: Settings, ids: Ids) -> tuple[str, str | None] | None:
    """Make the platform's first administrator if there is none.

    Returns his e-mail and, when it was made up here, his password; None when there was one already.
    """
    tenant_id = await _tenant_id(store, DEFAULT_TENANT)

    async def known(connection: Connection) -> bool:
        return await count_admins(connection, tenant_id, active_only=False) > 0

    if await store.hub.tenant_unit(tenant_id, known):
        return None  # the usual case, without the price of a slow hash
    email = settings.admin_email or _FIRST_ADMIN
    password = settings.admin_password or generate_password(ids)
    made_up = None if settings.admin_password else password
    password_hash = await trio.to_thread.run_sync(PasswordHasher().hash, password)

    async def insert(connection: Connection) -> bool:
        return await insert_first_admin(connection, tenant_id, ids.uuid7(), email, password_hash)

    return (email, made_up) if await store.hub.tenant_unit(tenant_id, insert) else None


def generate_password(ids: Ids) -> str:
    """A password of 20 characters (115 bits) without look-alikes."""
    characters: list[str] = []
    while len(characters) < 20:
        # bytes beyond the last full run of the alphabet are dropped, so that every character is equally likely
        characters += [_ALPHABET[b % len(_ALPHABET)] for b in ids.token(32) if b < 256 - 256 % len(_ALPHABET)]
    return "".join(characters[:20])


def set_password(arguments: Namespace) -> int:
    """`csms user set-password`."""
    settings: Settings = arguments.settings
    ids = SystemIds(SystemClock())
    password = generate_password(ids) if arguments.generate else _ask()

    async def run() -> bool:
        async with open_database(settings, share=True) as database:
            await check_schema(database.url, fingerprint=load_secret(settings).fingerprint())
            async with open_store(database.url, hub_dsn=settings.database_hub_url, connections=1) as store:
                tenant_id = await _tenant_id(store, arguments.tenant)
                password_hash = await trio.to_thread.run_sync(PasswordHasher().hash, password)

                async def change(connection: Connection) -> bool:
                    return await store_password(connection, tenant_id, arguments.email, password_hash)

                return await store.hub.tenant_unit(tenant_id, change)

    if not trio.run(run):
        raise CommandError(f"no user {arguments.email!r} in tenant {arguments.tenant!r}")
    if arguments.generate:
        print(password)
    print("the password is set", file=sys.stderr)
    return 0


async def _tenant_id(store: Store, slug: str) -> int:
    async def find(connection: Connection) -> int | None:
        tenant = await find_tenant(connection, slug)
        return None if tenant is None else tenant.tenant_id

    tenant_id = await store.auth.unit(find)
    if tenant_id is None:
        raise CommandError(f"no tenant {slug!r}")
    return tenant_id


def _ask() -> str:
    if sys.stdin.isatty():
        password = getpass.getpass("New password: ")
        if getpass.getpass("Again: ") != password:
            raise CommandError("the two passwords differ")
    else:
        password = sys.stdin.readline(_LONGEST + 2).rstrip("\r\n")
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise CommandError(f"a password has {_SHORTEST} to {_LONGEST} characters")
    return password
