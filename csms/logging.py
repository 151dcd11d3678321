"""Structured logs: one event per line, secrets and persons left out, nothing a station sends can forge a line.

`configure_logging` is called once, by the command line. Events of other libraries, which use the standard library's
logging, take the same way.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from csms.clock import Clock

Format = Literal["auto", "json", "text"]

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LONGEST_VALUE: Final = 4096
_DEEPEST: Final = 6
_HIDDEN: Final = "***"

# Names whose values never reach a log: secrets, and the tokens by which a driver could be told
_SECRET_NAMES: Final = frozenset(
    {
        "authorization",
        "authorization_key",
        "authorizationkey",
        "api_key",
        "apikey",
        "x_api_key",
        "basicauthpassword",
        "cookie",
        "set_cookie",
        "id_tag",
        "idtag",
        "id_token",
        "idtoken",
        "passphrase",
        "password",
        "passwd",
        "pepper",
        "private_key",
        "pwd",
        "secret",
        "token",
    }
)
_SECRET_ENDINGS: Final = ("_password", "_secret", "_token", "_api_key", "_private_key", "_pepper")
_URL_PASSWORD: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]*@", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"\b(Basic|Bearer|Token)\s+[A-Za-z0-9+/=._~-]{6,}", re.IGNORECASE)
# C0 and C1 controls, and the Unicode characters that break lines or turn the writing direction
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def configure_logging(level: str, form: Format, clock: Clock, *, stream: TextIO | None = None) -> None:
    """Set up all logging of this process. `level`: debug, info, warning, error; `stream`: standard error by default."""
    stream = stream if stream is not None else sys.stderr
    as_text = form == "text" or (form == "auto" and stream.isatty())
    line_logger = _LineLogger(stream)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_time(clock),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
        render_text if as_text else render_json,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: line_logger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    # other libraries' chatter is only of use to someone who looks for a fault in them
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.captureWarnings(capture=True)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: replace secrets, by the name they go under and by what credentials look like in text."""
    return {name: _redact(name, value, _DEEPEST) for name, value in event.items()}


def render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Processor: one JSON object on one line."""
    line = orjson.dumps(_leading(event), default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", line)  # JSON itself escapes those below U+0020


def render_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Processor: `time LEVEL event name=value …`; a traceback follows, each of its lines marked with a bar."""
    exception = event.pop("exception", None)
    ordered = _leading(event)
    words = [
        str(ordered.pop("time")),
        str(ordered.pop("level")).upper().ljust(7),
        _escape(str(ordered.pop("event", ""))),
    ]
    words += [f"{_escape(str(name))}={_quoted(value)}" for name, value in ordered.items()]
    lines = [" ".join(words)]
    if exception is not None:
        lines += ["  | " + _escape(line) for line in str(exception).splitlines()]
    return "\n".join(lines)


def _add_time(clock: Clock) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["time"] = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    return add


def _redact(name: object, value: Any, depth: int) -> Any:
    if isinstance(name, str) and value is not None:
        plain = name.lower().replace("-", "_")
        if plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS):
            return _HIDDEN
    if depth == 0:
        return "…"
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        if len(value) > _LONGEST_VALUE and name != "exception":
            value = value[:_LONGEST_VALUE] + "…"
        return _CREDENTIALS.sub(rf"\1 {_HIDDEN}", _URL_PASSWORD.sub(rf"\1{_HIDDEN}@", _encodable(value)))
    if isinstance(value, Mapping):
        return {_encodable(str(key)): _redact(key, item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(None, item, depth - 1) for item in value]
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() < 64 else str(value)
    return _redact(None, str(value), depth - 1)


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no encoding takes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _leading(event: EventDict) -> dict[str, Any]:
    """The same event with time, level and name in front."""
    return {name: event[name] for name in ("time", "level", "event") if name in event} | dict(event)


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    if isinstance(value, str) and (not text or any(c in text for c in ' "=')):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _escape(text)


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _LineLogger:
    """Writes each event in one piece, so that lines of two threads do not mix. It never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):  # the reader of a pipe is gone, or the stream was closed
            pass

    debug = info = warning = error = critical = msg


class _ToStructlog(logging.Handler):
    """Events of the standard library's logging as events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a library's bad format string must not break what it reports on
            message = f"{record.msg!r} (cannot be formatted: {error!r})"
        log = structlog.get_logger()
        log.log(min(record.levelno, logging.ERROR), "library", logger=record.name, message=message, exc_info=record.exc_info)
