"""Single objects: what is in a list alone, what does not exist, and ids that are hard on URLs (L1, S3, B2, T4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hub.ocpi.conformance import points
from hub.ocpi.conformance.entrance import Platform
from hub.ocpi.conformance.probe import REGISTRATION_ONLY, Heard, Probe
from schemas.ocpi221.headers import Party
from schemas.ocpi221.urls import join_url
from schemas.ocpi221.versions import InterfaceRole

UNKNOWN: Final = "no-such-object-anywhere"
RECEIVERS: Final = ("locations", "sessions", "tariffs", "tokens")


async def check_locations(probe: Probe, platform: Platform, documents: Sequence[Any]) -> None:
    """Locations one by one, as their list has them. Raises OutOfBudget."""
    url = platform.endpoints["locations", "SENDER"]
    to = probe.target.receiver or platform.receiver("locations", "SENDER")
    check = _Singles(probe, "locations", "SENDER", url, to)
    probe.notebook.expect(points.SINGLE, check.where)
    good = [document for document in documents if isinstance(document, dict) and _id(document, "id")]
    if good:
        await check.known(next((document for document in good if document.get("evses")), good[0]))
    await check.unknown((UNKNOWN,), (f"{UNKNOWN}/either",))


async def check_receivers(probe: Probe, platform: Platform) -> None:
    """What a receiver says of an object of ours that it was never told of. A hub has none (R15). Raises OutOfBudget."""
    sender = probe.target.sender
    if sender is None or platform.hub is not None:
        return
    for module in RECEIVERS:
        url = platform.endpoints.get((module, "RECEIVER"))
        if url is None:
            continue
        to = probe.target.receiver or platform.receiver(module, "RECEIVER")
        check = _Singles(probe, module, "RECEIVER", url, to)
        probe.notebook.expect(("single.unknown", "single.escaped"), check.where)
        owner = (sender.country_code, sender.party_id)
        await check.unknown((*owner, UNKNOWN), (*owner, f"{UNKNOWN}/either"))


class _Singles:
    def __init__(self, probe: Probe, module: str, role: InterfaceRole, url: str, to: Party | None) -> None:
        self._probe = probe
        self._module = module
        self._url = url
        self._to = to
        self.where = f"{module} {role}"

    async def known(self, document: dict[str, Any]) -> None:
        name = _id(document, "id")
        heard = await self._get(name)
        same = heard.ok and isinstance(heard.data, dict) and _same(heard.data, document)
        said = f"{heard}, but another object" if isinstance(heard.data, dict) else str(heard)
        rule = "Z12" if heard.ok and not isinstance(heard.data, dict) else None
        if not self._judge("single.answered", same, said, rule):
            return
        for evse in _members(document, "evses", "uid")[:1]:
            await self._part("uid", name, evse)
            for connector in _members(evse, "connectors", "id")[:1]:
                await self._part("id", name, evse, connector)
        heard = await self._get(name.swapcase())
        self._judge("single.other_case", heard.ok, f"{name.swapcase()}: {heard}")
        plain = join_url(self._url, name)
        for url in (plain + "/", "//".join(plain.rsplit("/", 1))):
            heard = await self._probe.ask(url, self._module, self._to)
            self._probe.notebook.judge("requests.slashes", heard.ok, f"{url}: {heard}")

    async def _part(self, member: str, name: str, evse: dict[str, Any], *rest: dict[str, Any]) -> None:
        ids = (_id(evse, "uid"), *(_id(connector, "id") for connector in rest))
        heard = await self._get(name, *ids)
        right = heard.ok and isinstance(heard.data, dict) and _id(heard.data, member) == ids[-1]
        self._judge("single.parts", right, f"{' / '.join(ids)}: {heard}")

    async def unknown(self, segments: tuple[str, ...], escaped: tuple[str, ...]) -> None:
        for point, path in (("single.unknown", segments), ("single.escaped", escaped)):
            heard = await self._get(*path)
            if heard.status == 401:
                self._probe.notebook.leave_out(points.SINGLE, REGISTRATION_ONLY, self.where)
                return
            right = heard.status == 404 and heard.code // 1000 == 2
            self._judge(point, right, f"{heard.url}: {heard}")

    async def _get(self, *segments: str) -> Heard:
        return await self._probe.ask(join_url(self._url, *segments), self._module, self._to)

    def _judge(self, point: str, held: bool, seen: str, rule: str | None = None) -> bool:
        return self._probe.notebook.judge(point, held, seen, where=self.where, rule=rule)


def _id(document: dict[str, Any], name: str) -> str:
    """The id, or nothing where it is none that a URL can hold."""
    value = document.get(name)
    return value if isinstance(value, str) and value not in (".", "..") else ""


def _members(document: dict[str, Any], name: str, identifier: str) -> list[dict[str, Any]]:
    value = document.get(name)
    found = value if isinstance(value, list) else []
    return [member for member in found if isinstance(member, dict) and _id(member, identifier)]


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether both are the same object, as far as neither was changed since the other was read."""
    if first.get("last_updated") != second.get("last_updated"):
        return str(first.get("id")).casefold() == str(second.get("id")).casefold()
    return first == second
