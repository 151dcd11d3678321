-- External authorization: a third party that is asked over HTTP whether a token may charge. One row for each tenant that has it.
CREATE TABLE external_authorization (
    tenant_id      integer PRIMARY KEY REFERENCES tenants,
    url            text NOT NULL CHECK (length(url) BETWEEN 9 AND 2000),
    asks           text NOT NULL CHECK (asks IN ('unknown_tokens', 'all_tokens')),
    timeout_ms     integer NOT NULL CHECK (timeout_ms BETWEEN 100 AND 4000),
    -- what holds when there is no answer
    fallback       text NOT NULL CHECK (fallback IN ('refuse', 'accept', 'own_data')),
    -- seconds that an answer for a token at a station is remembered
    cache_s        integer NOT NULL CHECK (cache_s BETWEEN 0 AND 3600),
    -- the value of the request's Authorization header, and the key of its signature: encrypted (csms.external_authorization.sealing)
    authorization_sealed  bytea CHECK (length(authorization_sealed) <= 2100),
    signing_secret_sealed bytea CHECK (length(signing_secret_sealed) <= 2100),
    created_at     timestamptz NOT NULL DEFAULT now(),
    -- raised with every change: by it processes know whether what they hold is the newest
    updated_at     timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE external_authorization ENABLE ROW LEVEL SECURITY;
ALTER TABLE external_authorization FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON external_authorization TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY gateway_all ON external_authorization TO csms_gateway USING (true) WITH CHECK (true);
CREATE POLICY hub_tenant ON external_authorization TO csms_hub
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer);

-- gateways decide whether to ask; where, and with which secret, is the hub's business alone
GRANT SELECT (tenant_id, asks, timeout_ms, fallback, cache_s, updated_at) ON external_authorization TO csms_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON external_authorization TO csms_hub;
