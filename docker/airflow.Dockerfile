# Airflow with this project: scheduler, DAG processor, triggerer, API server and Celery workers.
FROM apache/airflow:3.3.2-python3.12

USER root
RUN mkdir --mode=775 /app /data && chgrp 0 /app /data
USER airflow

COPY --chown=airflow:0 requirements/airflow.txt /app/requirements/airflow.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r /app/requirements/airflow.txt

COPY --chown=airflow:0 pyproject.toml README.md /app/
COPY --chown=airflow:0 include /app/include
COPY --chown=airflow:0 dags /app/dags
COPY --chown=airflow:0 plugins /app/plugins
COPY --chown=airflow:0 sample_site/questions.jsonl /app/sample_site/questions.jsonl
COPY --chown=airflow:0 docker /app/docker
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable /app

ENV AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/app/plugins \
    PYTHONUNBUFFERED=1
