"""A station that keeps a local list as the standards say, and a driver that stores what is known of it as the product does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from csms.local_lists import messages
from csms.local_lists.changes import Limits, changes_between
from csms.local_lists.content import EMPTY, Content, Entry, key_of
from csms.local_lists.conversation import AskVersion, Conversation, End, Known, Send
from csms.local_lists.messages import Dialect

Fate = Literal["fine", "refused", "lost", "answer_lost", "forgets", "meddled"]
"""What happens to a message: `forgets`: the station loses its list before it comes; `meddled`: somebody else sends another one."""


@dataclass
class ModelStation:
    dialect: Dialect
    version: int = 0
    entries: dict[str, Any] = field(default_factory=dict)
    most_items: int = 10**9

    def take(self, payload: bytes) -> str:
        message = json.loads(payload)
        version = message["listVersion" if self.dialect == "1.6" else "versionNumber"]
        assert 0 < version <= 2**31 - 1
        items = message.get("localAuthorizationList", [])
        keys = [self.key(item) for item in items]
        assert len(keys) == len(set(keys)), "no token twice in one message"
        if len(items) > self.most_items:
            return "Failed"
        if message["updateType"] == "Full":
            self.entries = {}
        elif version <= self.version:
            return "VersionMismatch"
        for key, item in zip(keys, items, strict=True):
            info = item.get("idTagInfo" if self.dialect == "1.6" else "idTokenInfo")
            if info is None:
                assert message["updateType"] == "Differential"
                self.entries.pop(key, None)
            else:
                self.entries[key] = item
        self.version = version
        return "Accepted"

    def key(self, item: dict[str, Any]) -> str:
        if self.dialect == "1.6":
            return key_of(item["idTag"], None)
        return key_of(item["idToken"]["idToken"], item["idToken"]["type"])

    def holds(self, wanted: Content) -> bool:
        fresh = ModelStation(self.dialect)
        order = messages.send_list(self.dialect, 1, "Full", changes_between(EMPTY, wanted))
        assert fresh.take(order.payload) == "Accepted"
        return fresh.entries == self.entries


@dataclass
class Store:
    """What is in the database: written before a message leaves and after its answer."""

    known: Known = field(default_factory=Known)
    asked: bool = False


def visit(
    station: ModelStation, store: Store, wanted: Content, limits: Limits, fates: Iterator[Fate], *, full: bool = False
) -> tuple[End | None, int]:
    """One visit; None: it was cut short. And how many lists were sent."""
    conversation = Conversation(
        store.known, wanted, limits, partial(messages.size_of, station.dialect), asked=store.asked, full=full
    )
    sent = 0
    while True:
        step = conversation.next_step()
        if isinstance(step, End):
            return step, sent
        if isinstance(step, AskVersion):
            conversation.told_version(station.version)
            store.known, store.asked = conversation.known, True
            continue
        assert isinstance(step, Send)
        sent += 1
        store.known = step.known
        order = messages.send_list(station.dialect, step.version, step.update, step.changes)
        fate = next(fates, "fine")
        if fate == "forgets":
            station.version, station.entries = 0, {}
            store.asked = False  # it has started anew
            return None, sent
        if fate == "meddled":
            station.entries = {"x": {"idTag": "x"}}
            # with the very number that is on its way it could not be told from ours
            station.version += 7 if station.version + 7 != step.version else 8
            store.asked = False
            return None, sent
        if fate == "lost":
            store.asked = False
            return None, sent
        status = "Failed" if fate == "refused" else station.take(order.payload)
        if fate == "answer_lost":
            store.asked = False
            return None, sent
        taken, told = messages.what_became(json.dumps({"status": status}), None)
        conversation.answered(taken, told)
        store.known = conversation.known


def entry(number: int, **more: Any) -> Entry:
    return Entry(f"TAG{number:05}", **more)
