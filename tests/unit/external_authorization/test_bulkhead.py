"""One tenant's slow third party takes no room from the others."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from csms.external_authorization.bulkhead import MOST_PER_TENANT, OWN, SHARED, Bulkhead, Full


def test_a_tenant_has_its_room_and_gives_it_back() -> None:
    bulkhead = Bulkhead()
    with ExitStack() as slow:
        for _ in range(MOST_PER_TENANT):
            slow.enter_context(bulkhead.enter(1))
        with pytest.raises(Full), bulkhead.enter(1):
            pass
        assert (bulkhead.of(1), bulkhead.under_way) == (MOST_PER_TENANT, MOST_PER_TENANT)
        with bulkhead.enter(2):
            assert bulkhead.of(2) == 1
    assert (bulkhead.of(1), bulkhead.of(2), bulkhead.under_way) == (0, 0, 0)


def test_when_it_is_crowded_everybody_still_has_a_few() -> None:
    bulkhead = Bulkhead()
    with ExitStack() as slow:
        for number in range(SHARED):
            slow.enter_context(bulkhead.enter(number % 2))
        for tenant in range(2, 6):
            for _ in range(OWN):
                slow.enter_context(bulkhead.enter(tenant))
            with pytest.raises(Full), bulkhead.enter(tenant):
                pass
        with pytest.raises(Full), bulkhead.enter(0):
            pass
    assert bulkhead.under_way == 0
