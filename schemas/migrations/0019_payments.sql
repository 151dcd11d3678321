-- Ad-hoc payments: holds on the cards of drivers without a contract, and what became of them.

-- Which provider a tenant has; without a row, or switched off, it takes no payments.
CREATE TABLE payment_settings (
    tenant_id   integer PRIMARY KEY REFERENCES tenants,
    provider    text NOT NULL CHECK (length(provider) BETWEEN 1 AND 40),
    enabled     boolean NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- what is held where a payment names no amount, and the most that may be held
    hold_amount numeric NOT NULL CHECK (hold_amount > 0),
    max_amount  numeric NOT NULL CHECK (max_amount >= hold_amount),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- csms.payments.machine says what the states and amounts mean.
CREATE TABLE payments (
    tenant_id          integer NOT NULL,
    payment_id         uuid NOT NULL,
    -- names the caller's request, which may come again
    request_id         text CHECK (length(request_id) BETWEEN 1 AND 64),
    provider           text NOT NULL,
    station_id         bigint NOT NULL,
    evse_id            integer NOT NULL,
    connector_id       integer,
    requested_by       text NOT NULL,
    -- the provider's token for what the payer pays with, encrypted; removed once it is not needed any more
    method_sealed      bytea CHECK (length(method_sealed) <= 1000),
    return_url         text CHECK (length(return_url) <= 2000),
    state              text NOT NULL CHECK (state IN ('created', 'authorizing', 'authorized', 'starting', 'charging', 'capturing',
                                                      'captured', 'releasing', 'released', 'declined', 'failed')),
    currency           text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount             numeric NOT NULL CHECK (amount > 0),
    redirect_url       text CHECK (length(redirect_url) <= 2000),
    provider_reference text CHECK (length(provider_reference) <= 200),
    token_id           uuid,
    id_token           text,
    command_id         uuid,
    session_id         uuid,
    due                numeric,
    settled_due        numeric,
    capturing          numeric CHECK (capturing <= amount),
    captured           numeric NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    refunding          numeric CHECK (refunding > 0),
    refunds            integer NOT NULL DEFAULT 0,
    refunded           numeric NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    reason             text,
    flag               text,
    failure            text,
    attempts           integer NOT NULL DEFAULT 0,
    deadline           timestamptz,
    -- when to take the next step; NULL: nothing is to be done
    due_at             timestamptz,
    -- raised by whoever takes it up or pokes it: what somebody else has found out meanwhile is not written over that
    turn               bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, payment_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
CREATE UNIQUE INDEX payments_request ON payments (tenant_id, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_session ON payments (tenant_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX payments_token ON payments (tenant_id, id_token) WHERE id_token IS NOT NULL;
CREATE INDEX payments_flagged ON payments (tenant_id, payment_id) WHERE flag IS NOT NULL;

-- What the provider `test` keeps: its holds, and every call that was made of it.
CREATE TABLE test_payment_holds (
    tenant_id integer NOT NULL REFERENCES tenants,
    reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    method    text NOT NULL CHECK (length(method) <= 200),
    currency  text NOT NULL,
    amount    numeric NOT NULL,
    state     text NOT NULL CHECK (state IN ('pending', 'authorized', 'declined', 'captured', 'released')),
    looks     integer NOT NULL DEFAULT 0,
    captured  numeric NOT NULL DEFAULT 0,
    refunded  numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, reference)
);
CREATE TABLE test_payment_calls (
    tenant_id       integer NOT NULL REFERENCES tenants,
    idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    operation       text NOT NULL CHECK (operation IN ('authorize', 'capture', 'release', 'refund')),
    reference       text NOT NULL,
    amount          numeric,
    -- how often it was made, and what came of it; NULL: nothing yet
    calls           integer NOT NULL DEFAULT 0,
    outcome         text CHECK (outcome IN ('done', 'declined')),
    PRIMARY KEY (tenant_id, idempotency_key)
);

-- The follower of bills reads no other events.
CREATE INDEX outbox_payments ON outbox (xid, id) WHERE type IN ('cdr.created');

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['payment_settings', 'payments', 'test_payment_holds', 'test_payment_calls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

-- which payments of all tenants are due, and nothing else of them
GRANT SELECT (tenant_id, payment_id, due_at) ON payments TO csms_gateway;
GRANT SELECT, INSERT, UPDATE ON payment_settings, payments, test_payment_holds, test_payment_calls TO csms_hub;
