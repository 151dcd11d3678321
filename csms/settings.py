"""Settings: from the environment (`CSMS_…`) and, below it, from a TOML file named by `CSMS_CONFIG`."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from csms.addresses import split_hosts

PREFIX: Final = "CSMS_"
CONFIG_VARIABLE: Final = "CSMS_CONFIG"
_LONGEST_VALUE: Final = 4096
_LARGEST_CONFIG: Final = 1024 * 1024
MOST_GATEWAYS: Final = 64
"""Gateway processes that one launcher supervises."""


class SettingsError(Exception):
    """A setting is unknown or bad; the message is one line that names it."""


Parser = Callable[[str], Any]


def _text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    if any(ord(character) < 32 for character in value):
        raise ValueError("holds a control character")
    return value


def _path(value: str) -> Path:
    return Path(_text(value)).expanduser()


def _paths(value: str) -> tuple[Path, ...]:
    return tuple(_path(part.strip()) for part in value.split(","))


def _url(*schemes: str, several_hosts: bool = False) -> Parser:
    def parse(value: str) -> str:
        try:
            scheme = (split_hosts(_text(value))[0] if several_hosts else urlsplit(_text(value))).scheme
        except ValueError:
            scheme = ""
        if scheme not in schemes:  # the value itself may hold a password: it is not repeated
            raise ValueError(f"is not a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return parse


def _integer(least: int, most: int) -> Parser:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return number

    return parse


def _flag(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("is neither 1 nor 0")


def _one_of(*choices: str) -> Parser:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return value

    return parse


def _email(value: str) -> str:
    local, at, domain = _text(value).rpartition("@")
    if not (local and at and domain) or " " in value or len(value) > 254:
        raise ValueError("is not an e-mail address")
    return value


def _password(value: str) -> str:
    if not 8 <= len(_text(value)) <= 200:
        raise ValueError("is shorter than 8 or longer than 200 characters")
    return value


def _setting(default: Any, parser: Parser, doc: str, *, secret: bool = False, variable: str | None = None) -> Any:
    """One field: how its text is read and what it means; `secret` keeps it out of `repr`."""
    metadata = {"parser": parser, "doc": doc, "secret": secret, "variable": variable}
    return field(default=default, repr=not secret, metadata=metadata)


_DATABASE_URL = _url("postgresql", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process, checked. The table in docs/operations/settings.md is made from the fields."""

    database_url: str | None = _setting(
        None,
        _DATABASE_URL,
        "PostgreSQL 15 or newer, as the role that owns the tables. Unset: an embedded PostgreSQL in the data folder",
        secret=True,
    )
    database_gateway_url: str | None = _setting(
        None,
        _DATABASE_URL,
        "The same database, for a login that is a member of `csms_gateway`. Unset: the owner's connections take on "
        "that role, the weaker form",
        secret=True,
    )
    database_hub_url: str | None = _setting(
        None,
        _DATABASE_URL,
        "The same for a login that is a member of both `csms_hub` and `csms_auth`",
        secret=True,
    )
    database_connections: int = _setting(8, _integer(1, 200), "Most connections to the database per role and process")
    postgres_bin: Path | None = _setting(
        None, _path, "The bin folder of the PostgreSQL to run as the embedded one. Unset: that of the Python package"
    )
    data_dir: Path = _setting(
        Path("data"), _path, "Folder of the embedded database and of the root secret; made if it does not exist"
    )
    secret_file: Path | None = _setting(
        None,
        _path,
        "File of the root secret: 32 random bytes, mode 0600. Unset: `secret` in the data folder, made at the first "
        "start; with a database URL it must be set",
    )
    redis_url: str | None = _setting(
        None,
        _url("redis", "rediss", "unix", several_hosts=True),
        "Redis or Valkey, one server or a cluster (several hosts parted by commas), which connects several processes. Unset: "
        "everything runs in one process",
        secret=True,
    )
    ocpp_host: str = _setting("127.0.0.1", _text, "Address that stations connect to; `0.0.0.0` or `::` for all")
    ocpp_port: int = _setting(9000, _integer(0, 65535), "Port that stations connect to; 0 takes any free one")
    ocpp_tls_port: int = _setting(9443, _integer(0, 65535), "Port of the same over TLS, once there is a certificate")
    ocpp_tls_certificate: tuple[Path, ...] = _setting(
        (), _paths, "Certificate chain of the TLS port, a PEM file; one with an RSA and one with an ECDSA key, parted by a comma"
    )
    ocpp_tls_key: tuple[Path, ...] = _setting((), _paths, "The private keys of those certificates, in their order")
    ocpp_tls_client_ca: Path | None = _setting(
        None, _path, "PEM file of who signs the certificates of stations (security profile 3). Unset: stations need none"
    )
    ocpp_tls_static_rsa: bool = _setting(
        True, _flag, "0: without the two suites that lack forward secrecy, which OCPP demands for old stations"
    )
    http_host: str = _setting("127.0.0.1", _text, "Address of the HTTP API; `0.0.0.0` or `::` for all")
    http_port: int = _setting(8080, _integer(0, 65535), "Port of the HTTP API; 0 takes any free one")
    public_url: str | None = _setting(
        None,
        _url("https", "http"),
        "Where people and partners reach the HTTP API, as in `https://csms.example.com`: OCPI tells it to partners. Unset: the "
        "address that is listened on",
    )
    outgoing_private: bool = _setting(
        False,
        _flag,
        "1: tenants may name servers at loopback and private addresses for requests of ours, there also without TLS (a laboratory, "
        "a network of one's own)",
    )
    metrics_port: int | None = _setting(
        None,
        _integer(1, 65535 - MOST_GATEWAYS),
        "Port of `/metrics` and `/health` of a process that has no HTTP API, on the address of `CSMS_HTTP_HOST`; the gateways of "
        "`csms serve --gateways` take the ones that follow it. Unset: none",
    )
    try_out: bool = _setting(
        False,
        _flag,
        "1: the default tenant takes unknown stations without a password and keeps unknown tokens; never on a server "
        "that others reach",
        variable="CSMS_TRY",
    )
    admin_email: str | None = _setting(
        None, _email, "E-mail of the first administrator, made at the first start. Unset: `admin@localhost`"
    )
    admin_password: str | None = _setting(
        None,
        _password,
        "Password of the first administrator. Unset: one is made up and printed once",
        secret=True,
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "Least important events that are logged"
    )
    log_format: Literal["auto", "json", "text"] = _setting(
        "auto", _one_of("auto", "json", "text"), "`json` lines, `text`, or `auto`: text on a terminal and else json"
    )
    event_file: Path | None = _setting(
        None, _path, "A file that every event is appended to, a line of JSON each (docs/operations/events.md). Unset: none"
    )
    event_file_mb: int = _setting(100, _integer(1, 100_000), "Megabytes after which that file is renamed and a new one begun")
    event_file_keep: int = _setting(10, _integer(0, 1000), "How many renamed ones are kept")
    cost_interval_s: int = _setting(
        60, _integer(1, 3600), "Seconds between two looks at what a running session costs, and what its station is told of it"
    )
    ledger_linger_ms: int = _setting(
        25, _integer(0, 1000), "Milliseconds that a busy ledger waits for more messages to commit together; 0: never"
    )
    ledger_batch: int = _setting(400, _integer(1, 1_000), "Most messages in one commit")
    ledger_queue: int = _setting(20_000, _integer(1, 1_000_000), "Most messages that wait for a commit; beyond it reading stops")
    hold_transaction_s: int = _setting(
        25, _integer(1, 600), "Seconds that an answer to a station is held while the database is away"
    )
    hold_authorize_s: int = _setting(10, _integer(1, 600), "The same for Authorize, before it is answered with an error")
    call_timeout_s: int = _setting(30, _integer(1, 3600), "Seconds that a station has to answer a command")
    session_silence_s: int = _setting(
        3600,
        _integer(60, 604_800),
        "Seconds without a message of a running session after which its station is asked about it",
    )
    session_settle_s: int = _setting(
        120,
        _integer(1, 86_400),
        "Seconds that a station has after it came back or booted to go on with its sessions before it is asked about them",
    )
    session_give_up_s: int = _setting(
        259_200,
        _integer(3600, 31_536_000),
        "Seconds without a message of a running session after which it is closed as incomplete; a stop that comes later counts",
    )
    ping_interval_s: int = _setting(45, _integer(5, 3600), "Seconds of silence after which a station is sent a ping")
    pong_timeout_s: int = _setting(30, _integer(1, 3600), "Seconds that a station has to answer a ping")
    heartbeat_interval_s: int = _setting(
        300,
        _integer(1, 86_400),
        "Seconds between two Heartbeats that stations of a tenant without a value of its own are asked for",
    )
    handshake_timeout_s: int = _setting(10, _integer(1, 120), "Seconds that a connecting station has to become a WebSocket")
    max_handshakes: int = _setting(64, _integer(1, 10_000), "Most connections that are in that phase at once")
    boots_per_second: int = _setting(
        1000,
        _integer(1, 100_000),
        "Most BootNotifications a second and process; beyond it stations are told to boot again in 1 to 3 minutes",
    )
    drain_s: int = _setting(60, _integer(1, 3600), "Seconds within which a stop says goodbye to all stations")
    connections_max: int = _setting(20_000, _integer(1, 1_000_000), "Most stations connected to one gateway process")


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings; the environment wins over the file. Raises SettingsError for an unknown or bad one."""
    known = {variable_name(setting): setting for setting in dataclasses.fields(Settings)}
    given: dict[str, tuple[str, str]] = {}  # field name -> text, where it came from
    config = environ.get(CONFIG_VARIABLE)
    if config is not None:
        given.update(_read_config(Path(config).expanduser(), {toml_key(s): s.name for s in known.values()}))
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in known:
            raise SettingsError(f"unknown setting {name}{_nearest(name, [*known, CONFIG_VARIABLE])}")
        given[known[name].name] = (text, name)
    values: dict[str, Any] = {}
    for setting in known.values():
        if setting.name in given:
            text, source = given[setting.name]
            values[setting.name] = _parse(setting, text, source)
    settings = Settings(**values)
    _check_together(settings)
    return settings


def variable_name(setting: dataclasses.Field[Any]) -> str:
    """The environment variable of a setting."""
    return setting.metadata["variable"] or PREFIX + setting.name.upper()


def toml_key(setting: dataclasses.Field[Any]) -> str:
    """The key of a setting in the TOML file: the variable's name, lower case, without the prefix."""
    return variable_name(setting).removeprefix(PREFIX).lower()


def _parse(setting: dataclasses.Field[Any], text: str, source: str) -> Any:
    if len(text) > _LONGEST_VALUE:
        raise SettingsError(f"{source} is longer than {_LONGEST_VALUE} characters")
    try:
        return setting.metadata["parser"](text)
    except ValueError as error:
        shown = "" if setting.metadata["secret"] else f" (it is {text!r})"
        raise SettingsError(f"{source} {error}{shown}") from None


def _read_config(path: Path, names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The values of a TOML file as text, so that both sources are read by the same rules."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_CONFIG + 1)
        if len(raw) > _LARGEST_CONFIG:
            raise SettingsError(f"{CONFIG_VARIABLE}: {path} is larger than {_LARGEST_CONFIG} bytes")
        table = tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{CONFIG_VARIABLE}: {path} is not TOML: {error}") from None
    given: dict[str, tuple[str, str]] = {}
    for key, value in table.items():
        source = f"{key} in {path}"
        if key not in names:
            raise SettingsError(f"unknown setting {source}{_nearest(key, list(names))}")
        if isinstance(value, bool):
            given[names[key]] = ("1" if value else "0", source)
        elif isinstance(value, str | int):
            given[names[key]] = (str(value), source)
        else:
            raise SettingsError(f"{source} is neither text, a whole number nor true/false")
    return given


def _check_together(settings: Settings) -> None:
    if settings.database_url is None:
        for name in ("database_gateway_url", "database_hub_url"):
            if getattr(settings, name) is not None:
                raise SettingsError(f"{PREFIX}{name.upper()} needs CSMS_DATABASE_URL: the owner's role runs the migrations")
    elif settings.secret_file is None:
        raise SettingsError("CSMS_DATABASE_URL needs CSMS_SECRET_FILE: the root secret that belongs to the database")

    if len(settings.ocpp_tls_certificate) != len(settings.ocpp_tls_key):
        raise SettingsError("CSMS_OCPP_TLS_CERTIFICATE and CSMS_OCPP_TLS_KEY belong together: name as many keys as certificates")
    if settings.ocpp_tls_client_ca is not None and not settings.ocpp_tls_certificate:
        raise SettingsError("CSMS_OCPP_TLS_CLIENT_CA needs CSMS_OCPP_TLS_CERTIFICATE and CSMS_OCPP_TLS_KEY")


def _nearest(name: str, known: list[str]) -> str:
    by_stem = {other.removeprefix(PREFIX).lower(): other for other in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX).lower(), by_stem, n=1, cutoff=0.5)
    return f": did you mean {by_stem[close[0]]}?" if close else " (docs/operations/settings.md lists all)"
