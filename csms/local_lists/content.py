"""A local authorization list as a value: its entries by key, and the digest that tells it from others (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Final

import msgspec


class Entry(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A token that is accepted. `type` None: in OCPP 1.6, which names none. `group`: what stations are told as its group;
    `language`: ISO 639-1."""

    id_token: str
    type: str | None = None
    expires_at: datetime | None = None
    group: str | None = None
    language: str | None = None

    @property
    def key(self) -> str:
        """No list has two entries with the same one: tokens compare without regard to case."""
        return key_of(self.id_token, self.type)


def key_of(id_token: str, type_: str | None) -> str:
    return f"{type_ or ''}:{id_token.lower()}"


class Content:
    """A whole list. `entries` are in the order of their keys."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Of entries with the same key the last one stays."""
        by_key = {entry.key: entry for entry in entries}
        self.entries: Mapping[str, Entry] = {key: by_key[key] for key in sorted(by_key)}

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Content({list(self.entries.values())!r})"

    @cached_property
    def encoded(self) -> bytes:
        return _encode(list(self.entries.values()))

    @cached_property
    def digest(self) -> bytes:
        return sha256(self.encoded).digest()


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[Entry]).decode
EMPTY: Final = Content()


def decode_content(encoded: str | bytes) -> Content:
    return Content(_decode(encoded))
