"""Settings: where they come from, what is refused and how that is said."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from csms.settings import Settings, SettingsError, load_settings, toml_key, variable_name

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations" / "settings.md"


def write(folder: Path, text: str) -> dict[str, str]:
    """An environment that names a TOML file with this text."""
    path = folder / "csms.toml"
    path.write_text(text)
    return {"CSMS_CONFIG": str(path)}


def test_defaults() -> None:
    settings = load_settings({"HOME": "/root", "PATH": "/bin"})
    assert settings == Settings()
    assert (settings.ocpp_port, settings.http_port, settings.ocpp_host) == (9000, 8080, "127.0.0.1")
    assert settings.data_dir == Path("data")
    assert settings.try_out is False


def test_environment() -> None:
    settings = load_settings(
        {
            "CSMS_TRY": "1",
            "CSMS_OCPP_PORT": "0",
            "CSMS_DATA_DIR": "/srv/csms",
            "CSMS_POSTGRES_BIN": "/usr/lib/postgresql/15/bin",
            "CSMS_ADMIN_EMAIL": "a@example.org",
        }
    )
    assert settings.try_out is True
    assert settings.ocpp_port == 0
    assert settings.data_dir == Path("/srv/csms")
    assert settings.postgres_bin == Path("/usr/lib/postgresql/15/bin")
    assert settings.admin_email == "a@example.org"


def test_file_and_environment_above_it(tmp_path: Path) -> None:
    environ = write(tmp_path, 'ocpp_port = 9001\nhttp_port = "8081"\ntry = true\nhttp_host = "0.0.0.0"\n')
    settings = load_settings({**environ, "CSMS_OCPP_PORT": "9002"})
    assert (settings.ocpp_port, settings.http_port, settings.http_host) == (9002, 8081, "0.0.0.0")
    assert settings.try_out is True


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"CSMS_OCPP_PROT": "1"}, "unknown setting CSMS_OCPP_PROT: did you mean CSMS_OCPP_PORT?"),
        ({"CSMS_TRY_OUT": "1"}, "unknown setting CSMS_TRY_OUT: did you mean CSMS_TRY?"),
        ({"CSMS_QQQQ": "1"}, "unknown setting CSMS_QQQQ (docs/operations/settings.md lists all)"),
        ({"CSMS_OCPP_PORT": "65536"}, "CSMS_OCPP_PORT is not a whole number from 0 to 65535 (it is '65536')"),
        ({"CSMS_OCPP_PORT": "-1"}, "CSMS_OCPP_PORT is not a whole number from 0 to 65535 (it is '-1')"),
        ({"CSMS_OCPP_PORT": ""}, "CSMS_OCPP_PORT is not a whole number from 0 to 65535 (it is '')"),
        ({"CSMS_TRY": "maybe"}, "CSMS_TRY is neither 1 nor 0 (it is 'maybe')"),
        ({"CSMS_LOG_LEVEL": "loud"}, "CSMS_LOG_LEVEL is none of debug, info, warning, error (it is 'loud')"),
        ({"CSMS_OCPP_HOST": ""}, "CSMS_OCPP_HOST is empty (it is '')"),
        ({"CSMS_OCPP_HOST": "a\nb"}, "CSMS_OCPP_HOST holds a control character (it is 'a\\nb')"),
        ({"CSMS_ADMIN_EMAIL": "nobody"}, "CSMS_ADMIN_EMAIL is not an e-mail address (it is 'nobody')"),
        ({"CSMS_DATA_DIR": "x" * 5000}, "CSMS_DATA_DIR is longer than 4096 characters"),
        (
            {"CSMS_OCPP_TLS_CERTIFICATE": "rsa.pem,ec.pem", "CSMS_OCPP_TLS_KEY": "rsa.key"},
            "CSMS_OCPP_TLS_CERTIFICATE and CSMS_OCPP_TLS_KEY belong together: name as many keys as certificates",
        ),
        (
            {"CSMS_OCPP_TLS_CLIENT_CA": "stations.pem"},
            "CSMS_OCPP_TLS_CLIENT_CA needs CSMS_OCPP_TLS_CERTIFICATE and CSMS_OCPP_TLS_KEY",
        ),
        (
            {"CSMS_OCPP_TLS_CERTIFICATE": "a.pem,", "CSMS_OCPP_TLS_KEY": "a.key"},
            "CSMS_OCPP_TLS_CERTIFICATE is empty (it is 'a.pem,')",
        ),
        (
            {"CSMS_DATABASE_HUB_URL": "postgresql://a/b"},
            "CSMS_DATABASE_HUB_URL needs CSMS_DATABASE_URL: the owner's role runs the migrations",
        ),
        (
            {"CSMS_DATABASE_URL": "postgresql://a/b"},
            "CSMS_DATABASE_URL needs CSMS_SECRET_FILE: the root secret that belongs to the database",
        ),
        ({"CSMS_CONFIG": "/nowhere/csms.toml"}, "CSMS_CONFIG: cannot read /nowhere/csms.toml: No such file or directory"),
    ],
)
def test_what_is_refused(environ: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(environ)
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ocpp_prot = 1", r"unknown setting ocpp_prot in .*csms\.toml: did you mean ocpp_port\?"),
        ("ocpp_port = 1.5", r"ocpp_port in .*csms\.toml is neither text, a whole number nor true/false"),
        ("[ocpp]\nport = 1", r"unknown setting ocpp in "),
        ("ocpp_port = ", r"CSMS_CONFIG: .*csms\.toml is not TOML: "),
        ("ocpp_port = 99999", r"ocpp_port in .*csms\.toml is not a whole number from 0 to 65535 \(it is '99999'\)"),
    ],
)
def test_what_is_refused_in_a_file(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(SettingsError, match=line) as refused:
        load_settings(write(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_the_hosts_of_redis_may_be_several_of_any_kind() -> None:
    url = "redis://u:p%40@a:1,[::1]:2,b/0"
    assert load_settings({"CSMS_REDIS_URL": url}).redis_url == url
    for bad in ("redis://a,[::1", "redis://a,[nowhere]", "http://a,b"):
        with pytest.raises(SettingsError, match=r"CSMS_REDIS_URL is not a URL that begins with redis:// or"):
            load_settings({"CSMS_REDIS_URL": bad})


def test_secrets_are_neither_shown_nor_repeated_in_errors() -> None:
    secrets = {
        "CSMS_ADMIN_PASSWORD": "correct horse",
        "CSMS_DATABASE_URL": "postgresql://u:hunter2@h/d",
        "CSMS_REDIS_URL": "redis://:hunter3@h",
        "CSMS_SECRET_FILE": "/s",
    }
    shown = repr(load_settings(secrets))
    assert not any(word in shown for word in ("correct horse", "hunter2", "hunter3"))
    for environ in ({"CSMS_DATABASE_URL": "mysql://u:hunter2@h"}, {"CSMS_ADMIN_PASSWORD": "hunter2"}):
        with pytest.raises(SettingsError) as refused:
            load_settings(environ)
        assert "hunter2" not in str(refused.value)


def test_the_document_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(CSMS_[A-Z_]+)` \| ([^|]*) \|", DOCUMENT.read_text(), flags=re.MULTILINE))
    expected = {variable_name(f): _shown(f.default) for f in dataclasses.fields(Settings)}
    assert {name: shown.strip() for name, shown in rows.items() if name != "CSMS_CONFIG"} == expected
    assert "CSMS_CONFIG" in rows


def test_the_document_says_what_the_settings_say_of_themselves() -> None:
    text = DOCUMENT.read_text()
    for setting in dataclasses.fields(Settings):
        assert setting.metadata["doc"] in text, setting.name


def test_toml_keys_are_the_variables_names() -> None:
    for setting in dataclasses.fields(Settings):
        assert "CSMS_" + toml_key(setting).upper() == variable_name(setting)


def _shown(default: object) -> str:
    if default in (None, ()):
        return "unset"
    if isinstance(default, bool):
        return f"`{int(default)}`"
    return f"`{default}`"
