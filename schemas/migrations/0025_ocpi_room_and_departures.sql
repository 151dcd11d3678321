-- What partners may store at us is limited: bytes of each document, counted without reading it.
ALTER TABLE ocpi_objects ADD COLUMN size integer NOT NULL DEFAULT 0 CHECK (size >= 0);
UPDATE ocpi_objects SET size = octet_length(document::text);
CREATE INDEX ocpi_objects_room ON ocpi_objects (tenant_id, partner_id, module) INCLUDE (size)
    WHERE origin = 'received' AND partner_id IS NOT NULL;
CREATE INDEX ocpi_objects_room_inside ON ocpi_objects (tenant_id, country_code, party_id, module) INCLUDE (size)
    WHERE origin = 'received' AND partner_id IS NULL;

-- Sessions and CDRs of our tokens abroad, which count towards the limits of these tokens.
CREATE INDEX ocpi_objects_charged_with ON ocpi_objects (tenant_id, lower(document -> 'cdr_token' ->> 'uid'), created_at)
    WHERE module IN ('sessions', 'cdrs') AND origin = 'received';

-- A party that goes: since when it takes back what it has told. It is deleted when everybody knows.
ALTER TABLE ocpi_parties ADD COLUMN leaving_since timestamptz;

-- Where a location is that passes our hub between two parties: agreements may be for some countries only, and not every message
-- names it.
ALTER TABLE ocpi_routes DROP CONSTRAINT ocpi_routes_kind_check;
ALTER TABLE ocpi_routes ADD CONSTRAINT ocpi_routes_kind_check CHECK (kind IN ('session', 'reservation', 'location'));
ALTER TABLE ocpi_routes ADD COLUMN country text CHECK (length(country) BETWEEN 1 AND 3);

DROP FUNCTION auth_ocpi_parties();
-- The parties of all tenants, and who is the hub: what partners may know anyhow.
CREATE FUNCTION auth_ocpi_parties()
RETURNS TABLE (tenant_id integer, slug text, tenant_kind text, country_code text, party_id text, role text, business_details json,
               on_hub boolean, updated_at timestamptz, leaving_since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.kind, p.country_code, p.party_id, p.role, p.business_details, p.on_hub, p.updated_at, p.leaving_since
    FROM ocpi_parties p JOIN tenants t USING (tenant_id)
$$;
REVOKE EXECUTE ON FUNCTION auth_ocpi_parties() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_ocpi_parties() TO csms_auth;

-- A party that leaves is gone through once more, to take back what it has told; nobody is told anew what he knows.
CREATE OR REPLACE FUNCTION publish_party() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.role = 'HUB' THEN
        INSERT INTO ocpi_publications (tenant_id, module, to_country_code, to_party_id)
        SELECT DISTINCT p.tenant_id, m.module, lower(NEW.country_code), lower(NEW.party_id)
        FROM ocpi_parties p CROSS JOIN unnest(ARRAY['tariffs', 'locations', 'tokens']) AS m(module)
        WHERE p.on_hub AND p.role <> 'HUB'
        ON CONFLICT (tenant_id, module, to_country_code, to_party_id) DO UPDATE SET after = '', requested_at = now();
    ELSE
        INSERT INTO ocpi_publications (tenant_id, module, to_country_code, to_party_id)
        SELECT NEW.tenant_id, m.module, '', '' FROM unnest(ARRAY['tariffs', 'locations', 'sessions', 'tokens']) AS m(module)
        UNION ALL
        SELECT NEW.tenant_id, m.module, lower(h.country_code), lower(h.party_id)
        FROM ocpi_parties h CROSS JOIN unnest(ARRAY['tariffs', 'locations', 'tokens']) AS m(module)
        WHERE h.role = 'HUB' AND NEW.on_hub AND TG_OP = 'UPDATE' AND NEW.leaving_since IS NULL
        ON CONFLICT (tenant_id, module, to_country_code, to_party_id) DO UPDATE SET after = '', requested_at = now();
    END IF;
    RETURN NULL;
END $$;
