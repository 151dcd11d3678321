"""How stations behave while nobody can be asked (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Listed = Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"]
MOST_ENTRIES: Final = 20_000
DEFAULT_ENTRIES: Final = 1_000

Switch = bool | None


class OfflinePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What is null is as the next policy up says: that of the charge point, of its groups from the nearest one, of the tenant. A
    switch that nobody sets is left as it is at the station.

    `local_list`, `cache`: on or off; `authorize_offline`: list and cache are believed while the station is offline;
    `pre_authorize`: it starts for their tokens at once while it is online; `unknown_offline`: it starts for tokens that it does not
    know while it is offline. `whitelists` and `token_groups`: which tokens go into the list (without groups: those of all);
    `max_entries`: how many at most, the oldest tokens first.
    """

    local_list: Switch = None
    cache: Switch = None
    authorize_offline: Switch = None
    pre_authorize: Switch = None
    unknown_offline: Switch = None
    whitelists: Annotated[tuple[Listed, ...], Meta(min_length=1, max_length=3)] | None = None
    token_groups: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=100)] | None = None
    max_entries: Annotated[int, Meta(ge=1, le=MOST_ENTRIES)] | None = None

    @property
    def listed(self) -> frozenset[str]:
        """The whitelist modes whose tokens go into the list. A station that starts at once would not ask, which is what
        ALLOWED_OFFLINE demands of it (OCPI rule K4): such tokens are not in the lists of stations that do."""
        wanted = frozenset[str](self.whitelists or ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"))
        return wanted - {"ALLOWED_OFFLINE"} if self.pre_authorize else wanted

    @property
    def says_nothing(self) -> bool:
        """No station is told anything."""
        return self.local_list is None and not any(value is not None for value in self.switches().values())

    def switches(self) -> dict[str, Switch]:
        return {name: getattr(self, name) for name in SWITCHES}


SWITCHES: Final = ("local_list", "cache", "authorize_offline", "pre_authorize", "unknown_offline")


def together(policies: Iterable[OfflinePolicy]) -> OfflinePolicy:
    """What holds of several, the nearest first: each field as the first one that says something about it."""
    fields: dict[str, object] = {}
    for policy in policies:
        for name in OfflinePolicy.__struct_fields__:
            value = getattr(policy, name)
            if value is not None and name not in fields:
                fields[name] = value
    return msgspec.convert(fields, OfflinePolicy)


encode_policy: Final = msgspec.json.Encoder().encode
decode_policy: Final = msgspec.json.Decoder(OfflinePolicy).decode
