-- How strictly a tenant takes its stations' messages, what was let pass, and messages that are taken again from quarantine.

ALTER TABLE tenants
    -- tolerant: a billing message is taken when only members that do not matter break its schema; strict: it is refused
    ADD COLUMN validation text NOT NULL DEFAULT 'tolerant' CHECK (validation IN ('tolerant', 'strict')),
    -- raised with every change of the rules below, so that a process reads again only what has changed
    ADD COLUMN tolerance_version integer NOT NULL DEFAULT 0;

-- What is let pass, or refused all the same, from stations of one make; NULL means any.
CREATE TABLE tolerance_rules (
    tenant_id    integer NOT NULL REFERENCES tenants,
    rule_id      uuid NOT NULL,
    kind         text NOT NULL DEFAULT 'call' CHECK (kind IN ('call', 'answer')),
    vendor       text NOT NULL CHECK (length(vendor) BETWEEN 1 AND 50),
    model        text CHECK (length(model) BETWEEN 1 AND 50),
    ocpp_version text,
    action       text CHECK (length(action) BETWEEN 1 AND 50),
    -- a JSON pointer; `*` stands for any list index or member
    path         text CHECK (length(path) BETWEEN 1 AND 200),
    effect       text NOT NULL CHECK (effect IN ('spare', 'refuse')),
    note         text,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, rule_id),
    -- an answer that breaks its schema is refused anyway
    CHECK (kind = 'call' OR effect = 'spare')
);
CREATE UNIQUE INDEX tolerance_rules_scope
    ON tolerance_rules (tenant_id, kind, lower(vendor), lower(model), ocpp_version, action, path) NULLS NOT DISTINCT;

-- What a station's messages were forgiven, counted; at most 200 rows per station and one for all that is beyond (all `*`).
CREATE TABLE relaxations (
    tenant_id    integer NOT NULL,
    station_id   bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('call', 'answer', '*')),
    ocpp_version text NOT NULL,
    action       text NOT NULL,
    path         text NOT NULL,
    rule         text NOT NULL,
    -- why it was forgiven the last time: always (in every mode), tolerant (the tenant's mode), rule (the one named below)
    cause        text NOT NULL CHECK (cause IN ('always', 'tolerant', 'rule')),
    rule_id      uuid,
    times        bigint NOT NULL,
    first_at     timestamptz NOT NULL DEFAULT now(),
    last_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, station_id, kind, ocpp_version, action, path, rule),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
-- room for the counts, which change no indexed column
ALTER TABLE relaxations SET (fillfactor = 70);

ALTER TABLE quarantine
    -- the message was taken all the same, without what broke its schema
    ADD COLUMN taken boolean NOT NULL DEFAULT false,
    ADD COLUMN last_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN resolved_by text,
    -- what the message was answered with when it was taken again
    ADD COLUMN answer jsonb,
    -- The newest order to take the message again: asked for by the hub, claimed by one gateway process, finished once.
    ADD COLUMN replay_id uuid,
    ADD COLUMN replay_payload bytea,
    ADD COLUMN replay_by text,
    ADD COLUMN replay_at timestamptz,
    ADD COLUMN replay_process uuid,
    ADD COLUMN replay_claimed_at timestamptz,
    ADD COLUMN replay_finished_at timestamptz,
    -- why it could not be taken: code, path, rule, description
    ADD COLUMN replay_error jsonb;
CREATE INDEX quarantine_replays ON quarantine (tenant_id, replay_at) WHERE replay_id IS NOT NULL AND replay_finished_at IS NULL;
CREATE INDEX quarantine_resolved ON quarantine USING brin (resolved_at);

-- How much of a station's is unresolved in quarantine; beyond the bound messages are counted here and kept no more.
CREATE TABLE quarantine_usage (
    tenant_id  integer NOT NULL,
    station_id bigint NOT NULL,
    messages   integer NOT NULL DEFAULT 0,
    bytes      bigint NOT NULL DEFAULT 0,
    refused    bigint NOT NULL DEFAULT 0,
    -- when the tenant was last told that there is no room
    told_at    timestamptz,
    PRIMARY KEY (tenant_id, station_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
INSERT INTO quarantine_usage (tenant_id, station_id, messages, bytes)
    SELECT tenant_id, station_id, count(*), sum(octet_length(payload)) FROM quarantine WHERE resolved_at IS NULL
    GROUP BY tenant_id, station_id;

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['tolerance_rules', 'relaxations', 'quarantine_usage'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT ON tolerance_rules TO csms_gateway;
GRANT SELECT, INSERT, UPDATE ON relaxations, quarantine_usage TO csms_gateway;
GRANT SELECT, INSERT, DELETE ON tolerance_rules TO csms_hub;
GRANT SELECT ON relaxations TO csms_hub;
GRANT SELECT, UPDATE ON quarantine_usage TO csms_hub;

-- The list of tenants shows the new setting; a version that does not know it asks for its columns by name.
DROP FUNCTION auth_tenants(text, integer);
CREATE FUNCTION auth_tenants(after_slug text, page integer)
RETURNS TABLE (tenant_id integer, slug text, name text, onboarding text, unknown_tokens text, allow_unauthenticated boolean,
               validation text, time_zone text, currency text, heartbeat_interval_s integer, created_at timestamptz,
               updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.onboarding, t.unknown_tokens, t.allow_unauthenticated, t.validation,
           t.time_zone, t.currency, t.heartbeat_interval_s, t.created_at, t.updated_at
    FROM tenants t WHERE t.slug > after_slug ORDER BY t.slug LIMIT page
$$;
REVOKE EXECUTE ON FUNCTION auth_tenants(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_tenants(text, integer) TO csms_auth;
