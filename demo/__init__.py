"""The local stack: a real Airflow scheduler over DuckDB, started, followed and stopped by one command."""
