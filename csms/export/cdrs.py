"""CDRs as flat rows, in the order of csms.store.queries.cdr_lists.export_rows."""

from __future__ import annotations

from typing import Final

from csms.export.table import Column, Table

CDRS: Final = Table(
    "cdrs",
    (
        Column("number", "integer"),
        Column("cdr_id"),
        Column("credit", "boolean"),
        Column("credit_reference_id"),
        Column("revision", "integer"),
        Column("session_id"),
        # of one that nobody came for, in place of a session
        Column("reservation_id", "integer"),
        Column("transaction_id"),
        Column("start_time", "time"),
        Column("end_time", "time"),
        Column("created_at", "time"),
        Column("auth_method"),
        Column("stop_reason"),
        Column("id_token"),
        Column("id_token_type"),
        Column("contract_id"),
        Column("issuer"),
        Column("token_group_id"),
        Column("charge_point_id"),
        Column("evse_id", "integer"),
        Column("connector_id", "integer"),
        Column("emi3_evse_id"),
        Column("meter_serial"),
        Column("location_id"),
        Column("location_name"),
        Column("address"),
        Column("postal_code"),
        Column("city"),
        Column("country"),
        Column("time_zone"),
        Column("tariff_id"),
        Column("tariff_version", "integer"),
        Column("energy_kwh", "decimal"),
        Column("time_h", "decimal"),
        Column("parking_time_h", "decimal"),
        Column("currency"),
        Column("total_excl_vat", "decimal"),
        Column("total_incl_vat", "decimal"),
        Column("vat", "decimal"),
        Column("fixed_cost_excl_vat", "decimal"),
        Column("energy_cost_excl_vat", "decimal"),
        Column("time_cost_excl_vat", "decimal"),
        Column("parking_cost_excl_vat", "decimal"),
        Column("reservation_cost_excl_vat", "decimal"),
        Column("peak_power_cost_excl_vat", "decimal"),
        # by rates of VAT, as JSON
        Column("taxes"),
    ),
)
"""In a credit total_excl_vat, total_incl_vat, vat and taxes are negative, and all else is as in the CDR that it takes back."""
