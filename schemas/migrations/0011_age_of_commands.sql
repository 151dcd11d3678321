-- For deleting what is old; rows come in this order, so it costs the writer nothing.
CREATE INDEX commands_created_at ON commands USING brin (created_at);
