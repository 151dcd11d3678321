-- Sessions whose end is in doubt are asked about, and what changes in a finished session is traced.

ALTER TABLE sessions
    -- when the station was last asked about this session, and when it may be asked again (NULL: there is no question)
    ADD COLUMN asked_at timestamptz,
    ADD COLUMN reconcile_at timestamptz;
CREATE INDEX sessions_reconcile ON sessions (reconcile_at) WHERE reconcile_at IS NOT NULL AND status <> 'active';

-- What the facts of a session were after it had ended, and what they became: late or repeated messages, a station that was
-- asked, an operator. The facts as first billed are those before the oldest row.
CREATE TABLE session_corrections (
    tenant_id     integer NOT NULL,
    session_id    uuid NOT NULL,
    correction_id uuid NOT NULL,
    -- the message or the act that brought it: StopTransaction, TransactionEvent, MeterValues, operator …
    cause         text NOT NULL,
    -- member -> [before, after]
    changes       jsonb NOT NULL,
    reason        text,
    corrected_by  text,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, session_id, correction_id),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions
);

ALTER TABLE session_corrections ENABLE ROW LEVEL SECURITY;
ALTER TABLE session_corrections FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON session_corrections TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY gateway_all ON session_corrections TO csms_gateway USING (true) WITH CHECK (true);
CREATE POLICY hub_tenant ON session_corrections TO csms_hub
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer);
GRANT SELECT, INSERT ON session_corrections TO csms_gateway, csms_hub;
