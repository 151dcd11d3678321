"""What roaming leaves behind, for the tests of tenant isolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.integration.hub.harness import Person, RunningHub

_LATER: Final = "now() + interval '1 day'"

_ROWS: Final = (
    (
        "ocpi_roles (tenant_id, country_code, party_id, role, partner_id, business_details, status, last_updated) "
        "VALUES ($1, 'DE', 'ABC', 'EMSP', $2::text::uuid, json_build_object('name', $3::text), 'SUSPENDED', now())"
    ),
    (
        "ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, partner_id, document, last_updated) "
        "VALUES ($1, 'tariffs', 'de', 'abc', 't-1', 'received', $2::text::uuid, json_build_object('id', $3::text), now())"
    ),
    (
        "ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, document, last_updated) "
        "SELECT $1, 'sessions', 'de', 'abc', lower($3) || '-session', 'received', "
        "json_build_object('country_code', 'DE', 'party_id', 'ABC', 'id', "
        "$3 || '-session'), now() WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_publications (tenant_id, module, to_country_code, to_party_id, after) SELECT $1, 'tariffs', 'de', 'abc', $3 "
        "WHERE $2::text IS NOT NULL"
    ),
    # nobody is to be told of it while a test runs
    (
        "ocpi_pushes (tenant_id, to_country_code, to_party_id, module, country_code, party_id, object_id, from_country_code, "
        f"from_party_id, correlation_id, not_before) "
        f"SELECT $1, 'de', 'abc', 'tariffs', 'nl', 'own', 't-1', 'nl', 'own', $3, {_LATER} WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_receivers (tenant_id, country_code, party_id, failing_since, failures, next_attempt_at, last_failure) "
        f"SELECT $1, 'de', 'abc', now(), 1, {_LATER}, $3 WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_commands (tenant_id, ocpi_command_id, direction, command, country_code, party_id, own_country_code, own_party_id, "
        "request, status, deadline, error) "
        "VALUES ($1, $2::text::uuid, 'received', 'START_SESSION', 'DE', 'ABC', 'NL', 'OWN', '{}', 'failed', now(), $3)"
    ),
    (
        "ocpi_authorizations (tenant_id, authorization_id, country_code, party_id, token_key, method, reference) "
        "VALUES ($1, $2::text::uuid, 'DE', 'ABC', 'tag1', 'AUTH_REQUEST', $3)"
    ),
    (
        "ocpi_relays (tenant_id, relay_key, kind, original_url, from_country_code, from_party_id, to_country_code, to_party_id, "
        f"expires_at) "
        f"SELECT $1, sha256($3::text::bytea), 'command', $3, 'DE', 'ABC', 'NL', 'OWN', {_LATER} WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_routes (tenant_id, kind, object_id, owner_country_code, owner_party_id, other_country_code, other_party_id) "
        "SELECT $1, 'session', $3, 'nl', 'own', 'de', 'abc' WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_reservation_numbers (tenant_id, partner_id, country_code, party_id, reservation_id, number) "
        "VALUES ($1, $2::text::uuid, 'de', 'abc', lower($3), 1)"
    ),
    # its trigger fills ocpi_invoiced_cdrs
    (
        "ocpi_objects (tenant_id, module, country_code, party_id, object_id, origin, partner_id, document, last_updated) "
        "VALUES ($1, 'invoicereconciliation', 'de', 'abc', 'r-1', 'received', $2::text::uuid, "
        "json_build_object('id', 'R-1', 'invoice_id', $3::text, 'cdrs', json_build_array($3::text)), now())"
    ),
    (
        "ocpi_invoices (tenant_id, invoice_key, invoice_id, statement_id, country_code, party_id, created_by) "
        "SELECT $1, $2::text::uuid, $3, statement_id, 'DE', 'ABC', 'user:somebody' FROM statements WHERE tenant_id = $1 LIMIT 1"
    ),
    (
        "ocpi_invoice_records (tenant_id, country_code, party_id, record_id, invoice_key, cdr_count) "
        "VALUES ($1, 'nl', 'own', $3, $2::text::uuid, 1)"
    ),
    (
        "ocpi_shown_tokens (tenant_id, partner_id, country_code, party_id, uid, contract_id, document) "
        "VALUES ($1, $2::text::uuid, 'de', 'abc', 'u', lower($3), '{}')"
    ),
    (
        "ocpi_messages (tenant_id, message_id, direction, partner_id, module, method, path, duration_ms, request, recorded_at) "
        "VALUES ($1, $2::text::uuid, 'in', $2::text::uuid, 'tariffs', 'PUT', '/de/abc/t-1', 1, $3, now())"
    ),
    (
        "ocpi_received_cdrs (tenant_id, country_code, party_id, object_id, end_time, currency, energy_kwh, total_excl_vat, "
        "doubtful) SELECT $1, 'de', 'abc', $3, now(), 'EUR', 1, 1, false WHERE $2::text IS NOT NULL"
    ),
    (
        "ocpi_pulls (tenant_id, partner_id, module, status, complete, requested_by, due_at, error) "
        f"VALUES ($1, $2::text::uuid, 'tariffs', 'failed', true, 'user:somebody', {_LATER}, $3)"
    ),
)


@dataclass(frozen=True, slots=True)
class RoamingIds:
    """What a tenant has: its party as in a path, a partner, an agreement, a message, a command and an invoice with the partner's
    id, and a session and a record of an invoice that the partner has told."""

    party: str
    partner_id: str
    agreement_id: str
    object: str
    """Of the partner, as in a path."""
    session: str
    record: str
    """The number of its object."""


async def furnish_roaming(hub: RunningHub, boss: Person, tenant_id: int, mark: str) -> RoamingIds:
    """A party, a partner that is planned, an agreement, and a row in every table of roaming; `mark` is in every text."""
    party = f"NL/{mark[:3].upper()}/CPO"
    made = await boss.put(f"/api/v1/ocpi/parties/{party}", {"business_details": {"name": f"{mark}-party"}})
    assert made.status_code == 200, made.text
    partner = await boss.post("/api/v1/ocpi/partners", {"name": f"{mark}-partner"})
    assert partner.status_code == 201, partner.text
    partner_id = partner.json()["partner"]["partner_id"]
    agreement = await boss.post("/api/v1/ocpi/agreements", {"party": "DE-ABC", "note": f"{mark}-note"})
    assert agreement.status_code == 201, agreement.text
    for row in _ROWS:
        await hub.sql(f"INSERT INTO {row}", tenant_id, partner_id, mark)
    rows = await hub.sql("SELECT object_id, object_no FROM ocpi_objects WHERE tenant_id = $1 AND origin = 'received'", tenant_id)
    numbers = {row["object_id"]: str(row["object_no"]) for row in rows}
    agreement_id = agreement.json()["agreement_id"]
    return RoamingIds(party, partner_id, agreement_id, f"tariffs/{numbers['t-1']}", f"{mark}-session", numbers["r-1"])
