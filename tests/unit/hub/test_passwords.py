"""Passwords of people."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters

from csms import accounts


def test_unknown_users_take_as_long_as_known_ones() -> None:
    """The decoy has the parameters of real hashes, so its verification costs the same."""
    assert extract_parameters(accounts._DECOY) == extract_parameters(PasswordHasher().hash("x"))


async def test_the_decoy_is_nobody_s_password() -> None:
    assert not await accounts.UserPasswords(accounts.HashWorkers()).verify(None, "decoy that nobody knows")


async def test_passwords_are_hashed_and_compared() -> None:
    passwords = accounts.UserPasswords(accounts.HashWorkers())
    stored = await passwords.hash("a-good-password")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "a-good-password")
    assert not await passwords.verify(stored, "a-good-passwore")
    assert not await passwords.verify("not a hash", "a-good-password")


@pytest.mark.parametrize("password", ["", "short", "x" * 201, "nul\0nul-nul"])
def test_bad_passwords_are_refused(password: str) -> None:
    with pytest.raises(accounts.BadPassword):
        accounts.check_password(password)
