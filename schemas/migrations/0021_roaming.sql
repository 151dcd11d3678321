-- OCPI: parties, partners and what passes between them.

-- A tenant of kind hub is the installation's OCPI hub; there is one at most. All others are operators.
ALTER TABLE tenants ADD COLUMN kind text NOT NULL DEFAULT 'operator' CHECK (kind IN ('operator', 'hub'));
CREATE UNIQUE INDEX tenants_hub ON tenants (kind) WHERE kind = 'hub';

-- As whom a tenant appears to its partners. Codes are stored in capitals (CiString: they are compared without case).
CREATE TABLE ocpi_parties (
    tenant_id        integer NOT NULL REFERENCES tenants,
    country_code     text NOT NULL CHECK (country_code ~ '^[A-Z]{2}$'),
    party_id         text NOT NULL CHECK (party_id ~ '^[A-Z0-9]{3}$'),
    role             text NOT NULL CHECK (role IN ('CPO', 'EMSP', 'HUB')),
    -- schemas.ocpi221.locations.BusinessDetails
    business_details json NOT NULL,
    -- whether it is a party of the installation's hub too
    on_hub           boolean NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, country_code, party_id, role)
);
CREATE UNIQUE INDEX ocpi_parties_installation ON ocpi_parties (country_code, party_id, role);

-- Platforms that a tenant is, was or will be connected with.
CREATE TABLE ocpi_partners (
    tenant_id        integer NOT NULL REFERENCES tenants,
    partner_id       uuid NOT NULL,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- planned: known, never registered; connected; offline: registered and not to be reached; suspended: by us; left: unregistered
    status           text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'connected', 'offline', 'suspended', 'left')),
    status_since     timestamptz NOT NULL DEFAULT now(),
    -- when anything was last received from it
    heard_at         timestamptz,
    -- the OCPI version that both use
    version          text,
    -- its versions endpoint
    versions_url     text,
    -- its endpoints in that version: a list of schemas.ocpi221.versions.Endpoint
    endpoints        json NOT NULL DEFAULT '[]',
    -- the token that we use towards it, sealed
    token_sealed     bytea,
    -- csms.roaming.partners.PartnerSettings
    settings         json NOT NULL DEFAULT '{}',
    -- something could not be delivered since: what has changed is sent in its present state when it is back
    needs_resync     boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, partner_id)
);

-- Tokens that partners use towards us, hashed. One of kind registration is good for versions and credentials only (A4).
CREATE TABLE ocpi_tokens (
    tenant_id  integer NOT NULL,
    token_hash bytea NOT NULL,
    partner_id uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('registration', 'access')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES ocpi_partners ON DELETE CASCADE
);
CREATE INDEX ocpi_tokens_hash ON ocpi_tokens (token_hash);
CREATE INDEX ocpi_tokens_partner ON ocpi_tokens (tenant_id, partner_id);

-- Parties that are reached through a partner. Among the hub's are those of our own tenants too: they have no partner.
CREATE TABLE ocpi_roles (
    tenant_id        integer NOT NULL REFERENCES tenants,
    country_code     text NOT NULL CHECK (country_code = upper(country_code) AND length(country_code) = 2),
    party_id         text NOT NULL CHECK (party_id = upper(party_id) AND length(party_id) BETWEEN 1 AND 3),
    role             text NOT NULL CHECK (role IN ('CPO', 'EMSP', 'HUB', 'NAP', 'NSP', 'OTHER', 'SCSP')),
    partner_id       uuid,
    -- slug of the tenant whose party it is
    own_tenant       text,
    business_details json NOT NULL DEFAULT '{}',
    -- schemas.ocpi221.hubclientinfo.ConnectionStatus
    status           text NOT NULL CHECK (status IN ('CONNECTED', 'OFFLINE', 'PLANNED', 'SUSPENDED')),
    -- its platform does not name it any more: what becomes of the platform is nothing to it
    gone             boolean NOT NULL DEFAULT false,
    -- of one behind a partner that is a hub: what that has told of it last
    told_status      text CHECK (told_status IN ('CONNECTED', 'OFFLINE', 'PLANNED', 'SUSPENDED')),
    -- of the ClientInfo
    last_updated     timestamptz NOT NULL,
    -- the last_updated that the platforms behind our hub were told last; NULL: none
    announced_at     timestamptz,
    -- the order of creation (G3)
    role_no          bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, country_code, party_id, role),
    FOREIGN KEY (tenant_id, partner_id) REFERENCES ocpi_partners ON DELETE CASCADE,
    CHECK ((partner_id IS NULL) <> (own_tenant IS NULL))
);
CREATE INDEX ocpi_roles_partner ON ocpi_roles (tenant_id, partner_id);

-- Who may have what of whom (R14). NULL: any. Where several fit, the most specific counts; where none does, tenants.ocpi_visibility.
ALTER TABLE tenants ADD COLUMN ocpi_visibility text NOT NULL DEFAULT 'everyone' CHECK (ocpi_visibility IN ('everyone', 'listed'));
CREATE TABLE ocpi_agreements (
    tenant_id          integer NOT NULL REFERENCES tenants,
    agreement_id       uuid NOT NULL,
    owner_country_code text,
    owner_party_id     text,
    party_country_code text,
    party_party_id     text,
    allowed            boolean NOT NULL DEFAULT true,
    -- of functional modules; NULL: all
    modules            text[],
    -- data filters of locations, and what belongs to them; NULL: all
    location_ids       text[],
    countries          text[],
    note               text CHECK (length(note) BETWEEN 1 AND 500),
    created_by         text NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agreement_id),
    CHECK ((owner_country_code IS NULL) = (owner_party_id IS NULL)),
    CHECK ((party_country_code IS NULL) = (party_party_id IS NULL))
);

-- Objects as they are, or were last, told: own ones as published, those of partners as received, with members that we do not know.
-- Owner and id are folded to lower case here; the document has the spelling of their owner (B2).
CREATE TABLE ocpi_objects (
    tenant_id    integer NOT NULL REFERENCES tenants,
    module       text NOT NULL CHECK (module IN ('locations', 'sessions', 'cdrs', 'tariffs', 'tokens', 'invoicereconciliation')),
    country_code text NOT NULL,
    party_id     text NOT NULL,
    object_id    text NOT NULL CHECK (length(object_id) BETWEEN 1 AND 255),
    -- the type of a token (K1); empty for all others
    kind         text NOT NULL DEFAULT '',
    -- own: of a party of this tenant; received: of another's
    origin       text NOT NULL CHECK (origin IN ('own', 'received')),
    -- through which connection it came; NULL: from ourselves
    partner_id   uuid,
    -- sessions and cdrs: the party of their token, folded
    with_country_code text,
    with_party_id     text,
    document     json NOT NULL,
    last_updated timestamptz NOT NULL,
    -- a tariff that its owner has deleted
    deleted_at   timestamptz,
    -- the order of creation (G3)
    object_no    bigint GENERATED ALWAYS AS IDENTITY,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, module, country_code, party_id, object_id, kind)
);
CREATE UNIQUE INDEX ocpi_objects_order ON ocpi_objects (tenant_id, module, origin, object_no);
CREATE INDEX ocpi_objects_updated ON ocpi_objects (tenant_id, module, last_updated);
CREATE INDEX ocpi_objects_id ON ocpi_objects (tenant_id, module, object_id);
-- partners with OCPI 2.1.1 name contracts, not tokens
CREATE INDEX ocpi_objects_contract ON ocpi_objects (tenant_id, lower(document ->> 'contract_id')) WHERE module = 'tokens';

-- What of a tenant is to be gone through from the beginning: its documents made anew, or, with a receiver, told to that one whatever it
-- knows. Worked through in chunks; `after` is how far it has come.
CREATE TABLE ocpi_publications (
    tenant_id       integer NOT NULL REFERENCES tenants,
    module          text NOT NULL CHECK (module IN ('tariffs', 'locations', 'sessions', 'tokens')),
    to_country_code text NOT NULL DEFAULT '',
    to_party_id     text NOT NULL DEFAULT '',
    after           text NOT NULL DEFAULT '',
    requested_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, module, to_country_code, to_party_id)
);
-- Until when things that begin or end by themselves have been looked at: versions of tariffs, assignments, tokens.
ALTER TABLE tenants ADD COLUMN ocpi_looked_until timestamptz;

-- What is still to be told to whom: keys of changed objects, not messages (design 9). One row for each object and receiver.
CREATE TABLE ocpi_pushes (
    tenant_id       integer NOT NULL REFERENCES tenants,
    to_country_code text NOT NULL,
    to_party_id     text NOT NULL,
    module          text NOT NULL,
    country_code    text NOT NULL,
    party_id        text NOT NULL,
    object_id       text NOT NULL,
    kind            text NOT NULL DEFAULT '',
    -- the EVSE of a location that alone has changed; empty: all of the object
    part            text NOT NULL DEFAULT '',
    -- as whom; our hub passes on broadcasts as itself (R9)
    from_country_code text NOT NULL,
    from_party_id     text NOT NULL,
    push_no         bigint GENERATED ALWAYS AS IDENTITY,
    -- raised with every change: what changes while it is sent is sent again
    version         integer NOT NULL DEFAULT 1,
    attempts        integer NOT NULL DEFAULT 0,
    -- after a refusal: not tried again before then
    not_before      timestamptz,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    correlation_id  text,
    PRIMARY KEY (tenant_id, to_country_code, to_party_id, module, country_code, party_id, object_id, kind, part)
);
CREATE INDEX ocpi_pushes_order ON ocpi_pushes (tenant_id, to_country_code, to_party_id, attempts, push_no);

-- How it goes with a receiver of pushes: when it is tried again.
CREATE TABLE ocpi_receivers (
    tenant_id       integer NOT NULL REFERENCES tenants,
    country_code    text NOT NULL,
    party_id        text NOT NULL,
    failing_since   timestamptz,
    failures        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_failure    text,
    PRIMARY KEY (tenant_id, country_code, party_id)
);

-- Commands and charging profiles that were asked for or that we ask for, with what has to follow them.
CREATE TABLE ocpi_commands (
    tenant_id       integer NOT NULL REFERENCES tenants,
    ocpi_command_id uuid NOT NULL,
    -- received: a partner's, for our stations; sent: ours, for a partner's
    direction       text NOT NULL CHECK (direction IN ('received', 'sent')),
    -- CommandType, or GET_PROFILE, SET_PROFILE, CLEAR_PROFILE of the module chargingprofiles
    command         text NOT NULL,
    -- the other side
    country_code    text NOT NULL,
    party_id        text NOT NULL,
    own_country_code text NOT NULL,
    own_party_id     text NOT NULL,
    -- received: where the result goes
    response_url    text,
    -- sent: what the path of our response_url ends in, hashed
    response_key    bytea,
    correlation_id  text,
    request         json NOT NULL,
    -- what the station was ordered
    command_id      uuid,
    session_id      text,
    reservation_id  text,
    -- asked: not answered yet; waiting: for the result; delivering: the result is to be posted; done; failed
    status          text NOT NULL CHECK (status IN ('asked', 'waiting', 'delivering', 'done', 'failed')),
    -- CommandResponseType and CommandResultType, or those of profiles
    response        text,
    result          text,
    result_document json,
    error           text,
    requested_by    text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    deadline        timestamptz NOT NULL,
    finished_at     timestamptz,
    -- somebody works on it until then
    leased_until    timestamptz,
    PRIMARY KEY (tenant_id, ocpi_command_id)
);
CREATE INDEX ocpi_commands_open ON ocpi_commands (tenant_id, deadline) WHERE status IN ('asked', 'waiting', 'delivering');
CREATE INDEX ocpi_commands_response ON ocpi_commands (response_key) WHERE response_key IS NOT NULL;
CREATE INDEX ocpi_commands_age ON ocpi_commands (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX ocpi_commands_reservation ON ocpi_commands (tenant_id, reservation_id) WHERE reservation_id IS NOT NULL;

-- What one process of the installation does at a time.
CREATE TABLE process_leases (
    name         text PRIMARY KEY,
    owner        uuid NOT NULL,
    leased_until timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON process_leases TO csms_gateway;

-- What an eMSP has vouched for: its word goes into the session and the CDR (K7, M4).
CREATE TABLE ocpi_authorizations (
    tenant_id     integer NOT NULL REFERENCES tenants,
    authorization_id uuid NOT NULL,
    country_code  text NOT NULL,
    party_id      text NOT NULL,
    token_key     text COLLATE "C" NOT NULL,
    method        text NOT NULL CHECK (method IN ('AUTH_REQUEST', 'COMMAND')),
    reference     text,
    station_id    bigint,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, authorization_id)
);
CREATE INDEX ocpi_authorizations_token ON ocpi_authorizations (tenant_id, token_key, created_at);
CREATE INDEX ocpi_authorizations_age ON ocpi_authorizations (created_at);

-- URLs that our hub has put in place of others in what it relayed (digest 17.1). The key is in the path of ours, hashed here.
CREATE TABLE ocpi_relays (
    tenant_id        integer NOT NULL REFERENCES tenants,
    relay_key        bytea NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('command', 'profile', 'page', 'cdr')),
    original_url     text NOT NULL,
    -- of the request that was relayed
    from_country_code text NOT NULL,
    from_party_id     text NOT NULL,
    to_country_code   text NOT NULL,
    to_party_id       text NOT NULL,
    detail           text,
    correlation_id   text,
    -- what came to a response URL is being passed on since; used: it was
    claimed_at       timestamptz,
    used_at          timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, relay_key)
);
CREATE INDEX ocpi_relays_age ON ocpi_relays (expires_at);

-- Between whom sessions and reservations have passed our hub: for messages that name no receiver (R11). Folded like object ids.
CREATE TABLE ocpi_routes (
    tenant_id          integer NOT NULL REFERENCES tenants,
    kind               text NOT NULL CHECK (kind IN ('session', 'reservation')),
    object_id          text NOT NULL CHECK (length(object_id) BETWEEN 1 AND 255),
    -- the CPO, and the other one
    owner_country_code text NOT NULL,
    owner_party_id     text NOT NULL,
    other_country_code text NOT NULL,
    other_party_id     text NOT NULL,
    seen_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, object_id, owner_country_code, owner_party_id, other_country_code, other_party_id)
);
CREATE INDEX ocpi_routes_age ON ocpi_routes (seen_at);

-- The log of messages, for whoever has to find out what happened; kept for csms.roaming.messages.KEPT_DAYS.
CREATE TABLE ocpi_messages (
    tenant_id      integer NOT NULL REFERENCES tenants,
    message_id     uuid NOT NULL,
    direction      text NOT NULL CHECK (direction IN ('in', 'out', 'inside')),
    partner_id     uuid,
    ocpi_version   text,
    module         text NOT NULL,
    role           text,
    method         text NOT NULL,
    path           text NOT NULL,
    from_party     text,
    to_party       text,
    request_id     text,
    correlation_id text,
    http_status    smallint,
    status_code    smallint,
    status_message text,
    duration_ms    integer NOT NULL,
    -- bodies, shortened; tokens of credentials are taken out
    request        text,
    response       text,
    -- what had to be forgiven or was lost between versions: a list of {field, rule, text}
    remarks        json,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id)
);
CREATE INDEX ocpi_messages_correlation ON ocpi_messages (tenant_id, correlation_id);
CREATE INDEX ocpi_messages_age ON ocpi_messages USING brin (recorded_at);

-- What the CDRs of others come to: the books of an eMSP. The documents are in ocpi_objects (module cdrs, received).
CREATE TABLE ocpi_received_cdrs (
    tenant_id      integer NOT NULL REFERENCES tenants,
    -- the key of the object, folded
    country_code   text NOT NULL,
    party_id       text NOT NULL,
    object_id      text NOT NULL,
    -- of the session, which decides the month
    end_time       timestamptz NOT NULL,
    session_id     text,
    -- the CDR that this one takes back, folded: then the amounts and the energy are negative
    credit_of      text,
    currency       text NOT NULL,
    energy_kwh     numeric NOT NULL,
    total_excl_vat numeric NOT NULL,
    -- NULL: no VAT is stated
    total_incl_vat numeric,
    -- the same as the CDR's own tariff makes of its periods; NULL: it cannot be computed
    computed_excl_vat numeric,
    computed_incl_vat numeric,
    -- what is doubtful about it: a list of schemas.ocpi221.base.Remark
    findings       json NOT NULL DEFAULT '[]',
    doubtful       boolean NOT NULL,
    received_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, country_code, party_id, object_id)
);
CREATE INDEX ocpi_received_cdrs_month ON ocpi_received_cdrs (tenant_id, end_time);
CREATE INDEX ocpi_received_cdrs_session ON ocpi_received_cdrs (tenant_id, country_code, party_id, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX ocpi_received_cdrs_credit ON ocpi_received_cdrs (tenant_id, country_code, party_id, credit_of) WHERE credit_of IS NOT NULL;

-- Reading what partners have: one row for each module of a partner. A partner of zeros only is the installation's own hub.
CREATE TABLE ocpi_pulls (
    tenant_id    integer NOT NULL REFERENCES tenants,
    partner_id   uuid NOT NULL,
    module       text NOT NULL,
    status       text NOT NULL CHECK (status IN ('waiting', 'running', 'done', 'failed')),
    -- all that the partner has, not only what has changed since
    complete     boolean NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    -- of this, or the last, run: pages read, objects in them, those stored, those refused, those that are gone at their owner
    pages        integer NOT NULL DEFAULT 0,
    objects      integer NOT NULL DEFAULT 0,
    stored       integer NOT NULL DEFAULT 0,
    refused      integer NOT NULL DEFAULT 0,
    removed      integer NOT NULL DEFAULT 0,
    error        text,
    -- what has changed before is known: where the next one begins
    known_until  timestamptz,
    PRIMARY KEY (tenant_id, partner_id, module)
);
CREATE INDEX ocpi_pulls_due ON ocpi_pulls (tenant_id, due_at) WHERE status IN ('waiting', 'running');

-- Reservations of our stations, whoever made them.
CREATE TABLE reservations (
    tenant_id         integer NOT NULL,
    -- OCPP's number: of the installation, as stations compare it with numbers of their own
    reservation_id    integer GENERATED ALWAYS AS IDENTITY (MINVALUE 1 MAXVALUE 2147483647 CYCLE),
    station_id        bigint NOT NULL,
    evse_id           integer,
    connector_id      integer,
    id_token          text NOT NULL,
    id_token_type     text NOT NULL,
    group_id_token    text,
    -- requested: the station has not answered yet
    status            text NOT NULL DEFAULT 'requested' CHECK (status IN ('requested', 'active', 'used', 'cancelled', 'expired', 'refused')),
    status_reason     text,
    expires_at        timestamptz NOT NULL,
    -- OCPI's id and who asked for it
    ocpi_reservation_id text,
    ocpi_country_code text,
    ocpi_party_id     text,
    session_id        uuid,
    requested_by      text NOT NULL,
    -- the ReserveNow that is waited for, or that it was made by
    command_id        uuid,
    -- what it becomes when the station takes that command, where it stands already: columns of this table
    replacement       json,
    -- the newest CancelReservation, and who ordered it
    cancel_command_id uuid,
    cancelled_by      text,
    -- when its OCPP 1.6 connector was seen Reserved
    shown_at          timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, reservation_id),
    FOREIGN KEY (tenant_id, station_id) REFERENCES stations
);
CREATE INDEX reservations_open ON reservations (tenant_id, station_id) WHERE status IN ('requested', 'active');
CREATE INDEX reservations_partner ON reservations (tenant_id, ocpi_country_code, ocpi_party_id, lower(ocpi_reservation_id))
    WHERE ocpi_reservation_id IS NOT NULL;
CREATE INDEX reservations_due ON reservations (expires_at) WHERE status IN ('requested', 'active');
CREATE UNIQUE INDEX reservations_ocpi ON reservations (tenant_id, ocpi_country_code, ocpi_party_id, lower(ocpi_reservation_id))
    WHERE status IN ('requested', 'active');

-- A token of another party: stations may be offered it, and its sessions belong to that party. NULL: the tenant's own.
ALTER TABLE id_tokens
    ADD COLUMN owner_country_code text,
    ADD COLUMN owner_party_id text,
    -- OCPI's TokenType
    ADD COLUMN ocpi_type text CHECK (ocpi_type IN ('AD_HOC_USER', 'APP_USER', 'OTHER', 'RFID', 'EMAID')),
    ADD CHECK ((owner_country_code IS NULL) = (owner_party_id IS NULL));
-- partners' ids may be longer than they should (Z9)
ALTER TABLE id_tokens DROP CONSTRAINT id_tokens_contract_id_check;
ALTER TABLE id_tokens ADD CONSTRAINT id_tokens_contract_id_check CHECK (length(contract_id) BETWEEN 1 AND 255);
CREATE INDEX id_tokens_owner ON id_tokens (tenant_id, owner_country_code, owner_party_id) WHERE owner_country_code IS NOT NULL;

-- What partners are told beyond what stations and prices need: csms.roaming.details.{Location,Evse,Connector}Details.
ALTER TABLE locations ADD COLUMN roaming json;
ALTER TABLE evses ADD COLUMN roaming json;
ALTER TABLE connectors ADD COLUMN roaming json;

-- Who is asked about tokens: a server of the tenant's own, or the parties that it roams with.
ALTER TABLE external_authorization ADD COLUMN via text NOT NULL DEFAULT 'http' CHECK (via IN ('http', 'ocpi'));
ALTER TABLE external_authorization ALTER COLUMN url DROP NOT NULL;
ALTER TABLE external_authorization ADD CHECK (via = 'ocpi' OR url IS NOT NULL);
GRANT SELECT (via) ON external_authorization TO csms_gateway;

-- Whoever follows the events for partners reads those of tenants that roam, and need not read past readings of meters.
CREATE INDEX outbox_roaming ON outbox (tenant_id, xid, id)
    WHERE type IN ('cdr.created', 'location.changed', 'session.corrected', 'session.cost_updated', 'session.ended', 'session.settled',
        'session.started', 'station.changed', 'station.moved', 'station.offline', 'station.online', 'station.status',
        'tariff.assigned', 'tariff.changed', 'token.changed');

-- All stations of a location are told when one of its members changes.
CREATE INDEX stations_location ON stations (tenant_id, location_id) WHERE location_id IS NOT NULL;
-- CDRs that could not be told for what was missing of their location are tried again when it has changed.
CREATE INDEX cdrs_location ON cdrs (tenant_id, location_id, created_at) WHERE location_id IS NOT NULL;

-- A party that comes or changes is told of whole: to its partners, and to the hub if it is on it.
CREATE FUNCTION publish_party() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
        WHERE h.role = 'HUB' AND NEW.on_hub AND TG_OP = 'UPDATE'
        ON CONFLICT (tenant_id, module, to_country_code, to_party_id) DO UPDATE SET after = '', requested_at = now();
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER parties_publish AFTER INSERT OR UPDATE ON ocpi_parties FOR EACH ROW EXECUTE FUNCTION publish_party();

-- What people change, told to those who follow the outbox; only where somebody is told of it.
CREATE FUNCTION tell_roaming() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    changed record := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    row_    jsonb := to_jsonb(changed);
BEGIN
    IF EXISTS (SELECT FROM ocpi_parties p WHERE p.tenant_id = changed.tenant_id) THEN
        INSERT INTO outbox (tenant_id, type, station_id, data)
        VALUES (changed.tenant_id, TG_ARGV[0], (row_ ->> 'station_id')::bigint,
                jsonb_strip_nulls(jsonb_build_object('id', row_ ->> TG_ARGV[1], 'before', CASE
                    WHEN TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> TG_ARGV[1] IS DISTINCT FROM row_ ->> TG_ARGV[1]
                    THEN to_jsonb(OLD) ->> TG_ARGV[1] END)));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER locations_tell_roaming AFTER INSERT OR UPDATE OR DELETE ON locations
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('location.changed', 'location_id');
-- of stations, EVSEs and connectors only what people enter: a column that is not named in an UPDATE costs it nothing
CREATE TRIGGER stations_tell_roaming AFTER UPDATE OF location_id, retired_at, name ON stations
    FOR EACH ROW WHEN (OLD.location_id IS DISTINCT FROM NEW.location_id OR OLD.retired_at IS DISTINCT FROM NEW.retired_at
        OR OLD.name IS DISTINCT FROM NEW.name)
    EXECUTE FUNCTION tell_roaming('station.moved', 'location_id');
CREATE TRIGGER evses_tell_roaming AFTER INSERT OR DELETE OR UPDATE OF emi3_evse_id, roaming ON evses
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('station.changed', 'evse_uid');
CREATE TRIGGER connectors_tell_roaming AFTER INSERT OR DELETE OR UPDATE OF connector_type, max_power_w, roaming ON connectors
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('station.changed', 'connector_id');
CREATE TRIGGER tariff_versions_tell_roaming AFTER INSERT ON tariff_versions
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('tariff.changed', 'tariff_id');
CREATE TRIGGER tariffs_tell_roaming AFTER UPDATE OF retired_at ON tariffs
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('tariff.changed', 'tariff_id');
CREATE TRIGGER tariff_assignments_tell_roaming AFTER INSERT OR UPDATE OR DELETE ON tariff_assignments
    FOR EACH ROW EXECUTE FUNCTION tell_roaming('tariff.assigned', 'tariff_id');
CREATE TRIGGER id_tokens_tell_roaming AFTER INSERT OR UPDATE ON id_tokens
    FOR EACH ROW WHEN (NEW.owner_country_code IS NULL AND NOT NEW.single_use AND NEW.status <> 'unknown')
    EXECUTE FUNCTION tell_roaming('token.changed', 'token_id');

DO $$
DECLARE
    tab text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['ocpi_parties', 'ocpi_partners', 'ocpi_tokens', 'ocpi_roles', 'ocpi_agreements', 'ocpi_objects',
        'ocpi_publications', 'ocpi_pushes', 'ocpi_receivers', 'ocpi_commands', 'ocpi_authorizations', 'ocpi_relays', 'ocpi_routes',
        'ocpi_messages', 'reservations',
        'ocpi_received_cdrs', 'ocpi_pulls'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tab);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tab);
        EXECUTE format('CREATE POLICY owner_all ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY gateway_all ON %I TO csms_gateway USING (true) WITH CHECK (true)', tab);
        EXECUTE format('CREATE POLICY hub_tenant ON %I TO csms_hub '
            'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer) '
            'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::integer)', tab);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON ocpi_publications TO csms_hub;
GRANT SELECT ON ocpi_publications TO csms_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON ocpi_parties, ocpi_partners, ocpi_tokens, ocpi_roles, ocpi_agreements, ocpi_objects, ocpi_pushes,
    ocpi_receivers, ocpi_commands, ocpi_authorizations, ocpi_relays, ocpi_routes, ocpi_messages, reservations TO csms_hub;
GRANT SELECT ON ocpi_parties, ocpi_authorizations TO csms_gateway;
GRANT SELECT, UPDATE ON reservations TO csms_gateway;
GRANT SELECT, DELETE ON ocpi_authorizations, ocpi_relays, ocpi_routes, ocpi_messages TO csms_gateway;
-- which tenants have open ones
GRANT SELECT ON ocpi_commands TO csms_gateway;
GRANT SELECT, INSERT ON ocpi_received_cdrs TO csms_hub;
GRANT SELECT, INSERT, UPDATE, DELETE ON ocpi_pulls TO csms_hub;

-- Which connection a token belongs to; several hashes because a token may be spelled in several ways (A6).
CREATE FUNCTION auth_ocpi_token(wanted_hashes bytea[])
RETURNS TABLE (tenant_id integer, token_hash bytea, partner_id uuid, kind text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.token_hash, t.partner_id, t.kind, t.expires_at FROM ocpi_tokens t WHERE t.token_hash = ANY (wanted_hashes)
$$;

-- The parties of all tenants, and who is the hub: what partners may know anyhow.
CREATE FUNCTION auth_ocpi_parties()
RETURNS TABLE (tenant_id integer, slug text, tenant_kind text, country_code text, party_id text, role text, business_details json,
               on_hub boolean, updated_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.kind, p.country_code, p.party_id, p.role, p.business_details, p.on_hub, p.updated_at
    FROM ocpi_parties p JOIN tenants t USING (tenant_id)
$$;

-- The tenant that is the hub; made when first asked for.
CREATE FUNCTION auth_ocpi_hub(new_slug text, new_name text)
RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found integer;
BEGIN
    SELECT t.tenant_id INTO found FROM tenants t WHERE t.kind = 'hub';
    IF found IS NULL THEN
        INSERT INTO tenants (slug, name, kind) VALUES (new_slug, new_name, 'hub')
            ON CONFLICT (slug) DO NOTHING RETURNING tenants.tenant_id INTO found;
    END IF;
    RETURN found;
END $$;

REVOKE EXECUTE ON FUNCTION auth_ocpi_token(bytea[]), auth_ocpi_parties(), auth_ocpi_hub(text, text), tell_roaming(), publish_party() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth_ocpi_token(bytea[]), auth_ocpi_parties(), auth_ocpi_hub(text, text) TO csms_auth;
