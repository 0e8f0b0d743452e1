#!/bin/bash
# Creates the two databases, each for a role of its own. PostgreSQL's image runs this once, when its volume is empty.
set -euo pipefail
for name in airflow conversations; do
  psql --set=ON_ERROR_STOP=1 --username postgres --set=name="$name" \
    --set=password="$(cat "/run/secrets/${name}_database_password")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
