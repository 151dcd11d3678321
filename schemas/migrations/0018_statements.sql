-- Monthly statements of what CDRs come to, and the public keys of meters that sign what they measure.

-- The number of the newest statement of a tenant: taken as that of a CDR (cdr_numbers), so there are no gaps.
CREATE TABLE statement_numbers (
    tenant_id   integer PRIMARY KEY REFERENCES tenants,
    last_number bigint NOT NULL
);

-- Never changed: what comes later is in the statement of a later month.
CREATE TABLE statements (
    tenant_id      integer NOT NULL,
    statement_id   uuid NOT NULL,
    number         bigint NOT NULL CHECK (number >= 1),
    -- the month, YYYY-MM in the tenant's time zone, and what that is in UTC: inclusive, exclusive
    period         text NOT NULL CHECK (period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    period_start   timestamptz NOT NULL,
    period_end     timestamptz NOT NULL CHECK (period_end > period_start),
    kind           text NOT NULL CHECK (kind IN ('contract', 'token_group', 'tenant', 'partner')),
    -- contract id, id of the token group, or issuer of the tokens; '' where the CDRs name none, and for the whole tenant
    subject        text NOT NULL CHECK (length(subject) <= 64),
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_excl_vat numeric NOT NULL,
    -- NULL: its CDRs state no VAT; those that do are in a statement of their own
    total_incl_vat numeric,
    energy_kwh     numeric NOT NULL,
    cdr_count      bigint NOT NULL CHECK (cdr_count >= 0),
    credit_count   bigint NOT NULL CHECK (credit_count >= 0),
    late_count     bigint NOT NULL CHECK (late_count >= 0),
    -- csms.statements.document.StatementDocument, byte for byte as made
    document       json NOT NULL,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, statement_id),
    UNIQUE (tenant_id, number),
    CHECK (cdr_count + credit_count >= 1)
);
CREATE INDEX statements_subject ON statements (tenant_id, kind, subject, period);

-- A CDR is in one statement of each kind, or waits for the next.
CREATE TABLE statement_cdrs (
    tenant_id    integer NOT NULL,
    -- of the statement
    kind         text NOT NULL,
    cdr_id       text NOT NULL,
    statement_id uuid NOT NULL,
    -- its session ended before the statement's month
    late         boolean NOT NULL,
    PRIMARY KEY (tenant_id, kind, cdr_id),
    FOREIGN KEY (tenant_id, cdr_id) REFERENCES cdrs,
    -- written first, so that a statement is the sum of exactly these
    FOREIGN KEY (tenant_id, statement_id) REFERENCES statements DEFERRABLE INITIALLY DEFERRED
);
-- without the CDR: whether a CDR is in a statement is looked up by the primary key, never here
CREATE INDEX statement_cdrs_statement ON statement_cdrs (tenant_id, statement_id);

CREATE TRIGGER statements_never_change BEFORE UPDATE OR DELETE ON statements FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER statement_cdrs_never_change BEFORE UPDATE OR DELETE ON statement_cdrs FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A swapped meter has another key; what the old one has signed is still checked by the old one's.
CREATE TABLE meter_public_keys (
    tenant_id    integer NOT NULL,
    key_id       uuid NOT NULL,
    station_id   bigint NOT NULL,
    -- wire numbers; NULL: all of them
    evse_id      integer,
    connector_id integer,
    meter_serial text CHECK (length(meter_serial) BETWEEN 1 AND 64),
    public_key   text NOT NULL CHECK (length(public_key) BETWEEN 1 AND 2500),
    -- inclusive, exclusive
    valid_from   timestamptz NOT NULL,
    valid_until  timestamptz CHECK (valid_until > valid_from),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations,
    CHECK (evse_id IS NOT NULL OR connector_id IS NULL)
);
CREATE INDEX meter_public_keys_station ON meter_public_keys (tenant_id, station_id, valid_from);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['statement_numbers', 'statements', 'statement_cdrs', 'meter_public_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON statement_numbers TO csms_hub;
GRANT SELECT, INSERT ON statements, statement_cdrs TO csms_hub;
GRANT SELECT, INSERT, UPDATE (valid_until) ON meter_public_keys TO csms_hub;
