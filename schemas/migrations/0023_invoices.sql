-- OCPI 2.3.0, InvoiceReconciliation: invoices that partners are told of, and which CDRs the records of invoices name.

-- What is asked of a partner: the CDRs of one statement. An invoice that was withdrawn stays here.
CREATE TABLE ocpi_invoices (
    tenant_id    integer NOT NULL REFERENCES tenants,
    invoice_key  uuid NOT NULL,
    -- the number on the invoice: OCPI's invoice_id
    invoice_id   text NOT NULL CHECK (length(invoice_id) BETWEEN 1 AND 255),
    statement_id uuid NOT NULL,
    -- who is to pay; in capitals
    country_code text NOT NULL CHECK (country_code = upper(country_code)),
    party_id     text NOT NULL CHECK (party_id = upper(party_id)),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    withdrawn_by text,
    withdrawn_at timestamptz,
    PRIMARY KEY (tenant_id, invoice_key),
    FOREIGN KEY (tenant_id, statement_id) REFERENCES statements,
    CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL))
);
CREATE UNIQUE INDEX ocpi_invoices_statement ON ocpi_invoices (tenant_id, statement_id) WHERE withdrawn_at IS NULL;
-- a CiString, which is ASCII
CREATE UNIQUE INDEX ocpi_invoices_number ON ocpi_invoices (tenant_id, lower(invoice_id)) WHERE withdrawn_at IS NULL;

-- Its records; their documents are in ocpi_objects. One for each of our parties that has told the CDRs, and more of these where they
-- are too many for one.
CREATE TABLE ocpi_invoice_records (
    tenant_id    integer NOT NULL,
    -- the key of the object, folded
    country_code text NOT NULL,
    party_id     text NOT NULL,
    record_id    text NOT NULL,
    invoice_key  uuid NOT NULL,
    cdr_count    integer NOT NULL CHECK (cdr_count >= 1),
    PRIMARY KEY (tenant_id, country_code, party_id, record_id),
    FOREIGN KEY (tenant_id, invoice_key) REFERENCES ocpi_invoices
);
CREATE INDEX ocpi_invoice_records_invoice ON ocpi_invoice_records (tenant_id, invoice_key);

-- Which CDRs the records name that there are, ours and those of others: follows ocpi_objects. All ids folded.
CREATE TABLE ocpi_invoiced_cdrs (
    tenant_id    integer NOT NULL,
    country_code text NOT NULL,
    party_id     text NOT NULL,
    cdr_id       text NOT NULL,
    record_id    text NOT NULL,
    own          boolean NOT NULL,
    PRIMARY KEY (tenant_id, country_code, party_id, cdr_id, record_id)
);
CREATE INDEX ocpi_invoiced_cdrs_record ON ocpi_invoiced_cdrs (tenant_id, country_code, party_id, record_id, cdr_id);
-- A CDR of ours is in one invoice at most.
CREATE UNIQUE INDEX ocpi_invoiced_cdrs_once ON ocpi_invoiced_cdrs (tenant_id, cdr_id) WHERE own;

CREATE FUNCTION note_invoiced_cdrs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM ocpi_invoiced_cdrs x WHERE x.tenant_id = OLD.tenant_id AND x.country_code = OLD.country_code
            AND x.party_id = OLD.party_id AND x.record_id = OLD.object_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN
        -- a partner's single id may stand without its list
        INSERT INTO ocpi_invoiced_cdrs (tenant_id, country_code, party_id, cdr_id, record_id, own)
        SELECT DISTINCT NEW.tenant_id, NEW.country_code, NEW.party_id, lower(c.id COLLATE "C"), NEW.object_id, NEW.origin = 'own'
        FROM json_array_elements_text(CASE json_typeof(NEW.document -> 'cdrs')
            WHEN 'array' THEN NEW.document -> 'cdrs' ELSE json_build_array(NEW.document -> 'cdrs') END) AS c(id)
        WHERE c.id IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ocpi_objects_invoice_made AFTER INSERT ON ocpi_objects
    FOR EACH ROW WHEN (NEW.module = 'invoicereconciliation') EXECUTE FUNCTION note_invoiced_cdrs();
CREATE TRIGGER ocpi_objects_invoice_changed AFTER UPDATE OF document, deleted_at ON ocpi_objects
    FOR EACH ROW WHEN (NEW.module = 'invoicereconciliation') EXECUTE FUNCTION note_invoiced_cdrs();
CREATE TRIGGER ocpi_objects_invoice_gone AFTER DELETE ON ocpi_objects
    FOR EACH ROW WHEN (OLD.module = 'invoicereconciliation') EXECUTE FUNCTION note_invoiced_cdrs();
REVOKE EXECUTE ON FUNCTION note_invoiced_cdrs() FROM PUBLIC;

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['ocpi_invoices', 'ocpi_invoice_records', 'ocpi_invoiced_cdrs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE (withdrawn_by, withdrawn_at) ON ocpi_invoices TO csms_hub;
GRANT SELECT, INSERT ON ocpi_invoice_records TO csms_hub;
GRANT SELECT ON ocpi_invoiced_cdrs TO csms_hub;
