"""Who a tenant is to its partners, and which of them are told what."""

from __future__ import annotations

from collections.abc import Sequence

from csms.roaming.agreements import Agreements, Receivers, Scope
from csms.roaming.parties import SERVING, Folded, OwnParties, OwnParty
from csms.store.pool import Connection
from csms.store.queries import ocpi_parties
from csms.store.queries import ocpi_publication as queries
from csms.store.queries.ocpi_publication import ReceivingParty


class TenantView:
    """As of one moment; made anew when the fingerprint of what it came from is another."""

    def __init__(
        self,
        fingerprint: str,
        parties: Sequence[OwnParty],
        hub: OwnParty | None,
        agreements: Agreements,
        direct: Sequence[ReceivingParty],
    ) -> None:
        self.fingerprint = fingerprint
        self.cpos = [party for party in parties if party.role == "CPO"]
        """Also those that are leaving: they tell of their sessions to the end."""
        self.emsps = [party for party in parties if party.role == "EMSP"]
        self.hub = hub
        self._agreements = agreements
        self._direct = direct
        self._by_owner = {party.party.folded: party for party in (*self.emsps, *self.cpos)}
        self._of_locations: dict[Folded, Receivers] = {}
        self._of_modules: dict[tuple[Folded, str], tuple[Folded, ...]] = {}

    def cpo(self, wanted: str | None) -> OwnParty | None:
        """The CPO party of this name (DE-ABC), or the first one; None: the tenant has none that stays."""
        named = [party for party in self.staying_cpos if wanted == f"{party.country_code}-{party.party_id}"]
        return next(iter(named or self.staying_cpos), None)

    @property
    def staying_cpos(self) -> list[OwnParty]:
        """As whom locations and tariffs are told; those that leave take theirs back."""
        return [party for party in self.cpos if party.leaving_since is None]

    @property
    def staying_emsps(self) -> list[OwnParty]:
        """As whom tokens are told; those that leave take theirs back."""
        return [party for party in self.emsps if party.leaving_since is None]

    def receivers(self, owner: Folded, module: str, *, location_id: str = "", country: str = "") -> tuple[Folded, ...]:
        """Who is told of an object of `owner` that is meant for all who may have it; of locations with id (folded) and country."""
        if module != "locations":
            key = (owner, module)
            found = self._of_modules.get(key)
            if found is None:
                scopes = self._scopes(owner, module)
                found = self._of_modules[key] = tuple(party for party, scope in scopes.items() if scope.allows())
            return found
        receivers = self._of_locations.get(owner)
        if receivers is None:
            receivers = self._of_locations[owner] = Receivers(self._scopes(owner, module))
        return receivers.of(location_id, country)

    def may_have(self, party: Folded, owner: Folded, module: str) -> bool:
        """Whether a session or CDR may be told to the party of its token."""
        return owner in self._by_owner and self._agreements.allows(party, owner, module)

    def _scopes(self, owner: Folded, module: str) -> dict[Folded, Scope]:
        own = self._by_owner.get(owner)
        if own is None:
            return {}
        wanted = SERVING[(module, "RECEIVER")]
        found = {
            one.party: self._agreements.scope(one.party, owner, module)
            for one in self._direct
            if one.role in wanted and module in one.modules and one.party not in self._by_owner
        }
        if self.hub is not None and own.on_hub:
            # being on the hub is the agreement with it; to whom it passes things on is for the agreements at the hub
            party = self.hub.party.folded
            found[party] = self._agreements.scope(party, owner, module, otherwise=True)
        return found


class Views:
    """The views of tenants, kept while what they came from is as it was."""

    def __init__(self) -> None:
        self._views: dict[int, TenantView] = {}

    async def get(self, conn: Connection, tenant_id: int, own: OwnParties) -> TenantView:
        """In a unit of the tenant. `own`: all own parties, for the hub's."""
        hub = own.hub
        fingerprint = f"{hub} {await queries.view_fingerprint(conn, tenant_id)}"
        known = self._views.get(tenant_id)
        if known is not None and known.fingerprint == fingerprint:
            return known
        parties = await ocpi_parties.list_parties(conn, tenant_id)
        found, visibility = await queries.load_agreements(conn, tenant_id)
        direct = await queries.load_receivers(conn, tenant_id)
        made = self._views[tenant_id] = TenantView(fingerprint, parties, hub, Agreements(found, visibility), direct)
        return made
