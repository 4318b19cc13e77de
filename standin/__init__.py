"""A Redshift-dialect stand-in on PostgreSQL. It is not Amazon Redshift.

An unmodified Redshift client (``redshift_connector``, dbt-redshift, Airflow's Redshift operators) connects to
it, sends Redshift SQL, and gets either rows from a real PostgreSQL or a refusal in Redshift's words. ``COPY``
and ``UNLOAD`` move files of a local S3 API server. What this proves, and what it cannot prove, is the table in
``docs/production.md``.

    python -m standin run -- CMD     # start everything, run CMD with the settings in its environment, stop
    python -m standin up | down      # the same, kept running in the background

The parts: ``postgres`` finds and runs a throw-away PostgreSQL; ``proxy`` sits on the wire and only changes
statement text; ``gate`` refuses, ``rewrite`` and ``commands`` translate, ``ddl`` reads table attributes;
``storage`` is COPY and UNLOAD; ``dataapi`` is the Redshift Data API over HTTP; ``stack`` starts and stops them.
"""

NAME = "Redshift-dialect stand-in on PostgreSQL"
