"""COPY and UNLOAD texts, and the Parquet files and manifests that go with them.

No key ever stands in SQL: both name the role that the cluster assumes. COPY reads a manifest, so that a stray object
under the prefix is never loaded; the manifest states each file's length, so that a truncated one is refused.
"""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from settings import Redshift, SettingsError

_ROLE = re.compile(
    r"^(default|arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+(,arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)*)$"
)
_URI = re.compile(r"^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([\w!.*()/=+-]+)$")
#: Rows of one Parquet file: a multiple of it lets every slice of a small cluster read its own file.
ROWS_PER_FILE = 500_000


def _authorisation(role: str) -> str:
    if not _ROLE.match(role):
        raise ValueError(
            f"REDSHIFT_COPY_ROLE_ARN: {role!r} is no role (allowed: default, or arn:aws:iam::<account>:role/<name>)"
        )
    return "iam_role default" if role == "default" else f"iam_role '{role}'"


def check(redshift: Redshift) -> None:
    """Refuse settings with which no COPY can work, before anything is read for it.

    Raises:
        SettingsError: naming the variable.
    """
    try:
        _authorisation(redshift.copy_role_arn)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        split_uri(f"{redshift.s3_staging_uri}/x")
    except ValueError as error:
        raise SettingsError(f"S3_STAGING_URI: {error}") from None


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``; raises ValueError for a form that could end a SQL literal."""
    m = _URI.match(uri)
    if not m:
        raise ValueError(f"not a plain s3 address: {uri!r}")
    return m[1], m[2]


def copy_parquet(table: str, columns: Sequence[str], manifest_uri: str, role: str) -> str:
    """COPY of a manifest's Parquet files into the listed columns, in the files' order."""
    split_uri(manifest_uri)
    listed = ", ".join(columns)
    return f"copy {table} ({listed}) from '{manifest_uri}' {_authorisation(role)} format as parquet manifest"


def unload_parquet(query: str, prefix_uri: str, role: str) -> str:
    """UNLOAD of a query to Parquet under a prefix, with a manifest; an existing object is an error."""
    split_uri(prefix_uri)
    return (
        f"unload ($${query}$$) to '{prefix_uri}' {_authorisation(role)} format parquet manifest parallel off"
    )


class Staging:
    """Objects under one throw-away prefix of the staging bucket; a context manager that removes them."""

    def __init__(self, client: Any, staging_uri: str, label: str) -> None:
        self.client = client
        self.prefix_uri = f"{staging_uri}/{label}/{uuid.uuid4().hex}"
        self.bucket, self.prefix = split_uri(self.prefix_uri)

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + "/"
        )
        for page in pages:
            keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if keys:
                self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys})

    def put(self, table: pa.Table, name: str) -> str:
        """Write ``table`` as Parquet parts and a manifest; returns the manifest's address."""
        entries = []
        for part, start in enumerate(range(0, max(table.num_rows, 1), ROWS_PER_FILE)):
            buffer = io.BytesIO()
            pq.write_table(
                table.slice(start, ROWS_PER_FILE), buffer, compression="zstd", coerce_timestamps="us"
            )
            key = f"{self.prefix}/{name}-{part:05d}.parquet"
            self.client.put_object(Bucket=self.bucket, Key=key, Body=buffer.getvalue())
            meta = {"content_length": buffer.getbuffer().nbytes}
            entries.append({"url": f"s3://{self.bucket}/{key}", "mandatory": True, "meta": meta})
        manifest = f"{self.prefix}/{name}.manifest"
        self.client.put_object(
            Bucket=self.bucket, Key=manifest, Body=json.dumps({"entries": entries}).encode()
        )
        return f"s3://{self.bucket}/{manifest}"

    def read(self, name: str) -> pa.Table:
        """The rows that an UNLOAD to ``<prefix>/<name>`` wrote, in the manifest's order."""
        body = self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}manifest")["Body"].read()
        parts = []
        for entry in json.loads(body)["entries"]:
            bucket, key = split_uri(entry["url"])
            parts.append(
                pq.read_table(io.BytesIO(self.client.get_object(Bucket=bucket, Key=key)["Body"].read()))
            )
        return pa.concat_tables(parts)


def s3_client() -> Any:
    """boto3's S3 client: region, endpoint and credentials come from the environment or the machine's role."""
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"max_attempts": 8, "mode": "adaptive"}))
