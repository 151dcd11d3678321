"""The root secret: who may read it, what is derived from it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from csms.secret import API_KEY_HASH, JWT_SIGNING, RootSecret, SecretError


def test_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    first = RootSecret.load(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32
    assert list(path.parent.iterdir()) == [path]
    assert RootSecret.load(path, create=True).fingerprint() == first.fingerprint()
    assert RootSecret.load(path, create=False).fingerprint() == first.fingerprint()


def test_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="no root secret at"):
        RootSecret.load(tmp_path / "secret", create=False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622, 0o777])
def test_refused_when_others_may_read_or_write_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(bytes(32))
    path.chmod(mode)
    with pytest.raises(SecretError, match=f"can be read by others: chmod 600 {path}"):
        RootSecret.load(path, create=True)


@pytest.mark.parametrize("size", [0, 31, 33, 4096])
def test_refused_when_it_has_another_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(SecretError, match="must have exactly 32 bytes"):
        RootSecret.load(path, create=False)


def test_refused_when_it_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(SecretError, match="is not a file"):
            RootSecret.load(path, create=False)


def test_keys_differ_by_purpose_and_secret() -> None:
    one, other = RootSecret(bytes(32)), RootSecret(bytes(31) + b"\1")
    keys = {one.derive(JWT_SIGNING), one.derive(API_KEY_HASH), other.derive(JWT_SIGNING), one.derive(JWT_SIGNING, 16)}
    assert len(keys) == 4
    assert one.derive(JWT_SIGNING) == RootSecret(bytes(32)).derive(JWT_SIGNING)
    assert one.fingerprint() != other.fingerprint()


def test_derivation_never_changes() -> None:
    """Another value here would lock out every user and station of every installation."""
    secret = RootSecret(bytes(range(32)))
    assert secret.derive(JWT_SIGNING).hex() == "8e30241a7553db9d967a4d309fb29b1fbccddc05a8e4117c2488bccf5519afe7"
    assert secret.fingerprint() == "41bf1e78fe3c498b"


def test_never_shown() -> None:
    assert repr(RootSecret(b"A" * 32)).count("A") == 0
