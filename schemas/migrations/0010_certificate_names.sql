-- The common name of the client certificate by which a station signs in over TLS (OCPP security profile 3).
ALTER TABLE stations ADD COLUMN certificate_name text CHECK (length(certificate_name) BETWEEN 1 AND 64);
