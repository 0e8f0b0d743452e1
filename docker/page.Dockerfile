# The page, the workers that answer, and every other `rag` command: no Airflow in it.
FROM python:3.12.12-slim-bookworm

RUN mkdir --mode=775 /app /data && chgrp 0 /app /data && useradd --uid 50000 --gid 0 --no-create-home rag
WORKDIR /app

COPY requirements/page.txt requirements/page.txt
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements/page.txt

COPY pyproject.toml README.md /app/
COPY include /app/include
COPY streamlit_app /app/streamlit_app
COPY sample_site /app/sample_site
COPY docker /app/docker
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

USER 50000:0
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["rag"]
CMD ["page"]
