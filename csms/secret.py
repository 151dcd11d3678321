"""The root secret: 32 random bytes from which every key of an installation is derived."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from csms.clock import Ids, SystemClock, SystemIds

# What a key is for. A purpose is never given a second meaning: a new need gets a new name.
STATION_PASSWORD_PEPPER: Final = "station-password-pepper"  # noqa: S105 - a purpose, not a password
JWT_SIGNING: Final = "jwt-signing"
TRANSACTION_ID_PERMUTATION: Final = "transaction-id-permutation"
API_KEY_HASH: Final = "api-key-hash"
CURSOR_SIGNING: Final = "cursor-signing"
REFRESH_TOKEN_HASH: Final = "refresh-token-hash"  # noqa: S105 - a purpose, not a password
EXTERNAL_AUTHORIZATION_SECRETS: Final = "external-authorization-secrets"
QR_TOKENS: Final = "qr-tokens"
PAYMENT_METHODS: Final = "payment-methods"
OCPI_TOKEN_HASH: Final = "ocpi-token-hash"  # noqa: S105 - a purpose, not a password
OCPI_SECRETS: Final = "ocpi-secrets"

_FINGERPRINT: Final = "fingerprint"
_SIZE: Final = 32


class SecretError(Exception):
    """The root secret cannot be used; the message says why and what to do."""


class RootSecret:
    """Derives keys. Its bytes are never shown: not by `repr`, not in an error."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """`key`: exactly 32 bytes."""
        if len(key) != _SIZE:
            raise SecretError(f"a root secret has {_SIZE} bytes, not {len(key)}")
        self._key = key

    @classmethod
    def load(cls, path: Path, *, create: bool, ids: Ids | None = None) -> RootSecret:
        """Read the secret from a file of 32 bytes that only its owner may read or write.

        `create`: make the file first when it does not exist, complete and on disk before it has its name, from `ids`
        (by default the operating system's random numbers). Raises SecretError.
        """
        if create and not path.exists():
            try:
                return cls._create(path, ids or SystemIds(SystemClock()))
            except FileExistsError:
                pass  # another process made it in the same moment: read that one
            except OSError as error:
                raise SecretError(f"cannot make the root secret {path}: {error.strerror}") from error
        return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> RootSecret:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang us
        except FileNotFoundError:
            raise SecretError(
                f"no root secret at {path}: restore it from the backup, or make a new one for a new database "
                "(head -c 32 /dev/urandom > FILE; chmod 600 FILE) and name it with CSMS_SECRET_FILE"
            ) from None
        except OSError as error:
            raise SecretError(f"cannot read the root secret {path}: {error.strerror}") from error
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise SecretError(f"the root secret {path} is not a file")
            if state.st_mode & 0o077:
                raise SecretError(f"the root secret {path} can be read by others: chmod 600 {path}")
            key = os.read(descriptor, _SIZE + 1)
        finally:
            os.close(descriptor)
        if len(key) != _SIZE:
            raise SecretError(f"the root secret {path} must have exactly {_SIZE} bytes")
        return cls(key)

    @classmethod
    def _create(cls, path: Path, ids: Ids) -> RootSecret:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = ids.token(_SIZE)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(descriptor)
            os.link(fresh, path)  # unlike a rename, this never replaces a secret that is already there
        finally:
            fresh.unlink(missing_ok=True)
        return cls(key)

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """A key of `length` bytes (at most 8160) for one purpose: HKDF-SHA256 (RFC 5869) with the purpose as info."""
        return HKDF(SHA256(), length, salt=None, info=b"open-csms " + purpose.encode()).derive(self._key)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell secrets apart and give nothing away; the database and backups hold it."""
        return self.derive(_FINGERPRINT, 8).hex()

    def __repr__(self) -> str:
        return f"RootSecret(fingerprint={self.fingerprint()!r})"
