-- Partners with OCPI 2.1.1 number reservations where all newer versions have texts (digest 22): the number that each reservation
-- has towards the one that it is sent to.
CREATE TABLE ocpi_reservation_numbers (
    tenant_id      integer NOT NULL,
    partner_id     uuid NOT NULL,
    -- whose reservation it is, folded: other parties may have the same id
    country_code   text NOT NULL,
    party_id       text NOT NULL,
    reservation_id text NOT NULL CHECK (length(reservation_id) BETWEEN 1 AND 255),
    number         integer NOT NULL CHECK (number >= 0),
    seen_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, partner_id, country_code, party_id, reservation_id),
    CONSTRAINT ocpi_reservation_numbers_once UNIQUE (tenant_id, partner_id, number),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES ocpi_partners ON DELETE CASCADE
);
CREATE INDEX ocpi_reservation_numbers_age ON ocpi_reservation_numbers (seen_at);

-- Tokens that a partner with OCPI 2.1.1 was shown with a command or an authorization: it names them by their contract alone.
CREATE TABLE ocpi_shown_tokens (
    tenant_id    integer NOT NULL,
    partner_id   uuid NOT NULL,
    -- all folded
    country_code text NOT NULL,
    party_id     text NOT NULL,
    uid          text NOT NULL,
    contract_id  text NOT NULL,
    -- schemas.ocpi221.cdrs.CdrToken
    document     json NOT NULL,
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, partner_id, country_code, party_id, uid, contract_id),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES ocpi_partners ON DELETE CASCADE
);
CREATE INDEX ocpi_shown_tokens_contract ON ocpi_shown_tokens (tenant_id, partner_id, contract_id);
CREATE INDEX ocpi_shown_tokens_uid ON ocpi_shown_tokens (tenant_id, partner_id, uid);
CREATE INDEX ocpi_shown_tokens_owner ON ocpi_shown_tokens (tenant_id, partner_id, country_code, party_id, seen_at);
CREATE INDEX ocpi_shown_tokens_age ON ocpi_shown_tokens (seen_at);

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['ocpi_reservation_numbers', 'ocpi_shown_tokens'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ocpi_reservation_numbers, ocpi_shown_tokens TO csms_hub;

-- What a tenant is to a partner with 2.1.1 is kept from the registration on: a tenant that gets a second role later stays what it was.
UPDATE ocpi_partners p SET settings = (p.settings::jsonb || jsonb_build_object('own_role', o.role))::json
FROM (SELECT tenant_id, min(role) AS role FROM ocpi_parties WHERE role <> 'HUB' GROUP BY tenant_id HAVING count(DISTINCT role) = 1) o
WHERE o.tenant_id = p.tenant_id AND p.version = '2.1.1' AND p.settings ->> 'own_role' IS NULL;
