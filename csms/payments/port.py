"""What Open-CSMS asks of a payment provider, and the providers that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

import msgspec

PROVIDER_S: Final = 10.0
"""Seconds that a provider has for one answer; after them it counts as one that cannot be reached."""
LONGEST_REFERENCE: Final = 200
LONGEST_URL: Final = 2000


class Declined(Exception):
    """The provider has decided: no. It says so again when it is asked again. The message is for operators."""


class ProviderUnavailable(Exception):
    """There is no answer, so what was asked for may have happened or not. It is asked again with the same key."""


class Authorized(msgspec.Struct, frozen=True):
    """The amount is held. `provider_reference`: what the provider calls it."""

    provider_reference: str


class Pending(msgspec.Struct, frozen=True):
    """The payer has to do something first, at `redirect_url`."""

    redirect_url: str
    provider_reference: str | None = None


Authorization = Authorized | Pending


class Hold(msgspec.Struct, frozen=True):
    """What was authorized, or perhaps was. `reference` is ours; `provider_reference` None: the provider has not told it, because
    its answer never came."""

    reference: str
    provider_reference: str | None
    currency: str


class PaymentProvider(Protocol):
    """One tenant's way to a provider. Amounts are in the currency of the hold, with its decimals.

    Every call may come again with the same reference or idempotency key, at any time later and from another process; it is then
    answered as before, and nothing happens twice. Each raises Declined or ProviderUnavailable. The caller limits the time
    (`PROVIDER_S`) and cancels what takes longer.
    """

    async def authorize(
        self, amount: Decimal, currency: str, reference: str, *, payment_method: str, return_url: str | None
    ) -> Authorization:
        """Hold the amount, or tell how an authorization with this reference stands. `payment_method` is the provider's own token
        for what the payer pays with. A reference that was released is declined for ever."""
        ...

    async def capture(self, hold: Hold, amount: Decimal, idempotency_key: str) -> None:
        """Take `amount`, at most what is held, and release the rest."""
        ...

    async def release(self, hold: Hold, idempotency_key: str) -> None:
        """Release all that is held. Succeeds also when nothing was ever authorized with this reference."""
        ...

    async def refund(self, hold: Hold, amount: Decimal, idempotency_key: str) -> None:
        """Give back a part of what was captured."""
        ...


OpenProvider = Callable[[int], PaymentProvider]
"""tenant id -> its way to the provider"""


class Providers:
    """The providers of an installation by name."""

    def __init__(self, openers: Mapping[str, OpenProvider]) -> None:
        self._openers = dict(openers)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._openers)

    def open(self, name: str, tenant_id: int) -> PaymentProvider:
        """Raises ProviderUnavailable for a provider that this version does not have (any more)."""
        opener = self._openers.get(name)
        if opener is None:
            raise ProviderUnavailable(f"this installation has no payment provider {name}")
        return opener(tenant_id)


def reference_of(payment_id: UUID) -> str:
    """What a provider knows a payment by."""
    return str(payment_id)
