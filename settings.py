"""Settings from the environment, checked once at start.

Every room reads its configuration through :func:`load_settings`; a bad value is refused with the name of
the variable and what is allowed, before anything else happens. ``.env.example`` documents each variable.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TARGETS = ("duckdb", "redshift")
_BRAND = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names it and what is allowed."""


@dataclass(frozen=True)
class Redshift:
    """Where the Redshift warehouse is and how to stage files for it (no credentials in ``repr``)."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ssl: bool
    #: How the server's certificate is checked where ``ssl`` is on: verify-ca, or verify-full (its name too).
    sslmode: str
    s3_staging_uri: str
    copy_role_arn: str


@dataclass(frozen=True)
class Settings:
    """Checked settings. Paths are absolute; ``landing_uri`` is a folder or ``s3://bucket/prefix``."""

    warehouse_target: str
    warehouse_path: Path
    landing_uri: str
    serving_path: Path
    runs_dir: Path
    brand_id: str
    redshift: Redshift | None

    @property
    def data_dir(self) -> Path:
        """Folder of the local state (DuckDB target): ledger-side files, keys, run outputs."""
        return self.warehouse_path.parent

    def pii_hash_key(self) -> bytes:
        """Secret key for hashing CRM identifiers, from ``PII_HASH_KEY``, else a local key file.

        The file is made once, readable by its owner only, so that a laptop demo needs no credentials.
        On Redshift the variable is required: a key that lives on one worker would hash differently on the next.
        """
        value = os.environ.get("PII_HASH_KEY", "")
        if value:
            if len(value) < 16:
                raise SettingsError("PII_HASH_KEY: at least 16 characters are needed")
            return value.encode()
        if self.warehouse_target == "redshift":
            raise SettingsError(
                "PII_HASH_KEY: required when WAREHOUSE_TARGET=redshift (set it from a secrets store)"
            )
        path = self.data_dir / "pii_hash_key"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # written aside and linked, so that no reader meets half a key
            handle, name = tempfile.mkstemp(prefix=".pii_hash_key-", dir=path.parent)  # mode 600
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_hex(32))
            with suppress(FileExistsError):
                os.link(name, path)
            os.unlink(name)
        key = path.read_bytes()
        if len(key) < 16:
            raise SettingsError(
                f"PII_HASH_KEY: {path} holds less than 16 characters; restore the key that hashed the warehouse's rows"
            )
        return key


def _absolute(text: str) -> Path:
    path = Path(text).expanduser()
    return path if path.is_absolute() else ROOT / path


def _port(env: Mapping[str, str]) -> int:
    text = env.get("REDSHIFT_PORT") or "5439"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SettingsError(f"REDSHIFT_PORT: {text!r} is not a port (allowed: 1 to 65535)")
    return int(text)


def _redshift(env: Mapping[str, str]) -> Redshift:
    missing = [name for name in ("REDSHIFT_HOST", "REDSHIFT_USER", "S3_STAGING_URI") if not env.get(name)]
    if missing:
        raise SettingsError(f"{', '.join(missing)}: required when WAREHOUSE_TARGET=redshift")
    if not env["S3_STAGING_URI"].startswith("s3://"):
        raise SettingsError(
            f"S3_STAGING_URI: {env['S3_STAGING_URI']!r} is not allowed (allowed: s3://bucket/prefix)"
        )
    sslmode = env.get("REDSHIFT_SSLMODE") or "verify-ca"
    if sslmode not in ("verify-ca", "verify-full", "require", "disable"):
        raise SettingsError(
            f"REDSHIFT_SSLMODE: {sslmode!r} (allowed: verify-ca, verify-full, require, disable)"
        )
    return Redshift(
        host=env["REDSHIFT_HOST"],
        port=_port(env),
        database=env.get("REDSHIFT_DATABASE") or "dev",
        user=env["REDSHIFT_USER"],
        password=env.get("REDSHIFT_PASSWORD", ""),
        ssl=sslmode != "disable",
        # redshift_connector knows the two checking modes only; dbt-redshift too takes "require" for verify-ca
        sslmode="verify-full" if sslmode == "verify-full" else "verify-ca",
        s3_staging_uri=env["S3_STAGING_URI"].rstrip("/"),
        copy_role_arn=env.get("REDSHIFT_COPY_ROLE_ARN", ""),
    )


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Args:
        env: variables to read; the process environment when omitted.

    Raises:
        SettingsError: one line that names the variable and the allowed values.
    """
    env = os.environ if env is None else env
    target = env.get("WAREHOUSE_TARGET") or "duckdb"
    if target not in TARGETS:
        raise SettingsError(f"WAREHOUSE_TARGET: {target!r} is not allowed (allowed: {', '.join(TARGETS)})")
    landing = env.get("LANDING_URI") or ".data/landing"
    if "://" in landing:
        if not re.match(r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", landing):
            raise SettingsError(
                f"LANDING_URI: {landing!r} is not allowed (allowed: a folder, or s3://bucket/prefix)"
            )
        landing = landing.rstrip("/")
    else:
        landing = str(_absolute(landing))
    brand = env.get("BRAND_ID") or "swiftpod"
    if not _BRAND.match(brand):
        raise SettingsError(
            f"BRAND_ID: {brand!r} is not allowed (allowed: lower-case letters, digits, _ and -)"
        )
    paths = {}
    for name, default in (
        ("WAREHOUSE_PATH", ".data/warehouse.duckdb"),
        ("SERVING_PATH", ".data/serving.duckdb"),
        ("RUNS_DIR", ".data/runs"),
    ):
        text = env.get(name) or default
        if "\0" in text or "://" in text:
            raise SettingsError(f"{name}: {text!r} is not allowed (allowed: a path on this machine)")
        paths[name] = _absolute(text)
    if paths["WAREHOUSE_PATH"] == paths["SERVING_PATH"]:
        raise SettingsError(
            "SERVING_PATH: must differ from WAREHOUSE_PATH (readers never open the warehouse file)"
        )
    for name in ("WAREHOUSE_PATH", "SERVING_PATH"):
        if paths[name].is_dir():
            raise SettingsError(f"{name}: {str(paths[name])!r} is a folder (allowed: the path of a file)")
    return Settings(
        warehouse_target=target,
        warehouse_path=paths["WAREHOUSE_PATH"],
        landing_uri=landing,
        serving_path=paths["SERVING_PATH"],
        runs_dir=paths["RUNS_DIR"],
        brand_id=brand,
        redshift=_redshift(env) if target == "redshift" else None,
    )
