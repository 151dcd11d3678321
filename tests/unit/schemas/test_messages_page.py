"""The pages that list the messages name every one of them, and are what the code says now."""

from typing import get_args

import pytest

from csms.domain.commands import AnyCommand
from schemas.versions import VERSIONS
from tests.unit.schemas.messages_page import COMMANDS, page, path, written

DIALECTS = {version.dialect for version in VERSIONS.values()}


@pytest.mark.parametrize("version", VERSIONS)
def test_page_is_up_to_date(version: str) -> None:
    assert path(version).read_text() == page(version), "write it with `make pages`"


@pytest.mark.parametrize("version", VERSIONS)
def test_page_has_a_row_for_every_message_of_each_direction(version: str) -> None:
    _, up, down = page(version).split("\n## ")
    for action in VERSIONS[version].actions.values():
        assert up.count(f"\n| {action.name} ") == action.from_station
        assert down.count(f"\n| {action.name} ") == action.from_csms


def test_every_line_by_hand_is_of_a_message_and_every_message_has_one() -> None:
    wanted: dict[str, dict[str, set[str]]] = {"from_station": {}, "from_csms": {}}
    for version in VERSIONS.values():
        for name, action in version.actions.items():
            for direction, does in (("from_station", action.from_station), ("from_csms", action.from_csms)):
                if does:
                    wanted[direction].setdefault(name, set()).add(version.dialect)
    for direction, lines in written().items():
        assert lines.keys() == wanted[direction].keys()
        for name, line in lines.items():
            assert isinstance(line, str) or line.keys() == wanted[direction][name], name
            assert all(len(text) > 10 and "|" not in text for text in ([line] if isinstance(line, str) else line.values())), name


def test_every_command_has_an_example() -> None:
    assert {type(command) for command in COMMANDS} == set(get_args(AnyCommand))
