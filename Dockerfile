# One image for every service: Airflow, the jobs, the dashboard, the API, the Lambda and SageMaker differ in command only.
# The tag fixes the version; a release pipeline replaces it with the digest it has pulled and scanned.
FROM python:3.11.14-slim-bookworm AS build

ENV UV_PROJECT_ENVIRONMENT=/app/.venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir "uv==0.9.7"
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --extra celery --extra aws

FROM python:3.11.14-slim-bookworm

# An account without a shell or a home of value; nothing in the image is writable by it.
RUN groupadd --gid 10001 app && useradd --uid 10001 --gid app --home-dir /data --shell /usr/sbin/nologin app \
    && mkdir -p /data && chown app:app /data
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false DO_NOT_TRACK=1 \
    AIRFLOW_HOME=/data/airflow AIRFLOW__CORE__DAGS_FOLDER=/app/dags AIRFLOW__CORE__LOAD_EXAMPLES=False \
    WAREHOUSE_PATH=/data/warehouse.duckdb SERVING_PATH=/data/serving.duckdb LANDING_URI=/data/landing RUNS_DIR=/data/runs
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY settings.py pyproject.toml ./
COPY .streamlit .streamlit
COPY alerts alerts
COPY api api
COPY dags dags
COPY dashboard dashboard
COPY dbt dbt
COPY infra infra
COPY ingest ingest
COPY modeling modeling
COPY report report
COPY serving serving
COPY simulator simulator
COPY sql sql
USER 10001:10001
VOLUME ["/data"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-c", "from settings import load_settings; load_settings()"]
CMD ["python", "-m", "ingest", "status"]
