"""Who may have what of whom (R14). Pure.

Of the agreements that name a party and an owner, or leave them open, the most specific ones count: first those that name the
party and the owner, then those that name the party, then those that name the owner, then all others; among those alike in this the
ones that name modules come first. A rank that refuses something refuses it; a rank that allows something allows that and, of
places, nothing else; where it says nothing the next rank is asked, and at last the tenant's `ocpi_visibility`.

Filters by place hold for locations alone. Tariffs and tokens are nowhere; sessions and CDRs belong to the party whose token it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

import msgspec

from csms.roaming.countries import alpha3
from csms.roaming.parties import Folded
from schemas.ocpi221.interfaces import FUNCTIONAL_MODULES

Visibility = Literal["everyone", "listed"]

PLACED: Final = frozenset({"locations"})
"""Modules whose objects are at a place that agreements can name."""
_NOT_NAMED: Final[Folded] = ("", "")
"""Stands for every party that no agreement names."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ocpi_agreements. Parties and ids are folded, countries ISO 3166-1 alpha-2 or alpha-3; None: any."""

    owner: Folded | None = None
    party: Folded | None = None
    allowed: bool = True
    modules: frozenset[str] | None = None
    location_ids: frozenset[str] | None = None
    countries: frozenset[str] | None = None


class Rule(msgspec.Struct, frozen=True):
    """What holds for the places that it names; both None: for all."""

    allowed: bool
    location_ids: frozenset[str] | None = None
    countries: frozenset[str] | None = None

    def holds_for(self, location_id: str, country: str) -> bool:
        return (self.location_ids is None or location_id in self.location_ids) and (
            self.countries is None or country in self.countries
        )


class Scope(msgspec.Struct, frozen=True):
    """What a party may have of an owner's module: the first rule that holds decides, or else `otherwise`."""

    rules: tuple[Rule, ...]
    otherwise: bool

    def allows(self, location_id: str = "", country: str = "") -> bool:
        """`location_id` folded, `country` alpha-3; of modules without a place both are left out."""
        for rule in self.rules:
            if rule.holds_for(location_id, country):
                return rule.allowed
        return self.otherwise

    @property
    def placed(self) -> bool:
        """Whether it depends on the place at all."""
        return any(rule.location_ids is not None or rule.countries is not None for rule in self.rules)

    @property
    def of_countries(self) -> bool:
        """Whether it depends on the country."""
        return any(rule.countries is not None for rule in self.rules)

    def decided(self, location_id: str) -> bool | None:
        """As `allows`, of a location whose country is not known; None: it depends on that."""
        for rule in self.rules:
            if rule.location_ids is not None and location_id not in rule.location_ids:
                continue
            return rule.allowed if rule.countries is None else None
        return self.otherwise

    @property
    def nothing(self) -> bool:
        """Whether nothing at all is allowed."""
        for rule in self.rules:
            if rule.allowed:
                return False
            if rule.location_ids is None and rule.countries is None:
                return True
        return not self.otherwise


class Visible(msgspec.Struct, frozen=True):
    """What one party may have of a module: by owner, of all other owners, and only what concerns the parties `involved` (sessions
    and CDRs: the party of the token); None: whoever it concerns."""

    by_owner: Mapping[Folded, Scope]
    others: Scope
    involved: frozenset[Folded] | None = None


class Relations(msgspec.Struct, frozen=True):
    """Whether anything at all may pass between a party and others: those that agreements name, and the rest."""

    named: Mapping[Folded, bool]
    others: bool

    def has(self, other: Folded) -> bool:
        return self.named.get(other, self.others)


class Agreements:
    """The agreements of a tenant, made ready for questions."""

    def __init__(self, agreements: Iterable[Agreement], visibility: Visibility) -> None:
        self._agreements = [
            msgspec.structs.replace(one, countries=frozenset(alpha3(country) or country.upper() for country in one.countries))
            if one.countries is not None
            else one
            for one in agreements
        ]
        self._otherwise = visibility == "everyone"
        self._by_pair: dict[tuple[Folded | None, Folded | None], list[Agreement]] = {}
        for one in self._agreements:
            self._by_pair.setdefault((one.party, one.owner), []).append(one)
        self._scopes: dict[tuple[Folded, Folded | None, str, bool], Scope] = {}
        self._relations: dict[Folded, Relations] = {}

    def scope(self, party: Folded, owner: Folded | None, module: str, *, otherwise: bool | None = None) -> Scope:
        """What `party` may have of `owner` (None: of an owner whom no agreement names). `otherwise`: in place of the tenant's
        ocpi_visibility."""
        default = self._otherwise if otherwise is None else otherwise
        key = (party, owner, module, default)
        found = self._scopes.get(key)
        if found is None:
            found = self._scopes[key] = self._compile(party, owner, module, default)
        return found

    def allows(self, party: Folded, owner: Folded, module: str, location_id: str = "", country: str = "") -> bool:
        """Whether `party` may have an object of `owner`; `location_id` folded and `country` alpha-3 for locations."""
        return self.scope(party, owner, module).allows(location_id, country)

    def visible(self, party: Folded, module: str, *, involved: Collection[Folded] | None = None) -> Visible:
        """What a list shows `party`."""
        owners = {one.owner for one in self._agreements if one.owner is not None and one.party in (None, party)}
        by_owner = {owner: self.scope(party, owner, module) for owner in owners}
        others = self.scope(party, None, module)
        different = {owner: scope for owner, scope in by_owner.items() if scope != others}
        return Visible(different, others, None if involved is None else frozenset(involved))

    def relations(self, party: Folded) -> Relations:
        """With whom `party` has anything to do."""
        found = self._relations.get(party)
        if found is None:
            owners = {one.owner for one in self._agreements if one.party in (None, party)}
            parties = {one.party for one in self._agreements if one.owner in (None, party)}
            named = {other: self._anything(party, other) for other in owners | parties if other is not None}
            found = self._relations[party] = Relations(named, self._anything(party, _NOT_NAMED))
        return found

    def _anything(self, one: Folded, other: Folded) -> bool:
        return any(
            not self.scope(party, owner, module).nothing
            for party, owner in ((one, other), (other, one))
            for module in FUNCTIONAL_MODULES
        )

    def _compile(self, party: Folded, owner: Folded | None, module: str, otherwise: bool) -> Scope:
        ranks: dict[tuple[bool, bool, bool], list[Agreement]] = {}
        for pair in dict.fromkeys(((party, owner), (party, None), (None, owner), (None, None))):
            for one in self._by_pair.get(pair, ()):
                if one.modules is None or module in one.modules:
                    ranks.setdefault((one.party is not None, one.owner is not None, one.modules is not None), []).append(one)
        rules: list[Rule] = []
        for rank in sorted(ranks, reverse=True):
            rules += _rules(ranks[rank], placed=module in PLACED)
            if rules and rules[-1].location_ids is None and rules[-1].countries is None:
                break  # nothing behind it is ever asked
        return Scope(tuple(rules), otherwise)


def _rules(agreements: Iterable[Agreement], *, placed: bool) -> list[Rule]:
    refused: list[Rule] = []
    allowed: list[Rule] = []
    for one in agreements:
        everywhere = one.location_ids is None and one.countries is None
        if placed:
            (allowed if one.allowed else refused).append(Rule(one.allowed, one.location_ids, one.countries))
        elif one.allowed:
            allowed.append(Rule(True))
        elif everywhere:
            refused.append(Rule(False))
    rules = [*refused, *allowed]
    if allowed and not any(rule.location_ids is None and rule.countries is None for rule in allowed):
        rules.append(Rule(False))
    return rules


class Receivers:
    """Who is told of the locations of one owner: looked up for every change of a status, so that answers are kept."""

    def __init__(self, scopes: Mapping[Folded, Scope]) -> None:
        """`scopes`: of the module locations, by receiver."""
        self._scopes = {party: scope for party, scope in scopes.items() if not scope.nothing}
        self._known: dict[tuple[str, str], tuple[Folded, ...]] = {}

    def of(self, location_id: str, country: str) -> tuple[Folded, ...]:
        """The parties that may have a location (`location_id` folded, `country` alpha-3)."""
        key = (location_id, country)
        found = self._known.get(key)
        if found is None:
            found = tuple(party for party, scope in self._scopes.items() if scope.allows(location_id, country))
            self._known[key] = found
        return found
