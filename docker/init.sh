#!/bin/bash
# What Airflow's processes wait for: its tables, and a person who may log in.
set -euo pipefail
airflow db migrate
password="$(cat /run/secrets/airflow_admin_password)"
airflow users create --role Admin --username admin --password "$password" \
  --firstname Ada --lastname Admin --email admin@localhost
# If the file has changed since.
airflow users reset-password --username admin --password "$password"
