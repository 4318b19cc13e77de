"""Settings are refused with the variable's name and what is allowed."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ingest import env
from settings import ROOT, SettingsError, load_settings
from sql import session


def test_defaults_are_local_files_below_the_project() -> None:
    settings = load_settings({})
    assert settings.warehouse_target == "duckdb"
    assert settings.warehouse_path == ROOT / ".data" / "warehouse.duckdb"
    assert settings.redshift is None


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("WAREHOUSE_TARGET", "postgres", "duckdb, redshift"),
        ("LANDING_URI", "s3://", "s3://bucket"),
        ("LANDING_URI", "ftp://host/x", "a folder"),
        ("BRAND_ID", "../x", "lower-case"),
        ("WAREHOUSE_PATH", "s3://bucket/file", "a path on this machine"),
        ("SERVING_PATH", ".data/warehouse.duckdb", "differ"),
        ("SERVING_PATH", "tests", "the path of a file"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})
    assert name in str(refused.value)
    assert allowed in str(refused.value)
    assert "\n" not in str(refused.value)


REDSHIFT = {
    "WAREHOUSE_TARGET": "redshift",
    "REDSHIFT_HOST": "cluster.example",
    "REDSHIFT_USER": "loader",
    "REDSHIFT_PASSWORD": "not-to-be-shown",
    "S3_STAGING_URI": "s3://staging/run",
}


def test_redshift_names_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="REDSHIFT_HOST, REDSHIFT_USER, S3_STAGING_URI"):
        load_settings({"WAREHOUSE_TARGET": "redshift"})


@pytest.mark.parametrize(("name", "value"), [("REDSHIFT_PORT", "70000"), ("REDSHIFT_SSLMODE", "maybe")])
def test_redshift_values_are_checked(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings(REDSHIFT | {name: value})


def test_a_password_is_not_in_the_representation() -> None:
    assert "not-to-be-shown" not in repr(load_settings(REDSHIFT))


def test_tls_is_on_unless_it_is_switched_off() -> None:
    on, off = (
        load_settings(REDSHIFT).redshift,
        load_settings(REDSHIFT | {"REDSHIFT_SSLMODE": "disable"}).redshift,
    )
    assert on is not None
    assert off is not None
    assert on.ssl
    assert not off.ssl


@pytest.mark.parametrize(
    ("mode", "handed_on"),
    [
        ("verify-full", (True, "verify-full")),
        ("verify-ca", (True, "verify-ca")),
        ("require", (True, "verify-ca")),
        ("disable", (False, "verify-ca")),
    ],
)
def test_the_way_of_checking_the_certificate_reaches_the_connection(
    mode: str, handed_on: tuple[bool, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDSHIFT_SECRET_ARN", raising=False)
    seen: dict[str, object] = {}
    monkeypatch.setattr("redshift_connector.connect", lambda **given: seen.update(given))
    redshift = load_settings(REDSHIFT | {"REDSHIFT_SSLMODE": mode}).redshift
    assert redshift is not None
    session.connect(redshift)
    assert (seen["ssl"], seen["sslmode"]) == handed_on


def test_the_hash_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PII_HASH_KEY", raising=False)
    settings = load_settings({"WAREHOUSE_PATH": str(tmp_path / "w.duckdb")})
    first = settings.pii_hash_key()
    assert first == settings.pii_hash_key()
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "pii_hash_key").stat().st_mode) == 0o600


def test_a_hash_key_file_cut_short_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PII_HASH_KEY", raising=False)
    (tmp_path / "pii_hash_key").write_bytes(b"")
    with pytest.raises(SettingsError, match="less than 16 characters"):
        load_settings({"WAREHOUSE_PATH": str(tmp_path / "w.duckdb")}).pii_hash_key()


def test_a_short_hash_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PII_HASH_KEY", "short")
    with pytest.raises(SettingsError, match="PII_HASH_KEY"):
        load_settings({}).pii_hash_key()


def test_redshift_needs_the_hash_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PII_HASH_KEY", raising=False)
    with pytest.raises(SettingsError, match="PII_HASH_KEY"):
        load_settings(REDSHIFT).pii_hash_key()


#: Whole variable names that the rooms own, however they are read.
OWN = re.compile(
    r"(WAREHOUSE|LANDING|SERVING|RUNS|BRAND|PII|REDSHIFT|S3|INGEST|ALERTS|API|DASHBOARD|DEMO)_[A-Z0-9_]*[A-Z0-9]"
)
#: Read here, set by others or by us for a child process; and the switch of the kill tests.
NOT_SETTINGS = {
    "PATH", "PYTHONPATH", "HOME", "AIRFLOW_HOME", "ARROW_DEFAULT_MEMORY_POOL", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "DO_NOT_TRACK", "SM_ROOT", "INGEST_FAILPOINT",
}  # fmt: skip


def variables(tree: ast.AST) -> set[str]:
    """Names that a module reads from ``os.environ`` or a mapping called ``env``, and texts that look like our names."""
    found: set[str] = set()
    for node in ast.walk(tree):
        name: ast.AST | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if ast.unparse(node.func.value).split(".")[-1] in ("environ", "env", "os"):
                name = node.args[0] if node.func.attr in ("get", "getenv", "setdefault", "pop") else None
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).split(".")[-1] in ("environ", "env"):
            name = node.slice
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OWN.fullmatch(node.value):
            name = node
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            found.add(name.value)
    return found


def test_every_variable_is_in_the_example_file() -> None:
    """Whatever the rooms read from the environment, found in their syntax trees and in dbt's files."""
    rooms = (
        "alerts",
        "api",
        "dags",
        "dashboard",
        "infra",
        "ingest",
        "modeling",
        "report",
        "serving",
        "simulator",
        "sql",
    )
    paths = [
        ROOT / "settings.py",
        ROOT / "demo" / "__main__.py",
        *(p for r in rooms for p in (ROOT / r).rglob("*.py")),
    ]
    read = set().union(*(variables(ast.parse(p.read_text())) for p in paths))
    for path in (*(ROOT / "dbt").glob("*.yml"), *(ROOT / "dbt" / "models").rglob("*.sql")):
        read |= set(re.findall(r"env_var\(\s*'(\w+)'", path.read_text()))
    assert len(read) > 40, "the collector has gone blind"
    example = set(re.findall(r"(?m)^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text()))
    assert read - NOT_SETTINGS - example == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INGEST_FILE_SECONDS", "an hour"),
        ("INGEST_S3_ATTEMPTS", "0"),
        ("INGEST_S3_ATTEMPTS", "2.5"),
        ("INGEST_LOCK_SECONDS", "-1"),
        ("INGEST_STABLE_SECONDS", "nan"),
        ("INGEST_PARSER_MEMORY", "much"),
        ("INGEST_WRITER_MEMORY", "0.7"),
    ],
)
def test_a_bad_variable_of_the_intake_is_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        env.check({name: value})
    env.check({})


def test_the_intake_checks_its_variables_before_they_are_read() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ingest", "init"], cwd=ROOT, env={**os.environ, "INGEST_FILE_SECONDS": "an hour"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (
        done.returncode == 2
        and done.stderr.startswith("ingest: INGEST_FILE_SECONDS")
        and done.stderr.count("\n") == 1
    )


def test_every_variable_of_the_intake_is_checked() -> None:
    modules = [p for p in (ROOT / "ingest").glob("*.py") if p.name != "env.py"]
    read = {n for p in modules for n in variables(ast.parse(p.read_text())) if n.startswith("INGEST_")}
    assert read - {"INGEST_DEBUG", "INGEST_FAILPOINT"} == set(env.NUMBERS) | set(env.TEXTS)
