"""How long bodies may be, and how much memory the long ones may take together."""

from __future__ import annotations

from hub.api.routing import MAX_BODY, Answer, Call, NoQuery, route
from hub.bodies import DrainedBody, LongBodies

MEGABYTE = bytes(1024 * 1024)


async def _handler(call: Call[NoQuery, None]) -> Answer:
    return Answer(204)


def _bodies() -> LongBodies:
    def row(path: str, most: int) -> object:
        return route(
            "POST",
            path,
            _handler,
            permission=None,
            tag="x",
            summary="x",
            answers={204: None},
            most_bytes=most,
            takes={"text/csv": str},
        )

    return LongBodies([row("/a/{id}/steps", 12 * MAX_BODY), row("/a/{id}", MAX_BODY)])  # type: ignore[list-item]


def _body(bodies: LongBodies, most: int = 12 * MAX_BODY) -> DrainedBody:
    body = DrainedBody(None, None)
    body.lengthen(most, bodies)
    return body


async def test_only_the_addresses_that_say_so_take_long_bodies() -> None:
    limit = _bodies().limit
    assert limit("POST", "/a/x/steps") == 12 * MAX_BODY
    for method, path in (
        ("PUT", "/a/x/steps"),
        ("POST", "/a/x/y/steps"),
        ("POST", "/a/x"),
        ("POST", "/a/x/steps/"),
        ("POST", "/b"),
    ):
        assert limit(method, path) == MAX_BODY


async def test_the_room_is_shared_and_given_back() -> None:
    bodies = _bodies()
    full = [_body(bodies) for _ in range(6)]
    for body in full:
        for _ in range(11):
            body.append(MEGABYTE)
        body.set_complete()
        assert (body.no_room, body.too_long) == (False, False)
        assert len(await body) == 11 * MAX_BODY
    # six bodies hold ten megabytes each beyond their first: four are left
    last = _body(bodies)
    for _ in range(6):
        last.append(MEGABYTE)
    assert (last.no_room, last.too_long) == (True, False)
    last.append(MEGABYTE)
    last.set_complete()
    assert await last == b""
    short = _body(bodies)
    short.append(MEGABYTE)
    assert not short.no_room
    full[0].let_go()
    full[0].let_go()
    again = _body(bodies)
    for _ in range(12):
        again.append(MEGABYTE)
    assert not again.no_room


async def test_a_body_that_turns_out_too_long_holds_nothing() -> None:
    bodies = _bodies()
    for _ in range(20):
        body = _body(bodies, 2 * MAX_BODY)
        for _ in range(3):
            body.append(MEGABYTE)
        body.set_complete()
        assert body.too_long
        assert await body == b""
    for _ in range(5):
        fits = _body(bodies)
        for _ in range(12):
            fits.append(MEGABYTE)
        assert not fits.no_room
