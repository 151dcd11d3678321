"""Asks the parties of tokens whether these may charge at our stations (real-time authorization, digest 14 and 17.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
import trio

from csms.domain.decisions import AuthorizationStatus
from csms.domain.token_identity import CONTRACT, contract_key, lookup_key
from csms.external_authorization.messages import Answered, Failed, Outcome, Question
from csms.roaming.authorization import Candidate, asked_as, is_about, party_of_contract, status_of, whom_to_ask
from csms.roaming.parties import SERVING, OwnParty
from csms.store import Connection, StoreUnavailable
from csms.store.queries import ocpi_authorizations, ocpi_tokens
from csms.store.queries.ocpi_authorizations import AskedPlace
from csms.store.queries.ocpi_tokens import ForeignToken
from hub.ocpi.message import OcpiRequest
from hub.ocpi.services import Ocpi
from schemas.ocpi221.envelope import StatusCode
from schemas.ocpi221.headers import Party
from schemas.ocpi221.notes import Unreadable
from schemas.ocpi221.reading import read
from schemas.ocpi221.tokens import AuthorizationInfo, LocationReferences
from schemas.ocpi221.writing import document

log = structlog.get_logger()

LOOK_UP_S: Final = 1.0
_ANSWERING: Final = SERVING["tokens", "SENDER"]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is asked about: `uid` and `kind` are OCPI's, `location_id` is told to those who may know the location."""

    question: Question
    sender: OwnParty
    place: AskedPlace
    uid: str
    kind: str

    @property
    def shared(self) -> bool:
        return self.place.location_id is not None and (self.place.details is None or self.place.details.shared)

    def request(self) -> OcpiRequest:
        place = None
        if self.shared:
            uids = () if self.place.evse_uid is None else (str(self.place.evse_uid),)
            place = document(LocationReferences(location_id=str(self.place.location_id), evse_uids=uids))
        return OcpiRequest(
            method="POST",
            module="tokens",
            role="SENDER",
            segments=(self.uid, "authorize"),
            query=(("type", self.kind),),
            body=place,
        )


class PartyAsking:
    """Answers what gateways ask for tenants that have their tokens' parties asked."""

    def __init__(self, ocpi: Ocpi) -> None:
        self._ocpi = ocpi

    async def ask(self, question: Question, timeout_s: float) -> Outcome:
        """Ask the party of the token, or those that may be. Never raises but for cancellation."""
        outcome: Outcome = Failed(f"timed out after {round(timeout_s * 1000)} ms")
        with trio.move_on_after(timeout_s):
            try:
                outcome = await self._ask(question, timeout_s)
            except StoreUnavailable:
                outcome = Failed("the database is not available")
        return outcome

    async def _ask(self, question: Question, timeout_s: float) -> Outcome:
        place, known = await self._look_up(question)
        if place is None:
            return Failed("there is no such charge point")
        sender = await self._sender(question.tenant_id, place)
        if sender is None:
            return Failed("the tenant is no CPO in OCPI")
        if known is not None:
            subject = _Subject(question, sender, place, known.uid, known.ocpi_type or "RFID")
            return await self._ask_party(subject, Party(known.country_code, known.party_id), timeout_s)
        kind = asked_as(question.token_type)
        if kind is None:
            return Failed(f"no party is asked about tokens of type {question.token_type}")
        subject = _Subject(question, sender, place, question.id_token, kind)
        contract = party_of_contract(question.id_token, question.token_type)
        parties = whom_to_ask(await self._candidates(sender), contract)
        if not parties:
            return Failed("no party can be asked about it")
        return await self._ask_parties(subject, parties, timeout_s)

    async def _look_up(self, question: Question) -> tuple[AskedPlace | None, ForeignToken | None]:
        tenant_id, contract = question.tenant_id, contract_key(question.id_token, question.token_type)
        keys = {lookup_key(question.id_token, question.token_type), question.id_token.lower()}

        async def work(conn: Connection) -> tuple[AskedPlace | None, ForeignToken | None]:
            place = await ocpi_authorizations.find_asked_place(conn, tenant_id, question.charge_point_id, question.evse_id)
            found = await ocpi_tokens.find_foreign_tokens(conn, tenant_id, keys, question.token_type)
            if not found and contract is not None:
                found = await ocpi_tokens.find_foreign_tokens(conn, tenant_id, {contract}, CONTRACT)
            # an alias is good by itself, and its party does not know it
            return place, next((token for token in found if token.parent_token_id is None), None)

        return await self._ocpi.store.hub.tenant_unit(tenant_id, work, timeout=LOOK_UP_S)

    async def _sender(self, tenant_id: int, place: AskedPlace) -> OwnParty | None:
        """The party that the location belongs to, else the tenant's first CPO party."""
        parties = (await self._ocpi.directory.parties()).of_tenant(tenant_id, "CPO")
        wanted = None if place.details is None else place.details.party
        return next((one for one in parties if f"{one.country_code}-{one.party_id}" == wanted), parties[0] if parties else None)

    async def _candidates(self, sender: OwnParty) -> list[Candidate]:
        """Parties that may know a token: those of the tenant's partners, then those behind our hub."""
        directory, found = self._ocpi.directory, dict[tuple[str, str], Candidate]()
        own = await directory.parties()
        reached = list(await directory.roles(sender.tenant_id))
        if own.hub is not None and sender.on_hub:
            reached += await directory.roles(own.hub.tenant_id)
        for role in reached:
            if role.role not in _ANSWERING or role.status != "CONNECTED" or role.party.folded in found:
                continue
            if role.own_tenant is not None:
                if role.own_tenant != sender.slug:  # the tenant knows its own tokens
                    found[role.party.folded] = Candidate(role.party, True)
                continue
            tenant_id = sender.tenant_id
            partner = None if role.partner_id is None else await directory.partner(tenant_id, role.partner_id)
            if partner is None and own.hub is not None and role.partner_id is not None:
                partner = await directory.partner(own.hub.tenant_id, role.partner_id)
            if partner is not None and partner.registered and partner.endpoint("tokens", "SENDER") is not None:
                found[role.party.folded] = Candidate(role.party, partner.settings.ask_unknown_tokens)
        return list(found.values())

    async def _ask_parties(self, subject: _Subject, parties: list[Party], timeout_s: float) -> Outcome:
        """17.4, 7: all at once; the first that allows it wins, then whoever knows it."""
        if len(parties) == 1:
            return await self._ask_party(subject, parties[0], timeout_s)
        outcomes: list[Outcome] = []
        async with trio.open_nursery() as nursery:

            async def ask(party: Party) -> None:
                outcome = await self._ask_party(subject, party, timeout_s)
                outcomes.append(outcome)
                if isinstance(outcome, Answered) and outcome.status == "Accepted":
                    nursery.cancel_scope.cancel(reason="a party allows it")

            for party in parties:
                nursery.start_soon(ask, party)
        return min(outcomes, key=_rank)

    async def _ask_party(self, subject: _Subject, party: Party, timeout_s: float) -> Outcome:
        response = await self._ocpi.outgoing.send(subject.sender, party, subject.request(), timeout_s=timeout_s)
        name = f"{party.country_code}-{party.party_id}".upper()
        if response.failure is None and (response.status_code == StatusCode.UNKNOWN_TOKEN or response.http_status == 404):
            return Answered("Unknown", reason=f"{name}: does not know the token")
        if not response.successful:
            return Failed(f"{name}: {response.failure or response.status_message or response.status_code}"[:200])
        try:
            info = read(AuthorizationInfo, response.data).value
        except Unreadable as fault:
            return Failed(f"{name}: {fault}"[:200])
        if not is_about(info, subject.uid, party.folded):
            return Failed(f"{name}: the answer is about another token")
        evse_uid = None if subject.place.evse_uid is None else str(subject.place.evse_uid)
        status = status_of(info, evse_uid)
        said = info.allowed if info.info is None else f"{info.allowed}, {info.info.text}"
        reason = f"{name}: {said}"[:200]
        if status == "Accepted" and not await self._take_over(subject, info):
            return Failed(f"{name}: its token is known as another's")
        return Answered(status, group_id_token=info.token.group_id, reason=reason)

    async def _take_over(self, subject: _Subject, info: AuthorizationInfo) -> bool:
        """The session that may follow belongs to the party (K7)."""
        tenant_id, ids = subject.question.tenant_id, self._ocpi.ids

        async def work(conn: Connection) -> bool:
            token = await ocpi_tokens.put_foreign_token(conn, tenant_id, ids.uuid7(), info.token)
            if token is None:
                return False
            await ocpi_authorizations.insert_authorization(
                conn, tenant_id, ids.uuid7(), token, "AUTH_REQUEST", info.authorization_reference, subject.place.station_id
            )
            return True

        return await self._ocpi.store.hub.tenant_unit(tenant_id, work)


_RANKS: Final[dict[AuthorizationStatus, int]] = {"Accepted": 0, "Unknown": 3}


def _rank(outcome: Outcome) -> int:
    """Allowed, known but refused, not to be told because somebody did not answer, known to nobody."""
    return 2 if isinstance(outcome, Failed) else _RANKS.get(outcome.status, 1)
