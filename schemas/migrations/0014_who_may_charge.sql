-- Who may charge: more of what is known of a token, hierarchical groups of people and of stations, restrictions.

-- Companies, fleets, families: a token belongs to one, and a group may belong to another.
CREATE TABLE token_groups (
    tenant_id      integer NOT NULL REFERENCES tenants,
    group_id       uuid NOT NULL,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    kind           text NOT NULL DEFAULT 'other' CHECK (kind IN ('company', 'fleet', 'family', 'other')),
    parent_id      uuid,
    -- what stations are told (OCPP 1.6 parentIdTag, 2.x groupIdToken); NULL: what the parent says
    group_id_token text CHECK (length(group_id_token) BETWEEN 1 AND 255),
    -- for tariffs; NULL: what the parent says
    user_type      text CHECK (length(user_type) BETWEEN 1 AND 50),
    status         text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'blocked')),
    blocked_reason text CHECK (length(blocked_reason) BETWEEN 1 AND 500),
    -- csms.domain.restrictions.Restrictions; those of a token and of all groups above it hold together
    restrictions   jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES token_groups
);
CREATE INDEX token_groups_parent ON token_groups (tenant_id, parent_id);
CREATE UNIQUE INDEX token_groups_name ON token_groups (tenant_id, lower(name));

ALTER TABLE id_tokens
    ADD COLUMN visual_id text CHECK (length(visual_id) BETWEEN 1 AND 64),
    ADD COLUMN issuer text CHECK (length(issuer) BETWEEN 1 AND 64),
    ADD COLUMN contract_id text CHECK (length(contract_id) BETWEEN 1 AND 36),
    -- ISO 639-1
    ADD COLUMN language text CHECK (language ~ '^[a-z]{2}$'),
    -- OCPI mod_tokens, WhitelistType: whether stations may decide without asking
    ADD COLUMN whitelist text NOT NULL DEFAULT 'ALLOWED' CHECK (whitelist IN ('ALWAYS', 'ALLOWED', 'ALLOWED_OFFLINE', 'NEVER')),
    ADD COLUMN user_type text CHECK (length(user_type) BETWEEN 1 AND 50),
    ADD COLUMN blocked_reason text CHECK (length(blocked_reason) BETWEEN 1 AND 500),
    ADD COLUMN group_id uuid,
    ADD COLUMN restrictions jsonb,
    -- a token made for one session of another token (dynamic QR, ad-hoc payment): whom it stands for, and the session that used it up
    ADD COLUMN single_use boolean NOT NULL DEFAULT false,
    ADD COLUMN parent_token_id uuid,
    ADD COLUMN used_at timestamptz,
    ADD COLUMN used_by_session_id uuid,
    ADD FOREIGN KEY (tenant_id, group_id) REFERENCES token_groups,
    ADD FOREIGN KEY (tenant_id, parent_token_id) REFERENCES id_tokens;
-- What a token is looked up by. The hub's role compares it before the tenant's rows are sorted out (text equality tells nothing of
-- what it compares), which it does not do with lower(…).
ALTER TABLE id_tokens ADD COLUMN token_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(id_token)) STORED;
CREATE INDEX id_tokens_key ON id_tokens (tenant_id, token_key);
CREATE INDEX id_tokens_group ON id_tokens (tenant_id, group_id) WHERE group_id IS NOT NULL;
CREATE INDEX id_tokens_contract ON id_tokens (tenant_id, contract_id) WHERE contract_id IS NOT NULL;
CREATE INDEX id_tokens_parent ON id_tokens (tenant_id, parent_token_id, used_by_session_id) WHERE parent_token_id IS NOT NULL;
-- what is used up or over is removed after a while
CREATE INDEX id_tokens_single_use ON id_tokens (valid_until) WHERE single_use;

-- Contracts and vehicles are kept in one spelling (csms.domain.token_identity); what was entered can still be read. A token whose
-- other spelling is there already stays as it is: both are found.
WITH spelled AS (
    SELECT tenant_id, token_id, type, retired_at, created_at, CASE type
        WHEN 'eMAID' THEN (SELECT m[1] || m[2] || m[3] FROM
            regexp_match(upper(id_token), '^([A-Z]{2})[-*]?([A-Z0-9]{3})[-*]?([A-Z0-9]{9})(?:[-*]?[A-Z0-9])?$') m)
        WHEN 'MacAddress' THEN (SELECT 'VID:' || regexp_replace(m[1], '[:-]', '', 'g') FROM
            regexp_match(upper(id_token), '^(?:VID:)?((?:[0-9A-F]{2}[:-]?){5}(?:[0-9A-F]{2}[:-]?[0-9A-F]{2}[:-]?)?[0-9A-F]{2})$') m)
        END AS spelling
    FROM id_tokens WHERE type IN ('eMAID', 'MacAddress')
), chosen AS (
    SELECT DISTINCT ON (tenant_id, type, spelling) tenant_id, token_id, spelling FROM spelled s
    WHERE spelling IS NOT NULL AND NOT EXISTS (SELECT FROM id_tokens o
        WHERE o.tenant_id = s.tenant_id AND o.type = s.type AND lower(o.id_token) = lower(s.spelling) AND o.token_id <> s.token_id)
    ORDER BY tenant_id, type, spelling, retired_at NULLS FIRST, created_at, token_id
)
UPDATE id_tokens t SET visual_id = left(t.id_token, 64), id_token = c.spelling FROM chosen c
WHERE t.tenant_id = c.tenant_id AND t.token_id = c.token_id AND t.id_token <> c.spelling;

-- Groups of stations: regions, customers, kinds of sites. A station may be in several.
CREATE TABLE station_groups (
    tenant_id  integer NOT NULL REFERENCES tenants,
    group_id   uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    parent_id  uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES station_groups
);
CREATE INDEX station_groups_parent ON station_groups (tenant_id, parent_id);
CREATE UNIQUE INDEX station_groups_name ON station_groups (tenant_id, lower(name));

CREATE TABLE station_group_members (
    tenant_id  integer NOT NULL,
    group_id   uuid NOT NULL,
    station_id bigint NOT NULL,
    PRIMARY KEY (tenant_id, group_id, station_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES station_groups ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
CREATE INDEX station_group_members_station ON station_group_members (tenant_id, station_id);

-- Why a token was refused, for the operator; the station is told a status only.
ALTER TABLE sessions ADD COLUMN authorization_reason text;

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['token_groups', 'station_groups', 'station_group_members'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT ON token_groups, station_groups, station_group_members TO csms_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON token_groups, station_groups, station_group_members TO csms_hub;
