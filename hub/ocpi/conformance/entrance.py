"""Versions, details, credentials, and who is let in (digest, chapters 2, 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from csms.roaming.parties import SERVING
from hub.ocpi.conformance import points
from hub.ocpi.conformance.probe import Heard, Probe
from schemas.ocpi221.credentials import Credentials
from schemas.ocpi221.headers import Party
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, OPERATIONS
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read, read_page
from schemas.ocpi221.versions import InterfaceRole, Version, VersionDetails

VERSION: Final = "2.2.1"
MOST_VERSIONS: Final = 20
MOST_ENDPOINTS: Final = 200
CREDENTIALS: Final = "credentials"
_MODULES: Final = frozenset(operation.module for operation in OPERATIONS)


@dataclass(slots=True)
class Platform:
    """What is known of the platform by now."""

    endpoints: dict[tuple[str, InterfaceRole], str] = field(default_factory=dict)
    credentials_url: str | None = None
    roles: list[tuple[str, Party]] = field(default_factory=list)

    @property
    def hub(self) -> Party | None:
        return next((party for role, party in self.roles if role == "HUB"), None)

    def receiver(self, module: str, role: InterfaceRole) -> Party | None:
        """Whom a request for an interface is for: the party that serves it, else the hub, else the only one there is."""
        if module not in FUNCTIONAL_MODULES:
            return None
        serving = SERVING.get((module, role), frozenset())
        found = next((party for name, party in self.roles if name in serving), None) or self.hub
        return found or (self.roles[0][1] if len(self.roles) == 1 else None)


async def check_entrance(probe: Probe) -> Platform | None:
    """None: there is no 2.2.1 to go on with. Raises OutOfBudget."""
    note = probe.notebook
    versions = await _versions(probe)
    if versions is None:
        return None
    await _strangers(probe)
    await _habits(probe)
    details: Heard | None = None
    for version, url in versions.items():
        heard = await probe.ask(url, "details")
        note.judge("versions.details", heard.ok, f"{version}: {heard}")
        if version == VERSION and heard.ok:
            details = heard
    if not note.judge("versions.offered", VERSION in versions, f"it offers {', '.join(versions) or 'none'}") or details is None:
        return None
    platform = _details(probe, details)
    if platform is not None:
        await _credentials(probe, platform)
    return platform


async def _versions(probe: Probe) -> dict[str, str] | None:
    """The versions with their URLs; finds out how the token is taken (A6)."""
    note, url = probe.notebook, probe.target.versions_url
    note.judge("requests.tls", url.lower().startswith("https://"), url)
    heard = await probe.ask(url, "versions")
    if heard.status == 401:
        probe.encoding = "raw" if probe.encoding == "base64" else "base64"
        other = await probe.ask(url, "versions")
        if other.ok:
            heard = other
        else:
            probe.encoding = probe.target.encoding
    if heard.ok or heard.status == 401:
        said = "it takes the token as it stands only" if heard.ok else "HTTP 401 in every encoding: it does not know the token"
        note.judge("token.base64", heard.ok and probe.encoding == "base64", said)
    if not note.judge("versions.answered", heard.ok, str(heard)):
        return None
    try:
        page = read_page(Version, heard.data)
    except Unreadable as fault:
        note.judge("versions.answered", False, str(fault))
        return None
    for index, unreadable in page.faults.items():
        note.judge("versions.answered", False, f"[{index}] {unreadable}", rule=unreadable.rule)
    if not isinstance(heard.data, list):
        note.judge("versions.answered", False, "it is no list", rule="Z12")
    found = [reading.value for reading in page.readings.values()][:MOST_VERSIONS]
    return {version.version: version.url for version in found}


async def _strangers(probe: Probe) -> None:
    url = probe.target.versions_url
    for shown, point in (("none", "token.missing"), ("wrong", "token.wrong")):
        heard = await probe.ask(url, "versions", shown=shown)  # type: ignore[arg-type]  # the literals above
        probe.notebook.judge(point, heard.status == 401, str(heard))


async def _habits(probe: Probe) -> None:
    """What other platforms do and a good one puts up with."""
    note, url = probe.notebook, probe.target.versions_url
    heard = await probe.ask(url, "versions", scheme="token")
    note.judge("token.scheme", heard.ok, str(heard))
    heard = await probe.ask(url, "versions", with_ids=False)
    note.judge("requests.without_ids", heard.ok, str(heard))
    heard = await probe.ask(other_slash(url), "versions")
    note.judge("requests.slashes", heard.ok, f"{other_slash(url)}: {heard}")
    heard = await probe.ask(url, "versions", method="PATCH")
    note.judge("requests.other_methods", heard.status == 405, f"PATCH of the versions: {heard}")


def other_slash(url: str) -> str:
    """The URL with a slash at its end, or without where it has one."""
    return url[:-1] if url.endswith("/") else url + "/"


def _details(probe: Probe, heard: Heard) -> Platform | None:
    note = probe.notebook
    note.expect(points.DETAILS)
    try:
        reading = read(VersionDetails, heard.data)
    except Unreadable as fault:
        note.judge("details.readable", False, str(fault), rule=fault.rule)
        return None
    details = reading.value
    note.judge("details.readable", details.version == VERSION, f"they are of version {details.version}")
    platform = Platform()
    seen: set[tuple[str, str | None]] = set()
    for endpoint in details.endpoints[:MOST_ENDPOINTS]:
        name, role, url = endpoint.identifier, endpoint.role, endpoint.url
        note.judge("requests.tls", url.lower().startswith("https://"), url)
        why = probe.refusal(url)
        if not note.judge("details.readable", why is None, f"the URL of {name} {why}", rule="T3"):
            continue
        if name == CREDENTIALS:
            note.judge("details.credentials", platform.credentials_url is None, "it is there more than once")
            platform.credentials_url = url
            continue
        note.judge("details.modules", name in _MODULES, f"{name} is none of them")
        if role is None:
            note.judge("details.roles", False, f"{name} has none", rule="Z16")
        elif role not in ("SENDER", "RECEIVER"):
            note.judge("details.roles", False, f"that of {name} is {role}")
        elif note.judge("details.roles", (name, role) not in seen, f"{name} as {role} is there twice"):
            platform.endpoints[name, role] = url  # type: ignore[index]  # narrowed above
        seen.add((name, role))
    if platform.credentials_url is None:
        note.judge("details.credentials", False, "it is not there")
    return platform


async def _credentials(probe: Probe, platform: Platform) -> None:
    note = probe.notebook
    note.expect(points.CREDENTIALS)
    if platform.credentials_url is None:
        return
    heard = await probe.ask(platform.credentials_url, CREDENTIALS)
    if not note.judge("credentials.answered", heard.ok, str(heard)):
        return
    try:
        found = read(Credentials, heard.data)
    except Unreadable as fault:
        point = "credentials.roles" if fault.rule == "C9" else "credentials.answered"
        note.judge(point, False, _said(fault.field, fault.text), rule=fault.rule)
        return
    note.judge("credentials.roles", True, "")
    for remark in found.remarks:
        note.judge("credentials.answered", False, _said(remark.field, remark.text), rule=remark.rule)
    credentials = found.value
    note.judge("credentials.token", credentials.token == probe.target.token, "it is another")
    note.judge("credentials.url", credentials.url.rstrip("/") == probe.target.versions_url.rstrip("/"), credentials.url)
    platform.roles = [(role.role, Party(role.country_code, role.party_id)) for role in credentials.roles]


def _said(field: str, text: str) -> str:
    """What is wrong with Credentials; nothing of a token is quoted."""
    return "token: is not as it has to be" if field == "token" else f"{field}: {text}"
