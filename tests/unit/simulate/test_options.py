"""Options are checked before anything starts, and the text names the one that is wrong."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from csms.simulate import OptionsError, SimulateOptions
from csms.simulate.command import add_arguments, options_from, run

URL = "ws://127.0.0.1:9000/ocpp"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("url", "http://127.0.0.1/"),
        ("url", "ws:///ocpp"),
        ("url", URL + "?a=b"),
        ("version", "1.5"),
        ("stations", 0),
        ("stations", 1_000_000),
        ("connectors", 0),
        ("speed", 0.0),
        ("duration", 0.0),
        ("prefix", "a:b"),
        ("prefix", "x" * 48),
        ("id_tokens", ("x" * 21,)),
        ("meter_interval", 0.0),
        ("attempts", 0),
        ("connect_rate", 0.0),
    ],
)
def test_bad_option(option: str, value: object) -> None:
    values: dict[str, Any] = {"url": URL, option: value}
    with pytest.raises(OptionsError, match=rf"^{option.removesuffix('s').replace('_', '-')}"):
        SimulateOptions(**values)


def test_acceleration_needs_an_end() -> None:
    with pytest.raises(OptionsError, match=r"^speed"):
        SimulateOptions(url=URL, speed=60)
    assert SimulateOptions(url=URL, speed=60, duration=10).speed == 60


def test_mix_has_all_versions() -> None:
    options = SimulateOptions(url=URL)
    assert [options.version_of(number) for number in (1, 2, 3, 4)] == ["1.6", "2.0.1", "2.1", "1.6"]


def _parsed(*arguments: str) -> SimulateOptions:
    parser = ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(arguments))


def test_command_line() -> None:
    options = _parsed("--url", URL, "--stations", "3", "--version", "1.6", "--id-token", "A", "--id-token", "B")
    assert (options.stations, options.version, options.id_tokens) == (3, "1.6", ("A", "B"))


def test_password_file(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("# comment\nSIM-00001:secret:with:colons\n\n")
    options = _parsed("--password", "for-the-others", "--password-file", str(file))
    assert options.password_of("SIM-00001") == "secret:with:colons"
    assert options.password_of("SIM-00002") == "for-the-others"
    file.write_text("no colon\n")
    with pytest.raises(OptionsError, match="line 1"):
        _parsed("--password-file", str(file))
    with pytest.raises(OptionsError, match="cannot read"):
        _parsed("--password-file", str(tmp_path / "missing"))


def test_a_bad_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args(["--stations", "0"])) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "stations" in captured.err
