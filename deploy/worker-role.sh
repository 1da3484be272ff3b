#!/bin/sh
# Runs once, when PostgreSQL makes its data folder: the workers' own role. What it may do is granted
# by `rostrum admin init --worker-role rostrum_worker`, the service `init` of compose.yaml.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --set secret="$ROSTRUM_WORKER_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE rostrum_worker LOGIN PASSWORD :'secret';
SQL
