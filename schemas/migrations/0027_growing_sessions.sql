-- Running sessions that partners know: each reading is told soon after it has come.
CREATE INDEX ocpi_objects_running ON ocpi_objects (tenant_id, object_id)
    WHERE module = 'sessions' AND origin = 'own' AND document ->> 'status' = 'ACTIVE';
GRANT SELECT (tenant_id, module, origin, object_id, document) ON ocpi_objects TO csms_gateway;
