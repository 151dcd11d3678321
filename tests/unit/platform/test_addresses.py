"""An address that cannot be had is named, and so is the reason."""

from __future__ import annotations

import errno
import socket

import pytest

from csms.addresses import not_to_be_had
from csms.cli.metrics_server import metrics_server
from csms.health import HealthRegistry
from gateway.listener import bind_addresses


def test_the_reason_and_the_kind_stay() -> None:
    told = not_to_be_had(PermissionError(errno.EACCES, "Permission denied"), "::", 80)
    assert isinstance(told, PermissionError)
    assert (told.strerror, told.filename) == ("Permission denied", "[::]:80")
    assert not_to_be_had(OSError("closed"), "h", 1).strerror == "closed"


def test_a_host_that_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OSError, match=r"Name or service not known: 'nowhere\.invalid:9000'"):
        bind_addresses("nowhere.invalid", 9000)
    with (
        pytest.raises(OSError, match=r"Name or service not known: 'nowhere\.invalid:9000'"),
        metrics_server("nowhere.invalid", 9000, HealthRegistry()),
    ):
        pytest.fail("it serves nothing")
