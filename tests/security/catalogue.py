"""What the catalogue of the database must say about tenants; each question gives the offenders (proof list N3 a)."""

from __future__ import annotations

from typing import Final

# Tables of the whole installation, which hold nothing of a tenant's.
_INSTALLATION = "('installation', 'gateway_processes', 'schema_migrations', 'outbox_readers', 'process_leases')"

# What is unique in the whole installation: the names of tenants, its one hub, and who is which party in roaming, which partners may
# know of all tenants anyhow.
_UNIQUE_THERE = "('tenants_slug_key', 'tenants_hub', 'ocpi_parties_installation')"

QUESTIONS: Final[dict[str, str]] = {
    "tables of tenants without forced row-level security": """
        SELECT c.relname AS offender FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)""",
    "tables of tenants on which the hub's role is not held to its tenant": """
        SELECT c.relname AS offender FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
          AND (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND 'csms_hub'::regrole = ANY(p.polroles)
               AND pg_get_expr(p.polqual, p.polrelid) LIKE '%app.tenant_id%'
               AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%app.tenant_id%') <> 1""",
    "policies that admit the hub's role or everybody beside the tenant's": """
        SELECT p.polname || ' on ' || p.polrelid::regclass AS offender FROM pg_policy p
        WHERE ('csms_hub'::regrole = ANY(p.polroles) OR p.polroles = '{0}')
          AND pg_get_expr(p.polqual, p.polrelid) NOT LIKE '%app.tenant_id%'""",
    "tables without a tenant that are not the installation's own": f"""
        SELECT c.relname AS offender FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND c.relname NOT IN {_INSTALLATION}
          AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')""",
    "tables of the installation that the hub's role may change": f"""
        SELECT table_name || ': ' || privilege_type AS offender FROM information_schema.role_table_grants
        WHERE table_schema = 'public' AND grantee = 'csms_hub' AND privilege_type <> 'SELECT' AND table_name IN {_INSTALLATION}""",
    "unique indexes without the tenant": f"""
        SELECT i.indexrelid::regclass::text AS offender FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
        WHERE i.indisunique AND a.attnum <> ALL(i.indkey::smallint[])
          AND i.indexrelid::regclass::text NOT IN {_UNIQUE_THERE}""",
    "unique indexes that do not begin with the tenant": f"""
        SELECT i.indexrelid::regclass::text AS offender FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
        WHERE i.indisunique AND i.indkey[0] <> a.attnum AND i.indexrelid::regclass::text NOT IN {_UNIQUE_THERE}""",
    "foreign keys between tenants' tables without the tenant": """
        SELECT k.conname AS offender FROM pg_constraint k
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE k.contype = 'f' AND a.attnum <> ALL(k.conkey)""",
    "views that run as their owner": """
        SELECT c.relname AS offender FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
          AND (c.relkind = 'm' OR c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY(c.reloptions), false))""",
    "roles that could leave row-level security": """
        SELECT rolname AS offender FROM pg_roles WHERE rolname IN ('csms_gateway', 'csms_hub', 'csms_auth')
          AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin)""",
    "tables that belong to a lesser role": """
        SELECT c.relname AS offender FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
          AND c.relowner IN ('csms_gateway'::regrole, 'csms_hub'::regrole, 'csms_auth'::regrole)""",
    "grants of TRUNCATE, REFERENCES or TRIGGER, or on a partition, or to everybody": """
        SELECT table_name || ': ' || privilege_type || ' to ' || grantee AS offender FROM information_schema.role_table_grants
        WHERE table_schema = 'public' AND grantee IN ('csms_gateway', 'csms_hub', 'csms_auth', 'PUBLIC')
          AND (privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') OR grantee IN ('csms_auth', 'PUBLIC')
               OR (SELECT relispartition FROM pg_class WHERE oid = table_name::regclass))""",
    "definer functions that others than the sign-in's role may run": """
        SELECT p.proname AS offender FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND (
          NOT coalesce('search_path=public, pg_temp' = ANY(p.proconfig), false)
          OR has_function_privilege('csms_hub', p.oid, 'EXECUTE') OR has_function_privilege('csms_gateway', p.oid, 'EXECUTE'))""",
}

BREACHES: Final[dict[str, str]] = {
    "tables of tenants without forced row-level security": "ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY",
    "tables of tenants on which the hub's role is not held to its tenant": "DROP POLICY hub_tenant ON sessions",
    "policies that admit the hub's role or everybody beside the tenant's": "CREATE POLICY open ON sessions USING (true)",
    "tables without a tenant that are not the installation's own": "CREATE TABLE loose (id integer)",
    "tables of the installation that the hub's role may change": "GRANT UPDATE ON outbox_readers TO csms_hub",
    "unique indexes without the tenant": "CREATE UNIQUE INDEX breach ON stations (identity)",
    "unique indexes that do not begin with the tenant": "CREATE UNIQUE INDEX breach ON stations (identity, tenant_id)",
    "foreign keys between tenants' tables without the tenant": (
        "CREATE UNIQUE INDEX breach ON stations (station_id); "
        "ALTER TABLE sessions ADD CONSTRAINT breach FOREIGN KEY (station_id) REFERENCES stations (station_id)"
    ),
    "views that run as their owner": "CREATE VIEW breach AS SELECT * FROM sessions",
    "tables that belong to a lesser role": "ALTER TABLE samples OWNER TO csms_hub",
    "grants of TRUNCATE, REFERENCES or TRIGGER, or on a partition, or to everybody": "GRANT SELECT ON samples_default TO csms_hub",
    "definer functions that others than the sign-in's role may run": "GRANT EXECUTE ON FUNCTION auth_tenant(text) TO PUBLIC",
}
"""What each question must find when it is done."""
