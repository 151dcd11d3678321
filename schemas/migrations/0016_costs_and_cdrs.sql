-- What sessions cost, and the records that prove it.

-- Apart from sessions: their rows are written with every event of a station, and a cost may be of some size.
CREATE TABLE session_costs (
    tenant_id      integer NOT NULL,
    session_id     uuid NOT NULL,
    -- NULL: no assignment fits
    tariff_id      text,
    tariff_version integer,
    -- why it is this tariff: csms.tariffs.choice.Choice
    choice         json NOT NULL,
    currency       text,
    -- csms.pricing.state.PricingState (JSON) as of the newest look; NULL before the first
    state          json,
    total_excl_vat numeric,
    total_incl_vat numeric,
    -- the session up to here is in the totals
    priced_until   timestamptz,
    -- when to look again while it runs; NULL: it has ended
    due_at         timestamptz,
    -- csms.domain.restrictions.SessionLimits of its token; NULL: none
    limits         json,
    -- the limit that the session was ordered to stop for
    limit_reached  text,
    -- why there is no CDR although the session has ended: csms.billing.cdr.Hold
    held           text,
    computed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id),
    FOREIGN KEY (tenant_id, tariff_id, tariff_version) REFERENCES tariff_versions
);
CREATE INDEX session_costs_due ON session_costs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX session_costs_held ON session_costs (tenant_id, session_id) WHERE held IS NOT NULL;

-- Whether a station shows its driver what a session costs: asked once, before the first session with a price.
ALTER TABLE stations
    ADD COLUMN displays_cost boolean,
    ADD COLUMN displays_cost_asked_at timestamptz;

-- The states of an OCPP 1.6 connector while a session runs on it: they tell when its vehicle asks for no power. (An event of 2.x
-- carries its charging state itself.)
CREATE TABLE session_states (
    tenant_id   integer NOT NULL,
    session_id  uuid NOT NULL,
    time        timestamptz NOT NULL,
    status      text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id, time, status)
) PARTITION BY RANGE (session_id);
CREATE TABLE session_states_default PARTITION OF session_states DEFAULT;

-- The number of the newest CDR of a tenant: taken under a lock in the transaction that writes the CDR, so there are no gaps.
CREATE TABLE cdr_numbers (
    tenant_id   integer PRIMARY KEY REFERENCES tenants,
    last_number bigint NOT NULL
);

-- Charge detail records (OCPI mod_cdrs): never changed, corrected by a credit CDR and a new one.
CREATE TABLE cdrs (
    tenant_id      integer NOT NULL,
    cdr_id         text NOT NULL CHECK (length(cdr_id) BETWEEN 1 AND 39),
    number         bigint NOT NULL CHECK (number >= 1),
    session_id     uuid NOT NULL,
    -- 1, and two more with every correction: the credit of the one before, and the new one
    revision       integer NOT NULL CHECK (revision >= 1),
    credit_of      text,
    start_time     timestamptz NOT NULL,
    end_time       timestamptz NOT NULL,
    station_id     bigint NOT NULL,
    location_id    uuid,
    id_token       text,
    contract_id    text,
    token_group_id uuid,
    tariff_id      text NOT NULL,
    tariff_version integer NOT NULL,
    energy_wh      numeric NOT NULL,
    currency       text NOT NULL,
    -- negative in a credit
    total_excl_vat numeric NOT NULL,
    total_incl_vat numeric,
    -- csms.billing.cdr.Cdr, byte for byte as made
    document       json NOT NULL,
    -- what the cost was computed from: csms.billing.cdr.Basis
    basis          json NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, cdr_id),
    UNIQUE (tenant_id, number),
    UNIQUE (tenant_id, session_id, revision),
    FOREIGN KEY (tenant_id, credit_of) REFERENCES cdrs,
    FOREIGN KEY (tenant_id, tariff_id, tariff_version) REFERENCES tariff_versions,
    CHECK ((credit_of IS NOT NULL) = (revision % 2 = 0))
);
CREATE UNIQUE INDEX cdrs_credit ON cdrs (tenant_id, credit_of) WHERE credit_of IS NOT NULL;
CREATE INDEX cdrs_end_time ON cdrs (tenant_id, end_time);
CREATE INDEX cdrs_contract ON cdrs (tenant_id, contract_id, end_time) WHERE contract_id IS NOT NULL;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never changed: correct it by a credit and a new one', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER cdrs_never_change BEFORE UPDATE OR DELETE ON cdrs FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Billing follows few kinds of events, of which there are few: it need not read past all the others.
CREATE INDEX outbox_billing ON outbox (xid, id)
    WHERE type IN ('session.started', 'session.ended', 'session.corrected', 'session.settled');

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['session_costs', 'session_states', 'session_states_default', 'cdr_numbers', 'cdrs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        IF tab <> 'session_states_default' THEN  -- a partition is reached through its parent only
            EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
            EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
                'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
                'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
        END IF;
    END LOOP;
END $$;

GRANT SELECT ON session_costs TO csms_gateway;
GRANT SELECT, INSERT ON session_states TO csms_gateway;
GRANT SELECT ON session_states TO csms_hub;
GRANT SELECT, INSERT, UPDATE ON session_costs, cdr_numbers TO csms_hub;
GRANT SELECT, INSERT ON cdrs TO csms_hub;
