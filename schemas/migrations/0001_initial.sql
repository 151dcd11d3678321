-- The first schema: tenants and everything that belongs to one.
-- tenant_id leads every key; foreign keys are composite; row-level security is forced on every table (bottom of this file).
-- The role that runs migrations owns the tables. Three lesser roles do the work:
--   csms_gateway  sees all tenants, because one group commit spans them; writes through composite keys only
--   csms_hub      sees only the tenant named by the transaction's setting app.tenant_id
--   csms_auth     sees no table at all, only the SECURITY DEFINER look-ups that come before a tenant is known

DO $$
DECLARE
    wanted text;
    -- who makes a role is a member of it from PostgreSQL 16 on, but may not SET it without a grant of its own
    privilege text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['csms_gateway', 'csms_hub', 'csms_auth'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another installation on this cluster made it at the same moment
            END;
        END IF;
        IF NOT pg_has_role(current_user, wanted, privilege) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        END IF;
    END LOOP;
END $$;

-- One row: facts of the whole installation.
CREATE TABLE installation (
    singleton          boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    secret_fingerprint text,
    created_at         timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation DEFAULT VALUES;

-- OCPP 1.6 transaction ids are taken from here in blocks and passed through a keyed permutation (rule X1).
CREATE SEQUENCE ocpp16_transaction_numbers AS bigint MINVALUE 0 START 0 MAXVALUE 2147483646 INCREMENT 64;

-- A gateway process that lives renews its row; stations of one that does not are offline.
CREATE TABLE gateway_processes (
    process_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenants (
    tenant_id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug                  text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]{1,40}$'),
    name                  text NOT NULL,
    onboarding            text NOT NULL DEFAULT 'refuse' CHECK (onboarding IN ('accept', 'pending', 'refuse')),
    unknown_tokens        text NOT NULL DEFAULT 'refuse' CHECK (unknown_tokens IN ('refuse', 'accept')),
    allow_unauthenticated boolean NOT NULL DEFAULT false,
    time_zone             text NOT NULL DEFAULT 'UTC',
    currency              text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$'),
    heartbeat_interval_s  integer NOT NULL DEFAULT 300 CHECK (heartbeat_interval_s BETWEEN 10 AND 86400),
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE locations (
    tenant_id   integer NOT NULL REFERENCES tenants,
    location_id uuid NOT NULL,
    name        text NOT NULL,
    address     text,
    city        text,
    postal_code text,
    country     text CHECK (country ~ '^[A-Z]{2,3}$'),
    latitude    numeric(9, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude   numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    time_zone   text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, location_id)
);

CREATE TABLE stations (
    tenant_id         integer NOT NULL REFERENCES tenants,
    station_id        bigint GENERATED ALWAYS AS IDENTITY,
    identity          text NOT NULL CHECK (length(identity) BETWEEN 1 AND 48),
    name              text,
    location_id       uuid,
    vendor            text,
    model             text,
    serial_number     text,
    firmware_version  text,
    iccid             text,
    imsi              text,
    meter_type        text,
    meter_serial      text,
    ocpp_version      text,
    registration      text NOT NULL DEFAULT 'unknown' CHECK (registration IN ('unknown', 'pending', 'rejected', 'accepted')),
    -- what a BootNotification is answered with: the operator's word, which onboarding sets for stations seen first on the wire
    admission         text NOT NULL DEFAULT 'accept' CHECK (admission IN ('accept', 'pending', 'reject')),
    password_scheme   text CHECK (password_scheme IN ('hmac', 'argon2')),
    password_hash     bytea,
    password_salt     bytea,
    security_profile  smallint NOT NULL DEFAULT 0 CHECK (security_profile BETWEEN 0 AND 3),
    connection_epoch  bigint NOT NULL DEFAULT 0,
    connected_process uuid,
    remote_address    text,
    connected_at      timestamptz,
    disconnected_at   timestamptz,
    last_seen_at      timestamptz,
    booted_at         timestamptz,
    boot_reason       text,
    seen_on_wire      boolean NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    retired_at        timestamptz,
    PRIMARY KEY (tenant_id, station_id),
    FOREIGN KEY (tenant_id, location_id) REFERENCES locations
);
-- identities that differ by case only are refused (rule C2)
CREATE UNIQUE INDEX stations_identity ON stations (tenant_id, lower(identity));
CREATE INDEX stations_process ON stations (connected_process) WHERE connected_process IS NOT NULL;
ALTER TABLE stations SET (fillfactor = 80);

CREATE TABLE evses (
    tenant_id    integer NOT NULL,
    station_id   bigint NOT NULL,
    evse_id      integer NOT NULL CHECK (evse_id >= 0),
    evse_uid     uuid NOT NULL DEFAULT gen_random_uuid(),
    emi3_evse_id text,
    seen_on_wire boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, station_id, evse_id),
    UNIQUE (tenant_id, evse_uid),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);

-- connector 0 of EVSE 0 is the station itself (OCPP 1.6 StatusNotification of connector 0)
CREATE TABLE connectors (
    tenant_id         integer NOT NULL,
    station_id        bigint NOT NULL,
    evse_id           integer NOT NULL,
    connector_id      integer NOT NULL CHECK (connector_id >= 0),
    connector_type    text,
    max_power_w       integer CHECK (max_power_w > 0),
    status            text,
    error_code        text,
    info              text,
    vendor_id         text,
    vendor_error_code text,
    status_time       timestamptz,
    status_recorded_at timestamptz,
    seen_on_wire      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, station_id, evse_id, connector_id),
    FOREIGN KEY (tenant_id, station_id, evse_id) REFERENCES evses
);

CREATE TABLE id_tokens (
    tenant_id      integer NOT NULL REFERENCES tenants,
    token_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    id_token       text NOT NULL CHECK (length(id_token) BETWEEN 1 AND 36),
    type           text NOT NULL,
    kind           text,
    label          text,
    -- unknown: seen on the wire of a tenant that accepts unknown tokens, never entered by a person
    status         text NOT NULL DEFAULT 'accepted' CHECK (status IN ('accepted', 'blocked', 'unknown')),
    valid_from     timestamptz,
    valid_until    timestamptz,
    group_id_token text CHECK (length(group_id_token) BETWEEN 1 AND 36),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    retired_at     timestamptz,
    PRIMARY KEY (tenant_id, token_id)
);
CREATE UNIQUE INDEX id_tokens_value ON id_tokens (tenant_id, lower(id_token), type);

CREATE TABLE sessions (
    tenant_id            integer NOT NULL,
    session_id           uuid NOT NULL,
    station_id           bigint NOT NULL,
    evse_id              integer,
    connector_id         integer,
    ocpp_version         text NOT NULL,
    transaction_ref      text NOT NULL,
    incarnation          integer NOT NULL DEFAULT 0,
    -- active -> completed (a stop came) or incomplete (it will not come); a late stop still makes it completed
    status               text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'completed', 'incomplete')),
    id_token             text,
    id_token_type        text,
    -- the seqNo of the event that named the token: the lowest one pays (2.x)
    id_token_seq         integer,
    group_id_token       text,
    authorization_status text,
    start_key            bytea,
    start_time           timestamptz,
    start_time_text      text,
    stop_time            timestamptz,
    stop_time_text       text,
    start_meter_wh       numeric,
    stop_meter_wh        numeric,
    last_meter_wh        numeric,
    last_meter_time      timestamptz,
    energy_wh            numeric,
    -- the order keys of the register readings that start_meter_wh and last_meter_wh came from (2.x: seqNo)
    start_meter_seq      integer,
    start_meter_time     timestamptz,
    last_meter_seq       integer,
    stop_reason          text,
    charging_state       text,
    remote_start_id      bigint,
    reservation_id       bigint,
    command_id           uuid,
    first_seq            integer,
    last_seq             integer,
    started_seq          integer,
    ended_seq            integer,
    event_count          integer NOT NULL DEFAULT 0,
    flags                text[] NOT NULL DEFAULT '{}',
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id),
    UNIQUE (tenant_id, station_id, transaction_ref, incarnation),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
-- room for the running totals, which change no indexed column
ALTER TABLE sessions SET (fillfactor = 70);
CREATE INDEX sessions_start_key ON sessions (tenant_id, station_id, start_key) WHERE start_key IS NOT NULL;
CREATE INDEX sessions_transaction_ref ON sessions (tenant_id, transaction_ref);
CREATE INDEX sessions_station ON sessions (tenant_id, station_id, session_id);
CREATE INDEX sessions_id_token ON sessions (tenant_id, lower(id_token), session_id) WHERE id_token IS NOT NULL;
CREATE INDEX sessions_active ON sessions (tenant_id, station_id) WHERE status = 'active';
CREATE INDEX sessions_active_token ON sessions (tenant_id, lower(id_token)) WHERE status = 'active';
-- partial on purpose: a look-up by session id must not be tempted to walk it while the table has no statistics yet
CREATE INDEX sessions_start_time ON sessions (tenant_id, start_time) WHERE start_time IS NOT NULL;

-- What happened to a session, in the words of the station, and what it was answered (rule D4: a replay is answered equally).
CREATE TABLE transaction_events (
    tenant_id      integer NOT NULL,
    session_id     uuid NOT NULL,
    seq_no         integer NOT NULL,
    digest         bytea NOT NULL,
    type           text NOT NULL,
    event_time     timestamptz,
    event_time_text text,
    trigger_reason text,
    offline        boolean NOT NULL DEFAULT false,
    conflict       boolean NOT NULL DEFAULT false,
    data           jsonb NOT NULL,
    answer         jsonb NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id, seq_no, digest)
) PARTITION BY RANGE (session_id);
CREATE TABLE transaction_events_default PARTITION OF transaction_events DEFAULT;

-- The interned list of (measurand, phase, location, unit, multiplier, format) that a row of samples holds values for.
CREATE TABLE sample_shapes (
    tenant_id integer NOT NULL,
    shape_id  integer GENERATED ALWAYS AS IDENTITY,
    shape     text NOT NULL,
    PRIMARY KEY (tenant_id, shape_id),
    UNIQUE (tenant_id, shape)
);

-- One row per received meterValue and context. context: csms.domain.metering.CONTEXTS, ts NULL with ts_text when not in 1970..2100.
CREATE TABLE samples (
    tenant_id   integer NOT NULL,
    session_id  uuid NOT NULL,
    ts          timestamptz,
    ts_text     text,
    context     smallint NOT NULL,
    -- the id of an interned shape, or the shape itself where it is too long or too rare to be interned
    shape_id    integer,
    shape       text,
    "values"    numeric[] NOT NULL,
    texts       text[],
    recorded_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (session_id);
CREATE INDEX samples_session ON samples (tenant_id, session_id, ts);
CREATE TABLE samples_default PARTITION OF samples DEFAULT;

-- Readings outside of any transaction; partition key of its own, because there is no session.
CREATE TABLE station_samples (
    tenant_id   integer NOT NULL,
    station_id  bigint NOT NULL,
    evse_id     integer NOT NULL,
    ts          timestamptz,
    ts_text     text,
    context     smallint NOT NULL,
    -- the id of an interned shape, or the shape itself where it is too long or too rare to be interned
    shape_id    integer,
    shape       text,
    "values"    numeric[] NOT NULL,
    texts       text[],
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX station_samples_station ON station_samples (tenant_id, station_id, ts);

-- Boots, security events, firmware and diagnostics progress, data transfers: facts of a station that belong to no session.
CREATE TABLE station_events (
    tenant_id   integer NOT NULL,
    event_id    uuid NOT NULL,
    station_id  bigint NOT NULL,
    type        text NOT NULL,
    event_time  timestamptz,
    data        jsonb NOT NULL,
    digest      bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX station_events_station ON station_events (tenant_id, station_id, event_id);
CREATE INDEX station_events_digest ON station_events (tenant_id, station_id, digest);

CREATE TABLE device_variables (
    tenant_id          integer NOT NULL,
    station_id         bigint NOT NULL,
    component          text NOT NULL,
    component_instance text NOT NULL DEFAULT '',
    evse_id            integer NOT NULL DEFAULT 0,
    connector_id       integer NOT NULL DEFAULT 0,
    variable           text NOT NULL,
    variable_instance  text NOT NULL DEFAULT '',
    attribute          text NOT NULL DEFAULT 'Actual',
    value              text,
    mutability         text,
    persistent         boolean,
    constant           boolean,
    characteristics    jsonb,
    reported_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, station_id, component, component_instance, evse_id, connector_id, variable, variable_instance, attribute),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);

-- Frames that could not be taken as they are and must not be lost (ocpp-j-rules: never lose billing data to strictness).
CREATE TABLE quarantine (
    tenant_id     integer NOT NULL,
    quarantine_id uuid NOT NULL,
    station_id    bigint NOT NULL,
    ocpp_version  text NOT NULL,
    action        text NOT NULL,
    reason        text NOT NULL CHECK (reason IN ('schema', 'gate', 'orphan', 'failed')),
    error_code    text,
    path          text,
    rule          text,
    payload       bytea NOT NULL,
    digest        bytea NOT NULL,
    times         integer NOT NULL DEFAULT 1,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    resolved_at   timestamptz,
    resolution    text,
    PRIMARY KEY (tenant_id, quarantine_id),
    UNIQUE (tenant_id, station_id, digest)
);

CREATE TABLE commands (
    tenant_id    integer NOT NULL,
    command_id   uuid NOT NULL,
    station_id   bigint NOT NULL,
    command      text,
    action       text,
    parameters   jsonb NOT NULL,
    status       text NOT NULL DEFAULT 'queued' CHECK (status IN
        ('queued', 'sent', 'accepted', 'rejected', 'failed', 'timed_out', 'unknown', 'expired', 'cancelled')),
    result       jsonb,
    error        text,
    requested_by text NOT NULL,
    epoch        bigint,
    session_id   uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, command_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
CREATE INDEX commands_open ON commands (tenant_id, station_id, created_at) WHERE status IN ('queued', 'sent');
CREATE INDEX commands_station ON commands (tenant_id, station_id, command_id);

-- Events, written in the commit that caused them. A reader takes xid < pg_snapshot_xmin(pg_current_snapshot()) in the order (xid, id).
CREATE TABLE outbox (
    tenant_id   integer NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    event_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    type        text NOT NULL,
    version     smallint NOT NULL DEFAULT 1,
    -- the identity that the event names is looked up when it is read: the write is on the hot path
    station_id  bigint,
    session_id  uuid,
    occurred_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    data        jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- for dropping what is old; costs the writer nothing
CREATE INDEX outbox_recorded_at ON outbox USING brin (recorded_at);
CREATE INDEX outbox_position ON outbox (tenant_id, xid, id);

CREATE TABLE users (
    tenant_id     integer NOT NULL REFERENCES tenants,
    user_id       uuid NOT NULL DEFAULT gen_random_uuid(),
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name          text,
    role          text NOT NULL CHECK (role IN ('admin', 'tenant_admin', 'operator', 'viewer')),
    password_hash text NOT NULL,
    -- raised when the password changes or the user is disabled: tokens issued before are void
    token_version integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email));

CREATE TABLE refresh_tokens (
    tenant_id  integer NOT NULL,
    token_hash bytea NOT NULL,
    user_id    uuid NOT NULL,
    family     uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (tenant_id, family);

CREATE TABLE api_keys (
    tenant_id  integer NOT NULL REFERENCES tenants,
    key_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    prefix     text NOT NULL,
    key_hash   bytea NOT NULL,
    role       text NOT NULL CHECK (role IN ('admin', 'tenant_admin', 'operator', 'viewer')),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    UNIQUE (tenant_id, key_hash)
);
CREATE INDEX api_keys_hash ON api_keys (key_hash);

-- ---------------------------------------------------------------------------------------------------------------------
-- Row-level security and grants. A table made later does the same in its own migration (a test of the catalogue proves it).

DO $$
DECLARE
    tab text;
BEGIN
    FOR tab IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        IF tab NOT LIKE '%\_default' THEN  -- a partition is reached through its parent only
            EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
            EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
                'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
                'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO csms_gateway, csms_hub, csms_auth;

GRANT SELECT ON installation, tenants, locations TO csms_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway_processes TO csms_gateway;
GRANT USAGE ON SEQUENCE ocpp16_transaction_numbers TO csms_gateway;
GRANT SELECT, INSERT, UPDATE ON stations, evses, connectors, id_tokens, sessions, device_variables, quarantine, commands TO csms_gateway;
GRANT SELECT, INSERT ON transaction_events, sample_shapes, samples, station_samples, station_events, outbox TO csms_gateway;

GRANT SELECT ON gateway_processes TO csms_hub;
GRANT SELECT, UPDATE ON tenants TO csms_hub;
GRANT SELECT, INSERT, UPDATE, DELETE ON locations, connectors, evses, users, refresh_tokens, api_keys TO csms_hub;
GRANT SELECT, INSERT, UPDATE ON stations, id_tokens, commands TO csms_hub;
GRANT SELECT, UPDATE ON sessions, quarantine TO csms_hub;
GRANT SELECT, INSERT ON transaction_events, outbox TO csms_hub;
GRANT SELECT ON sample_shapes, samples, station_samples, station_events, device_variables TO csms_hub;

-- ---------------------------------------------------------------------------------------------------------------------
-- Look-ups that come before a tenant is known.

CREATE FUNCTION auth_tenant(wanted_slug text)
RETURNS TABLE (tenant_id integer, slug text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name FROM tenants t WHERE t.slug = wanted_slug
$$;

CREATE FUNCTION auth_tenants(after_slug text, page integer)
RETURNS TABLE (tenant_id integer, slug text, name text, onboarding text, unknown_tokens text, allow_unauthenticated boolean,
               time_zone text, currency text, heartbeat_interval_s integer, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, t.onboarding, t.unknown_tokens, t.allow_unauthenticated,
           t.time_zone, t.currency, t.heartbeat_interval_s, t.created_at, t.updated_at
    FROM tenants t WHERE t.slug > after_slug ORDER BY t.slug LIMIT page
$$;

-- Gives NULL when the slug is taken.
CREATE FUNCTION auth_create_tenant(new_slug text, new_name text)
RETURNS integer
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO tenants (slug, name) VALUES (new_slug, new_name) ON CONFLICT (slug) DO NOTHING RETURNING tenant_id
$$;

CREATE FUNCTION auth_user(wanted_slug text, wanted_email text)
RETURNS TABLE (tenant_id integer, slug text, user_id uuid, email text, role text, password_hash text, token_version integer, disabled_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, u.user_id, u.email, u.role, u.password_hash, u.token_version, u.disabled_at
    FROM tenants t JOIN users u USING (tenant_id)
    WHERE t.slug = wanted_slug AND lower(u.email) = lower(wanted_email)
$$;

CREATE FUNCTION auth_api_key(wanted_hash bytea)
RETURNS TABLE (tenant_id integer, slug text, key_id uuid, name text, role text, expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, k.key_id, k.name, k.role, k.expires_at, k.revoked_at
    FROM api_keys k JOIN tenants t USING (tenant_id) WHERE k.key_hash = wanted_hash
$$;

CREATE FUNCTION auth_refresh_token(wanted_hash bytea)
RETURNS TABLE (tenant_id integer, slug text, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, r.user_id
    FROM refresh_tokens r JOIN tenants t USING (tenant_id) WHERE r.token_hash = wanted_hash
$$;

REVOKE EXECUTE ON FUNCTION auth_tenant(text), auth_tenants(text, integer), auth_create_tenant(text, text), auth_user(text, text),
    auth_api_key(bytea), auth_refresh_token(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_tenant(text), auth_tenants(text, integer), auth_create_tenant(text, text), auth_user(text, text),
    auth_api_key(bytea), auth_refresh_token(bytea) TO csms_auth;

INSERT INTO tenants (slug, name) VALUES ('default', 'Default tenant');
