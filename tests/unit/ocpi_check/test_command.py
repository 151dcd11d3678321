"""`csms ocpi check` as it is typed."""

from __future__ import annotations

import io
import json
import sys

import pytest

from csms.cli import main
from tests.ocpi import documents
from tests.ocpi.process import PlatformProcess


def test_as_it_is_typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with PlatformProcess("EMSP:DE:ABC") as platform:
        token = platform.do("grant")
        platform.do("own", module="tokens", documents=[documents.token(f"T{number}") for number in range(2)])
        command = ["ocpi", "check", platform.versions_url, token, "--private", "--from", "nl-bbb"]
        assert main(command) == 0
        said = capsys.readouterr()
        assert "tokens SENDER" in said.out
        assert "failed 0" in said.out
        assert "… receiver interfaces" in said.err

        platform.do("fault", kind="no_total")
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))
        assert main([*command[:3], "-", "--private", "--json", "--from", "NL-BBB", "--to", "DE-ABC"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert [finding["rule"] for finding in report["findings"] if finding["outcome"] == "failed"] == ["G5"]
        assert token not in json.dumps(report)

        assert main(command[:4]) == 1
        assert "--private allows plain HTTP" in capsys.readouterr().err
        assert main([*command[:3], "a token", "--private"]) == 1
        assert "A2" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--from", "NLBBB"], ["--from", "NL-TOOLONG"], ["--seconds", "0"], ["--seconds", "x"]])
def test_what_cannot_be_meant(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ocpi", "check", "https://x.example/versions", "t", *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
