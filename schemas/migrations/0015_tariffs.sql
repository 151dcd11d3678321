-- Tariffs with their versions, whom they apply to, and price series.

CREATE TABLE tariffs (
    tenant_id  integer NOT NULL REFERENCES tenants,
    -- OCPI mod_tariffs, Tariff.id: case-insensitive
    tariff_id  text NOT NULL CHECK (length(tariff_id) BETWEEN 1 AND 36),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- what a running session does when a newer version comes into force: keep the one it began with, or change over
    on_change  text NOT NULL DEFAULT 'keep' CHECK (on_change IN ('keep', 'follow')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    PRIMARY KEY (tenant_id, tariff_id)
);
CREATE UNIQUE INDEX tariffs_id ON tariffs (tenant_id, lower(tariff_id));

-- Never changed: what was charged by it can be computed again.
CREATE TABLE tariff_versions (
    tenant_id  integer NOT NULL,
    tariff_id  text NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    -- in force from then until the next version is; a version that is replaced before its time never is
    valid_from timestamptz NOT NULL,
    -- csms.pricing.tariff.Tariff, byte for byte as written
    tariff     json NOT NULL,
    note       text CHECK (length(note) BETWEEN 1 AND 500),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, tariff_id, version),
    FOREIGN KEY (tenant_id, tariff_id) REFERENCES tariffs
);

-- Which sessions a tariff is for. What is NULL does not matter; all that is given must hold.
CREATE TABLE tariff_assignments (
    tenant_id        integer NOT NULL,
    assignment_id    uuid NOT NULL,
    tariff_id        text NOT NULL,
    station_id       bigint,
    evse_id          integer,
    connector_id     integer,
    station_group_id uuid,
    location_id      uuid,
    token_group_id   uuid,
    user_type        text CHECK (length(user_type) BETWEEN 1 AND 50),
    -- local to the location, as in OCPI's restrictions; the session's start counts
    days_of_week     text[],
    start_time       text CHECK (start_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    end_time         text CHECK (end_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    valid_from       timestamptz,
    valid_until      timestamptz,
    -- the higher wins, whatever else is given
    priority         integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -1000 AND 1000),
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assignment_id),
    FOREIGN KEY (tenant_id, tariff_id) REFERENCES tariffs,
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations,
    FOREIGN KEY (tenant_id, station_group_id) REFERENCES station_groups,
    FOREIGN KEY (tenant_id, location_id) REFERENCES locations,
    FOREIGN KEY (tenant_id, token_group_id) REFERENCES token_groups,
    CHECK (station_id IS NOT NULL OR (evse_id IS NULL AND connector_id IS NULL)),
    CHECK (evse_id IS NOT NULL OR connector_id IS NULL)
);
CREATE INDEX tariff_assignments_tariff ON tariff_assignments (tenant_id, tariff_id);

CREATE TABLE price_series (
    tenant_id  integer NOT NULL REFERENCES tenants,
    series_id  text NOT NULL CHECK (length(series_id) BETWEEN 1 AND 64),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, series_id)
);

-- Prices per kWh without VAT. A step that is corrected stays, marked: what was charged by it can be computed again.
CREATE TABLE price_series_steps (
    tenant_id   integer NOT NULL,
    series_id   text NOT NULL,
    step_id     uuid NOT NULL,
    start_time  timestamptz NOT NULL,
    end_time    timestamptz NOT NULL CHECK (end_time > start_time),
    price       numeric NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    replaced_at timestamptz,
    PRIMARY KEY (tenant_id, series_id, step_id),
    FOREIGN KEY (tenant_id, series_id) REFERENCES price_series
);
CREATE UNIQUE INDEX price_series_steps_start ON price_series_steps (tenant_id, series_id, start_time) WHERE replaced_at IS NULL;
CREATE INDEX price_series_steps_all ON price_series_steps (tenant_id, series_id, start_time);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['tariffs', 'tariff_versions', 'tariff_assignments', 'price_series', 'price_series_steps'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT ON tariffs, tariff_versions, tariff_assignments, price_series, price_series_steps TO csms_gateway;
GRANT SELECT, INSERT, UPDATE ON tariffs, price_series TO csms_hub;
GRANT SELECT, INSERT ON tariff_versions TO csms_hub;
GRANT SELECT, INSERT, UPDATE, DELETE ON tariff_assignments TO csms_hub;
GRANT SELECT, INSERT, UPDATE (replaced_at) ON price_series_steps TO csms_hub;
