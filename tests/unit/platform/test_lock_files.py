"""The lock files: in step with pyproject.toml, complete, and without addresses (docs/decisions/0004)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def locked(name: str) -> dict[str, str]:
    """Versions by package."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize(
    ("name", "requirements"),
    [
        ("requirements.lock", PROJECT["dependencies"] + EXTRAS["embedded"] + EXTRAS["build"]),
        ("requirements-dev.lock", PROJECT["dependencies"] + [r for extra in EXTRAS.values() for r in extra]),
    ],
)
def test_every_dependency_is_locked_within_its_range(name: str, requirements: list[str]) -> None:
    versions = locked(name)
    for text in requirements:
        requirement = Requirement(text)
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {name}: run `make lock`"
        assert requirement.specifier.contains(version), f"{requirement} but {version} in {name}: run `make lock`"


def test_both_hold_the_same_versions() -> None:
    run, develop = locked("requirements.lock"), locked("requirements-dev.lock")
    assert run.items() <= develop.items()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_no_addresses_and_a_hash_for_each(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"://|^\s*-|find-links|index-url", text.replace("--hash=", ""), flags=re.MULTILINE)
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_what_builds_the_package_is_what_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["build-system"]["requires"] == EXTRAS["build"]
