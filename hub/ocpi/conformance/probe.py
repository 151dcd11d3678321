"""Asks one platform, within limits, and looks at what every answer must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from csms.clock import Clock, Ids
from hub.external_authorization.destinations import BadUrl
from hub.ocpi.client import HttpAnswer, NoAnswer, PlatformClient
from hub.ocpi.conformance.report import Notebook
from schemas.ocpi221.envelope import Envelope, NoEnvelope, read_envelope
from schemas.ocpi221.headers import MessageHeaders, Party, TokenEncoding, authorization_value, read_headers, write_headers
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES, Method
from schemas.ocpi221.notes import Unreadable

MOST_UNANSWERED: Final = 3
"""Requests in a row without an answer, after which it is not asked any more."""
LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of one answer."""
WRONG_TOKEN: Final = "not-a-token-that-anybody-knows"  # noqa: S105 - the point of it
REGISTRATION_ONLY: Final = "HTTP 401: this token may be one for registration, which is good for nothing else (A4)"

Shown = Literal["ours", "wrong", "none"]


class OutOfBudget(Exception):
    """There are no requests or no time left, or nobody answers; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to check. `sender` is the party as which we ask; without it no headers name anybody. `receiver`: whom all requests are
    for, instead of whom its credentials name."""

    versions_url: str
    token: str
    encoding: TokenEncoding = "base64"
    sender: Party | None = None
    receiver: Party | None = None

    def __repr__(self) -> str:
        """Without the token: it must not get into a log."""
        return f"Target(versions_url={self.versions_url!r}, token=...)"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked. `request_s`: seconds for one request."""

    requests: int = 400
    seconds: float = 300.0
    request_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back. `answer` None: nothing, `why` says it; `envelope` None: no OCPI answer."""

    url: str
    answer: HttpAnswer | None
    envelope: Envelope | None
    why: str

    @property
    def ok(self) -> bool:
        return self.answer is not None and self.answer.status // 100 == 2 and self.envelope is not None and self.envelope.successful

    @property
    def status(self) -> int:
        """Of HTTP; 0 without an answer."""
        return 0 if self.answer is None else self.answer.status

    @property
    def code(self) -> int:
        """Of OCPI; 0 without an envelope."""
        return 0 if self.envelope is None else self.envelope.status_code

    @property
    def data(self) -> Any:
        return None if self.envelope is None else self.envelope.data

    def __str__(self) -> str:
        if self.answer is None:
            return self.why
        said = f"HTTP {self.status}"
        if self.envelope is None:
            return f"{said}, {self.why}"
        return f"{said}, status {self.code}" + (f" ({self.envelope.status_message})" if self.envelope.status_message else "")


class Probe:
    """`encoding` is what turned out to be how the platform takes our token."""

    def __init__(self, client: PlatformClient, clock: Clock, ids: Ids, target: Target, notebook: Notebook, limits: Limits) -> None:
        self.target = target
        self.notebook = notebook
        self.encoding: TokenEncoding = target.encoding
        self.requests = 0
        self._client = client
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._begun = clock.monotonic()
        self._unanswered = 0

    @property
    def seconds(self) -> float:
        return self._clock.monotonic() - self._begun

    def refusal(self, url: str) -> str | None:
        """Why a URL will not be asked; None: it may be."""
        try:
            self._client.check_url(url)
        except BadUrl as error:
            return str(error)
        return None

    async def ask(
        self,
        url: str,
        module: str,
        to: Party | None = None,
        *,
        method: Method = "GET",
        shown: Shown = "ours",
        scheme: str = "Token",
        with_ids: bool = True,
    ) -> Heard:
        """One request. What every answer must have is judged here, all else by the caller. Raises OutOfBudget."""
        left = self._limits.seconds - self.seconds
        if self.requests >= self._limits.requests or left <= 0:
            raise OutOfBudget(f"{self._limits.requests} requests or {self._limits.seconds:g} s were all that was allowed")
        self.requests += 1
        routed = module in FUNCTIONAL_MODULES
        sent = MessageHeaders(
            request_id=str(self._ids.uuid4()) if with_ids else None,
            correlation_id=str(self._ids.uuid4()) if with_ids else None,
            to_party=to if routed else None,
            from_party=self.target.sender if routed else None,
        )
        headers = write_headers(sent)
        if shown != "none":
            value = authorization_value(self.target.token if shown == "ours" else WRONG_TOKEN, self.encoding)
            headers["Authorization"] = scheme + value.removeprefix("Token")
        try:
            seconds = min(self._limits.request_s, left)
            answer = await self._client.request(method, url, headers, None, timeout_s=seconds, largest=LARGEST_ANSWER)
        except NoAnswer as error:
            self.notebook.judge("answers.in_time", False, f"{url}: {error.why}")
            self._unanswered += 1
            if self._unanswered >= MOST_UNANSWERED:
                raise OutOfBudget(f"{MOST_UNANSWERED} requests in a row were not answered: {error.why}") from None
            return Heard(url, None, None, error.why)
        self._unanswered = 0
        self.notebook.judge("answers.in_time", True, "")
        heard = _heard(url, answer)
        self._judge(heard, answer, sent, routed=routed)
        return heard

    def _judge(self, heard: Heard, answer: HttpAnswer, sent: MessageHeaders, *, routed: bool) -> None:
        note = self.notebook
        if heard.envelope is None:
            error = heard.status >= 400
            redirected = 300 <= heard.status < 400
            if redirected:
                note.judge("requests.slashes", False, f"{heard.url} redirects with HTTP {heard.status}")
            note.judge("answers.error_envelope" if error else "answers.envelope", False, f"{heard.url}: {heard}")
            return
        remark = next(iter(heard.envelope.remarks), None)
        said = "" if remark is None else f"{heard.url}: {remark.field} {remark.text}"
        note.judge("answers.envelope", remark is None, said)
        kind = answer.headers.get("content-type", "nothing")
        note.judge("answers.content_type", kind.partition(";")[0].strip().lower() == "application/json", f"{heard.url} is {kind}")
        try:
            message, _ = read_headers(answer.headers, functional=routed)
        except Unreadable as fault:
            note.judge("answers.routing", False, f"{heard.url}: {fault}")
            return
        if sent.request_id is not None and heard.status != 401:
            same = (message.request_id, message.correlation_id) == (sent.request_id, sent.correlation_id)
            note.judge("answers.ids", same, f"{heard.url} answers with {message.request_id} and {message.correlation_id}")
        if sent.from_party is not None and heard.ok:
            right = message.to_party is not None and message.to_party.folded == sent.from_party.folded
            right = right and message.from_party is not None
            if sent.to_party is not None and message.from_party is not None:
                right = right and message.from_party.folded == sent.to_party.folded
            shown = ["-".join(party) if party else "nobody" for party in (message.to_party, message.from_party)]
            note.judge("answers.routing", right, f"{heard.url} answers to {shown[0]} from {shown[1]}")


def _heard(url: str, answer: HttpAnswer) -> Heard:
    try:
        return Heard(url, answer, read_envelope(answer.body), "")
    except NoEnvelope as error:
        return Heard(url, answer, None, f"without an OCPI envelope: {error}")
