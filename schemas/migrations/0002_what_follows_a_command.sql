-- What a command causes is tied to it, and the streams of values that OCPP 2.1 stations open.

-- The id in a command's payload that what follows will name (requestId, remoteStartId, the id of a reservation …), as text. Ids
-- are the caller's to choose and may come again: the newest command with one wins. `action` is from now on the wire action of
-- domain commands, too; it is known once the command is sent.
ALTER TABLE commands ADD COLUMN reference text;
CREATE INDEX commands_reference ON commands (tenant_id, station_id, reference, sent_at) WHERE reference IS NOT NULL;

-- The command that caused the event.
ALTER TABLE station_events ADD COLUMN command_id uuid;
CREATE INDEX station_events_command ON station_events (tenant_id, command_id, event_id) WHERE command_id IS NOT NULL;

-- OCPP 2.1 knows id tokens of up to 255 characters.
ALTER TABLE id_tokens DROP CONSTRAINT id_tokens_id_token_check;
ALTER TABLE id_tokens ADD CONSTRAINT id_tokens_id_token_check CHECK (length(id_token) BETWEEN 1 AND 255);
ALTER TABLE id_tokens DROP CONSTRAINT id_tokens_group_id_token_check;
ALTER TABLE id_tokens ADD CONSTRAINT id_tokens_group_id_token_check CHECK (length(group_id_token) BETWEEN 1 AND 255);

-- The open streams of stations: what is sent on another one is dropped. What came on them are events of the station.
CREATE TABLE event_streams (
    tenant_id              integer NOT NULL,
    station_id             bigint NOT NULL,
    stream_id              integer NOT NULL CHECK (stream_id >= 0),
    variable_monitoring_id integer NOT NULL,
    opened_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, station_id, stream_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);

ALTER TABLE event_streams ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_streams FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON event_streams TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY gateway_all ON event_streams TO csms_gateway USING (true) WITH CHECK (true);
CREATE POLICY hub_tenant ON event_streams TO csms_hub
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::integer);
GRANT SELECT, INSERT, UPDATE, DELETE ON event_streams TO csms_gateway;
GRANT SELECT ON event_streams TO csms_hub;
