"""`csms schemas`: what people see, and what they are told when they mistype."""

import json

import pytest

from csms.cli import main


def _output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["schemas", *arguments]) == 0
    return capsys.readouterr().out


def _error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["schemas", *arguments]) == 1
    return capsys.readouterr().err


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    page = _output(capsys, "show", "2.0.1", "TransactionEvent")
    assert page.startswith("TransactionEvent (ocpp2.0.1, functional block E: transactions), station -> CSMS\n")
    assert "    seqNo               1     integer" in page
    assert "TransactionEventEnumType\n  Ended | Started | Updated\n" in page
    assert "customData" in page


def test_action_in_any_case_and_version_with_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert _output(capsys, "show", "ocpp1.6", "bootnotification") == _output(capsys, "show", "1.6", "BootNotification")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    every = _output(capsys, "list")
    assert [line for line in every.split("\n") if line.startswith("ocpp")] == [
        "ocpp1.6: 39 messages",
        "ocpp2.0.1: 64 messages",
        "ocpp2.1: 91 messages",
    ]
    assert _output(capsys, "list", "2.1") in every


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(_output(capsys, "json", "1.6", "Heartbeat", "response"))
    assert schema["required"] == ["currentTime"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "1.7", "Heartbeat"), "it is one of 1.6, 2.0.1, 2.1"),
        (("show", "1.6", "Hartbeat"), "did you mean Heartbeat?"),
        (("show", "2.0.1", "boot"), "did you mean BootNotification?"),
        (("show", "1.6", "TransactionEvent"), "it belongs to ocpp2.0.1, ocpp2.1"),
        (("json", "2.1", "NotifyPeriodicEventStream", "response"), "has no response"),
    ],
)
def test_mistakes_are_met_with_help(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    assert told in _error(capsys, *arguments)


def test_long_comments_go_on_below_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    page = _output(capsys, "show", "2.1", "ReserveNow").split("\n")
    assert max(map(len, page)) <= 120
    start = next(index for index, line in enumerate(page) if line.startswith("    connectorType"))
    column = page[start].index("reserve by type; standard: cCCS1")
    assert page[start + 1][:column].isspace()
    assert page[start + 1][column] != " "


def test_help_tells_how_to_read_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["schemas", "--help"])
    text = capsys.readouterr().out
    assert "Show the messages of OCPP 1.6, 2.0.1 and 2.1" in text
    assert "must be there" in text
