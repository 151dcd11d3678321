"""Every case of RFC 6455 and RFC 7692 against the running gateway."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest

from tests.unit.native.client import frame
from tests.websocket.cases import OPEN, FrameCase, HandshakeCase
from tests.websocket.handshakes import HANDSHAKES
from tests.websocket.peer import PROBE, Peer, opened, pause
from tests.websocket.table import CASES, FRAMES, PAGE, page


@pytest.mark.parametrize("case", HANDSHAKES, ids=lambda case: case.id)
def test_handshake(gateway_port: int, identity: str, case: HandshakeCase) -> None:
    data = case.data.replace(b"/ST1", f"/{identity}".encode())
    with closing(Peer.connect(gateway_port)) as peer:
        step = case.pieces or len(data)
        for start in range(0, len(data), step):
            peer.send(data[start : start + step])
        response = peer.response()
        assert response.status == case.status
        assert {name: response.headers.get(name) for name in case.headers} == case.headers
        if case.status == 101:
            _expect(peer, case.then)
        else:
            assert response.headers["connection"] == "close"


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case.id)
def test_frames(gateway_port: int, identity: str, case: FrameCase) -> None:
    with closing(opened(gateway_port, identity, offer=case.offer)) as peer:
        for part in case.data:
            try:
                peer.send(part)
            except ConnectionError:
                break  # refused before all of it was sent; the answer is there
            if 1 < len(case.data) < 5:
                pause()
        _expect(peer, case.expected)


def _expect(peer: Peer, expected: tuple[str, ...]) -> None:
    for step in expected:
        if step == OPEN:
            peer.send(frame(PROBE))
            assert peer.told() == "result probe"
        else:
            assert peer.told() == step
            if step.startswith("close"):
                assert peer.ended()


def test_no_case_stands_twice() -> None:
    assert [name for name, times in Counter(case.id for case in CASES).items() if times > 1] == []


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text() == page(), "write it with `make pages`"
