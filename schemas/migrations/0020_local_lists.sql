-- What stations may decide by themselves: offline policies, and the local authorization lists that stations were sent.

-- Of the tenant (both NULL), of a station group or of a station. The nearest one that says something holds.
CREATE TABLE offline_policies (
    tenant_id        integer NOT NULL REFERENCES tenants,
    station_group_id uuid,
    station_id       bigint,
    -- csms.local_lists.policy.OfflinePolicy
    policy           jsonb NOT NULL,
    updated_by       text NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CHECK (station_group_id IS NULL OR station_id IS NULL),
    FOREIGN KEY (tenant_id, station_group_id) REFERENCES station_groups ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
CREATE UNIQUE INDEX offline_policies_scope ON offline_policies
    (tenant_id, coalesce(station_group_id, '00000000-0000-0000-0000-000000000000'), coalesce(station_id, 0));

-- A list as it is wanted, or was sent: most stations of a tenant have the same one.
CREATE TABLE local_list_contents (
    tenant_id integer NOT NULL REFERENCES tenants,
    -- SHA-256 of the entries
    digest    bytea NOT NULL CHECK (length(digest) = 32),
    -- csms.local_lists.content.Entry, in the order of their keys
    entries   json NOT NULL,
    count     integer NOT NULL CHECK (count >= 0),
    used_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, digest)
);

-- What a station was told and has confirmed. Rows are made for stations that a policy says something about.
CREATE TABLE local_lists (
    tenant_id      integer NOT NULL,
    station_id     bigint NOT NULL,
    -- off: no list is kept there; unsupported: the station cannot keep one
    state          text NOT NULL DEFAULT 'off' CHECK (state IN ('off', 'pending', 'in_sync', 'failed', 'unsupported')),
    -- csms.local_lists.policy.OfflinePolicy, all scopes together
    policy         jsonb NOT NULL DEFAULT '{}',
    -- what ought to be there; NULL: no list is kept
    wanted_digest  bytea,
    wanted_count   integer NOT NULL DEFAULT 0,
    -- why tokens are not in it: reason -> number
    left_out       jsonb NOT NULL DEFAULT '{}',
    -- what the station has as far as it has confirmed; digest NULL: that is not known
    version        integer NOT NULL DEFAULT 0,
    digest         bytea,
    -- the highest version that it was ever sent
    used_version   integer NOT NULL DEFAULT 0,
    -- what it has if the message in flight was taken
    sent_version   integer,
    sent_digest    bytea,
    -- of whose connection the version was asked for last: on the same one only we change the list
    asked_epoch    bigint,
    -- the words in which the list was sent
    ocpp_version   text,
    -- as the station says; NULL: it has not
    max_entries        integer,
    items_per_message  integer,
    bytes_per_message  integer,
    -- configuration keys or variables: csms.local_lists.settings.Setting
    settings       jsonb NOT NULL DEFAULT '[]',
    -- when limits and settings were read last, and of which firmware
    checked_at     timestamptz,
    firmware_version text,
    -- every reason to look at the station raises orders; done: up to which of them it was looked at
    orders         bigint NOT NULL DEFAULT 0,
    done           bigint NOT NULL DEFAULT 0,
    -- NULL: nothing to do
    due_at         timestamptz,
    -- send the whole list, and try again what was refused
    full_ordered   boolean NOT NULL DEFAULT false,
    clear_cache_ordered_at timestamptz,
    cache_cleared_at       timestamptz,
    cache_error    text,
    failures       integer NOT NULL DEFAULT 0,
    error          text,
    synced_at      timestamptz,
    -- who talks to the station about it
    lease_owner    uuid,
    leased_until   timestamptz,
    PRIMARY KEY (tenant_id, station_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations,
    FOREIGN KEY (tenant_id, wanted_digest) REFERENCES local_list_contents,
    FOREIGN KEY (tenant_id, digest) REFERENCES local_list_contents,
    FOREIGN KEY (tenant_id, sent_digest) REFERENCES local_list_contents,
    CHECK ((sent_version IS NULL) = (sent_digest IS NULL))
);
CREATE INDEX local_lists_due ON local_lists (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX local_lists_wanted ON local_lists (tenant_id, wanted_digest) WHERE wanted_digest IS NOT NULL;
CREATE INDEX local_lists_digest ON local_lists (tenant_id, digest) WHERE digest IS NOT NULL;
CREATE INDEX local_lists_sent ON local_lists (tenant_id, sent_digest) WHERE sent_digest IS NOT NULL;

-- Marks: something that lists depend on has changed. One for each transaction, stored with the change and removed by whoever has seen
-- it before he read what it is about; so no change is missed, however late its transaction ends, and no writer waits for another.
CREATE TABLE offline_changes (
    tenant_id integer NOT NULL,
    xid       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, xid)
);

-- One process at a time works out what the stations of a tenant ought to have.
CREATE TABLE offline_rounds (
    tenant_id    integer PRIMARY KEY REFERENCES tenants,
    owner        uuid,
    leased_until timestamptz,
    -- the next moment at which a token begins or ends to be valid
    next_at      timestamptz
);

CREATE FUNCTION note_offline_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO offline_changes (tenant_id) VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- what was only seen on the wire, or is for one session, is in no list, and comes with every other driver
CREATE TRIGGER id_tokens_lists_insert AFTER INSERT ON id_tokens FOR EACH ROW
    WHEN (NEW.status <> 'unknown' AND NOT NEW.single_use) EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER id_tokens_lists_update AFTER UPDATE ON id_tokens FOR EACH ROW
    WHEN ((OLD.status <> 'unknown' OR NEW.status <> 'unknown') AND NOT (OLD.single_use AND NEW.single_use))
    EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER id_tokens_lists_delete AFTER DELETE ON id_tokens FOR EACH ROW
    WHEN (OLD.status <> 'unknown' AND NOT OLD.single_use) EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER token_groups_lists AFTER INSERT OR UPDATE OR DELETE ON token_groups FOR EACH ROW EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER station_groups_lists AFTER UPDATE OR DELETE ON station_groups FOR EACH ROW EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER station_group_members_lists AFTER INSERT OR UPDATE OR DELETE ON station_group_members FOR EACH ROW
    EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER offline_policies_lists AFTER INSERT OR UPDATE OR DELETE ON offline_policies FOR EACH ROW
    EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER locations_lists AFTER UPDATE ON locations FOR EACH ROW EXECUTE FUNCTION note_offline_change();
-- the columns named are not those that change with every message
CREATE TRIGGER stations_lists AFTER UPDATE OF location_id, ocpp_version, retired_at ON stations FOR EACH ROW
    WHEN ((OLD.location_id, OLD.ocpp_version, OLD.retired_at) IS DISTINCT FROM (NEW.location_id, NEW.ocpp_version, NEW.retired_at))
    EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER stations_lists_insert AFTER INSERT ON stations FOR EACH ROW
    WHEN (NEW.ocpp_version IS NOT NULL) EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER evses_lists AFTER INSERT ON evses FOR EACH ROW EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER connectors_lists AFTER UPDATE OF connector_type ON connectors FOR EACH ROW
    WHEN (OLD.connector_type IS DISTINCT FROM NEW.connector_type) EXECUTE FUNCTION note_offline_change();
CREATE TRIGGER connectors_lists_insert AFTER INSERT ON connectors FOR EACH ROW
    WHEN (NEW.connector_type IS NOT NULL) EXECUTE FUNCTION note_offline_change();

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['offline_policies', 'local_list_contents', 'local_lists', 'offline_changes', 'offline_rounds'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON offline_changes TO csms_gateway;
-- the round that looks after all tenants' stations
GRANT SELECT ON offline_rounds TO csms_gateway;
GRANT SELECT, UPDATE ON local_lists TO csms_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON offline_policies, local_list_contents TO csms_hub;
GRANT SELECT, INSERT, UPDATE ON local_lists, offline_rounds TO csms_hub;
GRANT SELECT, INSERT, DELETE ON offline_changes TO csms_hub;
