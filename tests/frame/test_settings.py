"""Settings are refused with the variable's name and what is allowed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

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


def test_every_variable_is_in_the_example_file() -> None:
    text = (ROOT / ".env.example").read_text()
    source = (ROOT / "settings.py").read_text()
    for name in ("WAREHOUSE_TARGET", "WAREHOUSE_PATH", "LANDING_URI", "SERVING_PATH", "RUNS_DIR", "BRAND_ID",
                 "PII_HASH_KEY", "REDSHIFT_HOST", "REDSHIFT_PORT", "S3_STAGING_URI", "REDSHIFT_COPY_ROLE_ARN"):  # fmt: skip
        assert name in source
        assert name in text
