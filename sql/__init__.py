"""What dbt does not own: schemas, roles and grants, raw and run-output tables, COPY and UNLOAD, migrations.

One source of truth: the columns come from the intake's contracts (``ingest.contracts``, ``ingest.schema``) and from
the model jobs' declared outputs (``modeling/*/spec.py``); this package adds what only a warehouse cluster needs
(distribution, sort keys, encodings, text lengths in bytes) and renders both engines from it.

    python -m sql render --engine duckdb|redshift      # the whole definition as text
    python -m sql plan | migrate | rollback --to N     # the difference to a live warehouse, forward and back
    python -m sql roles                                # roles, grants, default privileges, row-level policies
"""
