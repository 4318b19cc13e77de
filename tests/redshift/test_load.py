"""The intake on Redshift: the same files give the same tables as on DuckDB; wire faults lose and double nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest import run as intake
from ingest.contracts import load_contracts
from ingest.schema import INTAKE
from settings import ROOT, load_settings
from standin.proxy import Fault
from standin.stack import Stack

pytestmark = pytest.mark.redshift

#: Facts about one run, not about the data.
RUN_FACTS = {"run_id", "loaded_at", "fingerprint", "source_key", "ledger_id", "uri"}


#: One feed of each kind: replaced by partition, upserted, without partition, nested and restated, with refused rows,
#: with personal data.
FEEDS = {"roundel", "meta_ads", "google_ads_geo", "walmart_connect", "target_sales", "email_events", "trade_promotions", "store_locations", "crm_customers", "experiments"}  # fmt: skip
#: Deliveries stamped before this day are left out, to keep the files at some fifty.
FIRST_STAMP = "20261004"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world's partner files."""
    out = tmp_path_factory.mktemp("world")
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "--out", str(out), "--seed", "7", "--weeks", "16", "--scale", "0.1"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for folder in (out / "landing").iterdir():
        if folder.name not in FEEDS:
            shutil.rmtree(folder)
    for path in (out / "landing").rglob("*__*"):
        whole = path.parent.name in ("store_locations", "trade_promotions", "experiments")
        if path.name.split("__")[1] < FIRST_STAMP and not whole:
            path.unlink()
    newest = max((out / "landing" / "roundel").iterdir())
    shutil.copy2(newest, newest.with_name(newest.name.replace("__", "_again__")))
    return out / "landing"


def clear(stack: Stack) -> None:
    connection = stack.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    for feed in load_contracts():
        for schema in ("raw", "raw_history"):
            cursor.execute(f"delete from {schema}.{feed}")
    for table in INTAKE:
        cursor.execute(f"delete from intake.{table}")
    connection.close()


def settings_for(stack: Stack | None, landing: Path, folder: Path) -> Any:
    env = {
        "LANDING_URI": str(landing),
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "PII_HASH_KEY": "0123456789abcdef0123456789abcdef",
    }
    if stack is not None:
        login = {"REDSHIFT_USER": "svc_loader", "REDSHIFT_PASSWORD": stack.user_passwords["svc_loader"]}
        env = {**stack.environment, **env, **login}
    for key in (
        "PII_HASH_KEY",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    ):
        if key in env:
            os.environ[key] = env[key]
    return load_settings(env)


def content(query: Any, tables: list[tuple[str, list[str]]]) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table, columns in tables:
        listed = ", ".join(f'"{c}"' for c in columns if c not in RUN_FACTS)
        found[table] = sorted(tuple(map(str, r)) for r in query(f"select {listed} from {table}"))
    return found


def tables() -> list[tuple[str, list[str]]]:
    contracts = load_contracts()
    listed = [(f"raw.{f}", [n for n, _ in c.columns]) for f, c in contracts.items()]
    listed += [
        (f"raw_history.{f}", [*(n for n, _ in c.columns), "_superseded_by", "_superseded_at"])
        for f, c in contracts.items()
    ]
    return listed + [(f"intake.{t}", [n for n, _ in c]) for t, c in INTAKE.items()]


def redshift_content(stack: Stack) -> dict[str, list[tuple[Any, ...]]]:
    connection = stack.connect()
    cursor = connection.cursor()

    def query(sql: str) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    found = content(query, tables())
    connection.close()
    return found


@pytest.fixture(scope="module")
def duckdb_content(world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    folder = tmp_path_factory.mktemp("duckdb")
    settings = settings_for(None, world, folder)
    intake.run(settings, load_contracts())
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as db:
        return content(lambda sql: db.execute(sql).fetchall(), tables())


def differences(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    return [
        f"{t}: {len(one[t])} against {len(two[t])} rows; only left {[r for r in one[t] if r not in two[t]][:1]}; "
        f"only right {[r for r in two[t] if r not in one[t]][:1]}"
        for t in one
        if one[t] != two[t]
    ]


def test_every_file_loads_as_on_duckdb(
    warehouse: Stack, world: Path, tmp_path: Path, duckdb_content: dict[str, list[tuple[Any, ...]]]
) -> None:
    clear(warehouse)
    settings = settings_for(warehouse, world, tmp_path)
    contracts = load_contracts()
    with intake.opened(settings, contracts) as store:
        store.init()
    rows = intake.run(settings, contracts)
    assert not intake.failed(rows), [r.reason for r in intake.failed(rows)]
    assert {"LOAD", "REPLACE", "QR", "NOOP"} <= {r.outcome for r in rows}
    first = redshift_content(warehouse)
    assert sum(map(len, first.values())) > 1000
    assert not differences(first, duckdb_content)
    assert intake.run(settings, contracts) == [], "a second run loads nothing"
    assert redshift_content(warehouse) == first


#: Spread over feeds: one file's transaction is tried five times at most.
FAULTS = [
    Fault("copy incoming_rows", "drop"),
    Fault("insert into raw.roundel", "serialization", 2),
    Fault("insert into raw.email_events", "drop"),
    Fault("delete from raw.meta_ads", "drop"),
    Fault("insert into raw_history.meta_ads", "serialization"),
    Fault("copy intake.quarantine", "serialization"),
    Fault("^commit", "drop", 2),
    Fault("^commit", "drop_after", 2),
]


def test_faults_on_the_wire_change_nothing(
    warehouse: Stack, world: Path, tmp_path: Path, duckdb_content: dict[str, list[tuple[Any, ...]]]
) -> None:
    clear(warehouse)
    settings = settings_for(warehouse, world, tmp_path)
    planned = [Fault(f.pattern, f.action, f.times) for f in FAULTS]
    warehouse.faults.extend(planned)
    try:
        contracts = load_contracts()
        with intake.opened(settings, contracts) as store:
            store.init()
        rows = intake.run(settings, contracts)
    finally:
        warehouse.faults.clear()
    assert [f for f in planned if f.times] == [], "every planned fault was met"
    assert not intake.failed(rows)
    assert not differences(redshift_content(warehouse), duckdb_content)


def test_no_key_and_no_personal_data_reach_the_statement_log(warehouse: Stack) -> None:
    text = warehouse.log_file.read_text()
    for secret in (
        "AKIA",
        "secret_access_key",
        "0123456789abcdef0123456789abcdef",
        "@example.",
        warehouse.password,
    ):
        assert secret not in text, secret
