"""COPY and UNLOAD against an S3 API: files are moved here, rows by the server (compat/objects.sql).

COPY: the objects become one CSV file in the spool folder; Parquet keeps its column types beside it, so that a
type mismatch is refused as Redshift refuses it. UNLOAD: the server writes CSV and the types; the object is written
when the statement has completed. Read from the AWS guide; MAXERROR, fixed width, AVRO, ORC and Spectrum are absent.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from standin.dialect import quote

_VALUED = "iam_role|credentials|region|delimiter|null\\s+as|dateformat|timeformat|quote|maxerror|ignoreheader|encoding|maxfilesize"
_FLAGS = (
    "gzip|manifest|emptyasnull|blanksasnull|truncatecolumns|acceptinvchars|fillrecord|removequotes|trimblanks|acceptanydate"
    "|explicit_ids|header|allowoverwrite|cleanpath|addquotes|escape|serializetojson|parallel\\s+(?:on|off|true|false)"
    "|(?:statupdate|compupdate)(?:\\s+(?:on|off|true|false|preset))?"
)
_OPTION = re.compile(
    rf"\s*(?:(?P<name>{_VALUED})(?:\s+as)?\s+(?P<value>'(?:[^']|'')*'|auto|default|\d+(?:\s*(?:mb|gb))?)"
    rf"|(?:format(?:\s+as)?\s+)?(?P<format>csv|parquet|json)\b(?:\s+(?:as\s+)?(?P<path>'(?:[^']|'')*'))?"
    rf"|(?P<flag>{_FLAGS}))",
    re.I,
)
_COPY = re.compile(r"copy\s+(?P<table>[\w\".#]+)\s*(?P<columns>\([^)]*\))?\s+from\s+'s3://(?P<bucket>[^/']+)/?(?P<key>[^']*)'\s*(?P<rest>.*)$", re.I | re.S)  # fmt: skip
_UNLOAD = re.compile(r"unload\s*\(\s*(?:'(?P<quoted>(?:[^']|'')*)'|\$\$(?P<dollar>.*?)\$\$)\s*\)\s*to\s+'s3://(?P<bucket>[^/']+)/?(?P<key>[^']*)'\s*(?P<rest>.*)$", re.I | re.S)  # fmt: skip


@dataclass
class Copy:
    """A COPY statement: which table from which objects, and the file the server will read."""

    table: str
    columns: list[str] | None
    bucket: str
    key: str
    options: dict[str, str]
    spool: Path

    @property
    def statement(self) -> str:
        columns = "null" if self.columns is None else "array[" + ", ".join(map(quote, self.columns)) + "]"
        empty = "true" if {"emptyasnull", "blanksasnull"} & self.options.keys() else "false"
        call = f"rs_copy({quote(self.table)}, {columns}, {quote(str(self.spool))}, {empty})"
        return f"do $standin$ begin perform pg_catalog.{call}; end $standin$"

    def before(self) -> None:
        """Bring the objects; a problem is left for the server to raise inside the transaction."""
        problem = Path(f"{self.spool}.error")
        problem.unlink(missing_ok=True)
        try:
            families = _spool_in(self)
        except Exception as reason:  # whatever failed, the client must see it as this statement's error
            _write(problem, str(reason) or type(reason).__name__)
            families = None
        _write(Path(f"{self.spool}.families"), ",".join(families or []))

    def after(self) -> None:
        """Nothing to do: a prepared COPY may run again, and ``before`` refreshes its files."""


@dataclass
class Unload:
    """An UNLOAD statement and the file the server writes for it."""

    query: str
    bucket: str
    key: str
    options: dict[str, str]
    spool: Path
    rewritten_query: str = ""

    @property
    def statement(self) -> str:
        call = f"rs_unload($unload${self.rewritten_query}$unload$, {quote(str(self.spool))})"
        return f"do $standin$ begin perform pg_catalog.{call}; end $standin$"

    def before(self) -> None:
        """Check the destination."""
        for suffix in ("", ".types", ".error"):
            Path(f"{self.spool}{suffix}").unlink(missing_ok=True)

    def after(self) -> None:
        """Write the objects. Raises ValueError when the destination holds files already."""
        client = s3()
        listed = client.list_objects_v2(Bucket=self.bucket, Prefix=self.key).get("Contents", [])
        if listed and not {"allowoverwrite", "cleanpath"} & self.options.keys():
            raise ValueError(
                "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually "
                "removing the target files in S3, or using the ALLOWOVERWRITE option."
            )
        if "cleanpath" in self.options:
            for found in listed:
                client.delete_object(Bucket=self.bucket, Key=found["Key"])
        name, body, rows = _spool_out(self)
        client.put_object(Bucket=self.bucket, Key=name, Body=body)
        if "manifest" in self.options:
            entry = {
                "url": f"s3://{self.bucket}/{name}",
                "meta": {"content_length": len(body), "record_count": rows},
            }
            client.put_object(
                Bucket=self.bucket, Key=self.key + "manifest", Body=json.dumps({"entries": [entry]}).encode()
            )


def s3() -> Any:
    """The S3 client of the server's side: its endpoint and keys are the stand-in's own."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=os.environ["STANDIN_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id="standin",
        aws_secret_access_key="standin",  # noqa: S106 - the local server takes any key
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def _options(rest: str) -> dict[str, str]:
    found: dict[str, str] = {"format": "delimited"}
    rest, at = rest.strip(), 0
    if re.search(r"access_key_id|secret_access_key|session_token", rest, re.I):
        raise ValueError("this project passes no keys in SQL: use IAM_ROLE")
    while at < len(rest):
        m = _OPTION.match(rest, at)
        if not m:
            raise ValueError(f"COPY/UNLOAD option not understood near {rest[at : at + 40]!r}")
        if m["name"]:
            found[m["name"].lower().split()[0]] = m["value"].strip("'").replace("''", "'")
        elif m["format"]:
            found["format"] = m["format"].lower()
            found["path"] = (m["path"] or "").strip("'")
        else:
            words = m["flag"].lower().split()
            found[words[0]] = words[1] if len(words) > 1 else "on"
        at = m.end()
    if "iam_role" not in found and "credentials" not in found:
        raise ValueError("COPY/UNLOAD needs an authorisation: IAM_ROLE")
    return found


def parse_copy(sql: str, spool: Path) -> Copy:
    """Raises ValueError for a form not understood, an unknown option or a missing authorisation."""
    m = _COPY.match(sql)
    if not m:
        raise ValueError("COPY statement not understood")
    columns = [c.strip(' "').lower() for c in m["columns"].strip("()").split(",")] if m["columns"] else None
    return Copy(
        m["table"].lower(),
        columns,
        m["bucket"],
        m["key"],
        _options(m["rest"]),
        spool / f"copy_{uuid.uuid4().hex}",
    )


def parse_unload(sql: str, spool: Path) -> Unload:
    """Raises ValueError as parse_copy does."""
    m = _UNLOAD.match(sql)
    if not m:
        raise ValueError("UNLOAD statement not understood")
    query = m["dollar"] or m["quoted"].replace("''", "'")
    return Unload(query, m["bucket"], m["key"], _options(m["rest"]), spool / f"unload_{uuid.uuid4().hex}")


def _objects(copy: Copy) -> Iterator[bytes]:
    """The bytes of each object: a manifest's entries, or every object under the *prefix*."""
    client = s3()
    if "manifest" in copy.options:
        entries = json.loads(client.get_object(Bucket=copy.bucket, Key=copy.key)["Body"].read())["entries"]
        for entry in entries:
            bucket, key = entry["url"].removeprefix("s3://").split("/", 1)
            try:
                body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except client.exceptions.NoSuchKey:
                if entry.get("mandatory"):
                    raise ValueError(
                        f"S3ServiceException: The specified key does not exist. {entry['url']}"
                    ) from None
                continue
            expected = entry.get("meta", {}).get("content_length")
            if expected is not None and expected != len(body):
                raise ValueError(
                    f"File size mismatch in manifest for {entry['url']}: {len(body)} against {expected}"
                )
            yield body
        return
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=copy.bucket, Prefix=copy.key)
    keys = [item["Key"] for page in pages for item in page.get("Contents", []) if item["Size"]]
    if not keys:
        raise ValueError(f"The specified S3 prefix '{copy.key}' does not exist")
    for key in keys:
        yield client.get_object(Bucket=copy.bucket, Key=key)["Body"].read()


def _family(kind: pa.DataType) -> str:
    tests = (("integer", pa.types.is_integer), ("decimal", pa.types.is_decimal), ("float", pa.types.is_floating), ("text", pa.types.is_string),
             ("text", pa.types.is_large_string), ("date", pa.types.is_date), ("timestamp", pa.types.is_timestamp), ("boolean", pa.types.is_boolean))  # fmt: skip
    return next((name for name, test in tests if test(kind)), str(kind))


def _spool_in(copy: Copy) -> list[str] | None:
    families: list[str] | None = None
    with copy.spool.open("wb") as out:
        for raw in _objects(copy):
            if copy.options["format"] == "parquet":
                table = pq.read_table(io.BytesIO(raw))
                found = [_family(f.type) for f in table.schema]
                if families is not None and families != found:
                    raise ValueError("the Parquet files of one COPY have different schemas")
                families = found
                # quoting "needed" writes '' for an empty text and nothing for NULL
                pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=False))
            else:
                text = (gzip.decompress(raw) if "gzip" in copy.options else raw).decode("utf-8-sig")
                lines = io.StringIO(newline="")
                writer = csv.writer(lines)
                writer.writerows(
                    _json_rows(copy, text) if copy.options["format"] == "json" else _text_rows(copy, text)
                )
                out.write(lines.getvalue().encode())
    copy.spool.chmod(0o644)
    return families


def _text_rows(copy: Copy, text: str) -> Iterator[list[str]]:
    is_csv = copy.options["format"] == "csv"
    delimiter = copy.options.get("delimiter", "," if is_csv else "|").replace("\\t", "\t")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=copy.options.get("quote", '"')
    )
    null = copy.options.get("null", "\\N")
    for at, row in enumerate(reader):
        if at >= int(copy.options.get("ignoreheader", 0)):
            yield ["" if value == null else value for value in row]


def _json_rows(copy: Copy, text: str) -> Iterator[list[Any]]:
    if not copy.columns:
        raise ValueError("stand-in: COPY JSON needs a column list")
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        record, at = decoder.raw_decode(text, at)
        while at < len(text) and text[at].isspace():
            at += 1
        values = [record.get(column) for column in copy.columns]
        yield ["" if v is None else json.dumps(v) if isinstance(v, dict | list) else v for v in values]


def _arrow_type(name: str) -> pa.DataType:
    name = name.lower()
    if m := re.match(r"numeric\((\d+),(\d+)\)", name):
        return pa.decimal128(int(m[1]), int(m[2]))
    known = {"smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(), "double precision": pa.float64(), "real": pa.float32(),
             "boolean": pa.bool_(), "date": pa.date32(), "timestamp without time zone": pa.timestamp("us"), "numeric": pa.decimal128(38, 10)}  # fmt: skip
    return known.get(name, pa.string())


def _spool_out(unload: Unload) -> tuple[str, bytes, int]:
    """Object name, bytes and row count of an UNLOAD."""
    with open(f"{unload.spool}.types", newline="") as lines:
        columns = [(name, _arrow_type(kind)) for name, kind in csv.reader(lines)]
    table = pa_csv.read_csv(
        unload.spool,
        read_options=pa_csv.ReadOptions(column_names=[name for name, _ in columns]),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(columns),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
            null_values=[""],
        ),
    ) if unload.spool.stat().st_size else pa.schema(columns).empty_table()  # fmt: skip
    for suffix in ("", ".types"):
        Path(f"{unload.spool}{suffix}").unlink()
    if unload.options["format"] == "parquet":
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        return unload.key + "0000_part_00.parquet", buffer.getvalue(), table.num_rows
    delimiter = unload.options.get("delimiter", "," if unload.options["format"] == "csv" else "|")
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, delimiter=delimiter, lineterminator="\n")
    if "header" in unload.options:
        writer.writerow(table.column_names)
    writer.writerows([["" if v is None else v for v in row.values()] for row in table.to_pylist()])
    body = lines.getvalue().encode()
    if "gzip" in unload.options:
        return unload.key + "000.gz", gzip.compress(body, mtime=0), table.num_rows
    return unload.key + "000", body, table.num_rows
