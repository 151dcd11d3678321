#!/bin/bash
# Run once by the PostgreSQL image, on an empty volume: the role that owns the tables, no superuser, and its database.
set -euo pipefail

# the password goes by a variable of psql's, which quotes it, and not by the command line, which others could read
export CSMS_PASSWORD
CSMS_PASSWORD="$(cat /run/secrets/csms_database_password)"
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres <<'SQL'
\getenv password CSMS_PASSWORD
CREATE ROLE csms LOGIN CREATEROLE PASSWORD :'password';
ALTER ROLE csms SET createrole_self_grant = 'set, inherit';
CREATE DATABASE csms OWNER csms TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
SQL
