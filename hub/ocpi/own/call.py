"""One request to a party of one of our tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from csms.roaming.parties import OwnParty
from csms.roaming.partners import PartnerSettings
from csms.roaming.room import Allowance
from hub.ocpi.message import OcpiRequest, OcpiResponse, Requester

if TYPE_CHECKING:
    from hub.ocpi.services import Ocpi


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCall:
    """`party` is the one that is asked; `settings` are those of the connection that the request came over (defaults in process)."""

    ocpi: Ocpi
    tenant_id: int
    party: OwnParty
    requester: Requester
    request: OcpiRequest
    settings: PartnerSettings

    @property
    def allowance(self) -> Allowance:
        """What whoever asks may store here."""
        return self.ocpi.room.of(self.requester.partner_id, self.settings)


Handler = Callable[[OwnCall], Awaitable[OcpiResponse]]
