-- How long a tenant keeps the rows that grow with every kWh (design 7). Sessions, corrections and transaction ids stay for ever.

ALTER TABLE tenants
    -- days that meter readings are kept, counted from the begin of their session; NULL: for ever
    ADD COLUMN samples_kept_days integer CHECK (samples_kept_days BETWEEN 7 AND 36500),
    -- the same for the events of sessions and stations; by the events of a session a repeated message is known as one
    ADD COLUMN events_kept_days integer CHECK (events_kept_days BETWEEN 30 AND 36500);

-- The list of tenants shows the new settings; a version that does not know them asks for its columns by name.
DROP FUNCTION auth_tenants(text, integer);
CREATE FUNCTION auth_tenants(after_slug text, page integer)
RETURNS TABLE (tenant_id integer, slug text, name text, onboarding text, unknown_tokens text, allow_unauthenticated boolean,
               validation text, time_zone text, currency text, heartbeat_interval_s integer, samples_kept_days integer,
               events_kept_days integer, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.onboarding, t.unknown_tokens, t.allow_unauthenticated, t.validation,
           t.time_zone, t.currency, t.heartbeat_interval_s, t.samples_kept_days, t.events_kept_days, t.created_at, t.updated_at
    FROM tenants t WHERE t.slug > after_slug ORDER BY t.slug LIMIT page
$$;
REVOKE EXECUTE ON FUNCTION auth_tenants(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_tenants(text, integer) TO csms_auth;
