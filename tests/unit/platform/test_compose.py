"""docker-compose.yml and what belongs to it, as far as that can be told without Docker."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from csms.cli.parser import make_parser
from csms.secret import RootSecret
from csms.settings import Settings, load_settings, variable_name

ROOT = Path(__file__).parents[3]
OURS = ("migrate", "gateway", "hub")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def test_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "redis", "mqtt", *OURS}


def test_every_service_that_stays_is_restarted_and_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name == "migrate":
            assert service["restart"] == "on-failure"
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert {"interval", "timeout", "retries"} <= set(service["healthcheck"]), name


def test_only_gateway_and_hub_are_published_and_only_on_loopback(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {
        "gateway": ["${PUBLISH_OCPP:-127.0.0.1:9000}:9000"],
        "hub": ["${PUBLISH_HTTP:-127.0.0.1:8080}:8080"],
    }
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("postgres", "redis", "mqtt", "migrate"):
        assert compose["services"][name]["networks"] == ["inside"]


def test_our_settings_are_known_and_good(compose: dict[str, Any]) -> None:
    known = {variable_name(field) for field in dataclasses.fields(Settings)}
    for name in OURS:
        environment = dict(compose["services"][name]["environment"])
        assert set(environment) <= known | {"CSMS_CONFIG"}, name
        del environment["CSMS_CONFIG"]
        load_settings({**environment, "CSMS_DATABASE_URL": "postgresql://csms@postgres/csms"})


def test_ports_inside_are_those_that_are_published(compose: dict[str, Any]) -> None:
    assert compose["services"]["gateway"]["environment"]["CSMS_OCPP_PORT"] == "9000"
    assert compose["services"]["hub"]["environment"]["CSMS_HTTP_PORT"] == "8080"


def test_commands_exist(compose: dict[str, Any]) -> None:
    for name in OURS:
        command = compose["services"][name]["command"]
        assert make_parser(command).parse_args(command).command == name


def test_the_drain_fits_into_the_grace_period(compose: dict[str, Any]) -> None:
    gateway = compose["services"]["gateway"]
    assert int(gateway["stop_grace_period"].removesuffix("s")) > int(gateway["environment"]["CSMS_DRAIN_S"]) + 15


def test_who_depends_on_whom(compose: dict[str, Any]) -> None:
    for name in ("gateway", "hub"):
        assert compose["services"][name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "redis": {"condition": "service_healthy"},
        }
    assert compose["services"]["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_no_secret_is_in_the_file_or_the_environment(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value.startswith("/run/secrets/"), name
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
    assert all(secret["file"].startswith("deploy/secrets/") for secret in compose["secrets"].values())


def test_files_that_are_mounted_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).is_file(), source


def test_make_secrets_makes_what_compose_names_and_what_csms_takes(compose: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "make-secrets", tmp_path / "deploy")
    for _ in range(2):  # the second run changes nothing
        subprocess.run([tmp_path / "deploy" / "make-secrets"], check=True, capture_output=True, cwd="/")
        secrets = tmp_path / "deploy" / "secrets"
        before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert {Path(secret["file"]).name for secret in compose["secrets"].values()} == set(before)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700

    RootSecret.load(secrets / "root_secret", create=False)
    environ = {"CSMS_CONFIG": str(secrets / "csms.toml"), "CSMS_SECRET_FILE": str(secrets / "root_secret")}
    settings = load_settings(environ)
    password = before["csms_database_password"].decode().strip()
    assert settings.database_url == f"postgresql://csms:{password}@postgres:5432/csms"
    uid = 10001 if os.geteuid() == 0 else os.geteuid()
    assert f"CSMS_UID={uid}\n" in (tmp_path / ".env").read_text()


def test_the_image_is_built_from_files_that_exist() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in allowed if name != "Cargo.lock"), allowed
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["maturin"]["python-packages"]) <= set(allowed)


@pytest.mark.parametrize(
    ("before", "kept"),
    [("PUBLISH_HTTP=8080", ["PUBLISH_HTTP=8080"]), ("A=1\nCSMS_UID=4242\n", ["A=1", "CSMS_UID=4242"])],
    ids=["no end of line", "one of them set"],
)
def test_make_secrets_completes_an_env_file(tmp_path: Path, before: str, kept: list[str]) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "make-secrets", tmp_path / "deploy")
    (tmp_path / ".env").write_text(before)
    for _ in range(2):  # the second run changes nothing
        subprocess.run([tmp_path / "deploy" / "make-secrets"], check=True, capture_output=True, cwd="/")
        lines = (tmp_path / ".env").read_text().splitlines()
        assert lines[: len(kept)] == kept
        assert sorted(line.partition("=")[0] for line in lines if line.startswith("CSMS_")) == ["CSMS_GID", "CSMS_UID"]
