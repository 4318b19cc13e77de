"""Landing zone on S3: objects are listed once, pinned by ETag (and version where there is one), and read with retries."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ingest.landing import (
    MANIFEST,
    Item,
    Router,
    delivered_at,
    manifest_of,
    name_problem,
    sidecar,
    unfinished,
    window,
)
from ingest.outcomes import Failed

ATTEMPTS = int(os.environ.get("INGEST_S3_ATTEMPTS", 6))
BASE_SECONDS = float(os.environ.get("INGEST_S3_BACKOFF_SECONDS", 0.5))
BLOCK = 1 << 20
T = TypeVar("T")
_AGAIN = {
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "Throttling",
    "RequestLimitExceeded",
    "503",
    "500",
}
_DENIED = {
    "AccessDenied",
    "403",
    "Forbidden",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AllAccessDisabled",
}
_GONE = {"NoSuchKey", "404", "NoSuchVersion"}


def client() -> Any:
    """S3 client; the retries are ours, so that they are the same for a request and for its body."""
    return boto3.client("s3", config=Config(retries={"max_attempts": 1}, connect_timeout=10, read_timeout=60))


def _code(error: ClientError) -> tuple[str, int]:
    return str(error.response.get("Error", {}).get("Code", "")), int(
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    )


def patiently(action: Callable[[], T], sleep: Callable[[float], None] = time.sleep) -> T:
    """Do it, again after 5xx, slow-down and broken connections, with growing and jittered pauses.

    Raises:
        Failed: access denied, gone, replaced since it was listed, or still failing after the last attempt.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except ClientError as error:
            code, status = _code(error)
            if code in _DENIED or status == 403:
                raise Failed("permission_denied", "S3 says 403") from None
            if code == "NoSuchBucket":
                raise Failed("storage_error", "there is no such bucket (LANDING_URI)") from None
            if code in _GONE or status == 404:
                raise Failed("vanished", "the object is gone") from None
            if code == "PreconditionFailed" or status == 412:
                raise Failed("vanished", "the object was replaced since it was listed") from None
            if not (code in _AGAIN or status >= 500 or status == 429):
                raise Failed("storage_error", f"S3 says {code or status}") from None
            last = f"S3 says {code or status}"
        except (BotoCoreError, OSError) as error:
            last = type(error).__name__
        if attempt < ATTEMPTS:
            sleep(random.uniform(0.5, 1.0) * min(20.0, BASE_SECONDS * 2 ** (attempt - 1)))
    raise Failed("storage_error", f"{last}, {ATTEMPTS} times")


class S3Landing:
    """Objects under ``s3://bucket/prefix``."""

    def __init__(self, uri: str, router: Router) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.router = router
        self.s3 = client()

    def items(self, feeds: Iterable[str] | None = None) -> Iterator[Item]:
        """Every delivery under the prefix, in key order; ``feeds`` keeps those of the named feeds."""
        wanted = None if feeds is None else set(feeds)
        objects = {entry["Key"]: entry for entry in patiently(self._list)}
        for key in sorted(objects):
            entry = objects[key]
            if key.endswith("/") or sidecar(PurePosixPath(key).name):
                continue
            item = self._item(key, entry, entry["LastModified"].timestamp(), "", objects.get(key + MANIFEST))
            if item is not None and (wanted is None or item.feed in wanted):
                yield item

    def _list(self) -> list[dict[str, Any]]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return [entry for page in pages for entry in page.get("Contents", [])]

    def one(self, key: str, version: str | None = None) -> Item | None:
        """One delivery, pinned to a version; None for folders, markers and manifests."""
        if key.endswith("/") or sidecar(PurePosixPath(key).name) or not key.startswith(self.prefix):
            return None
        asked = {"VersionId": version} if version else {}
        head = patiently(lambda: self.s3.head_object(Bucket=self.bucket, Key=key, **asked))
        entry = {"Size": head["ContentLength"], "ETag": head["ETag"]}
        return self._item(key, entry, head["LastModified"].timestamp(), version or "", self._manifest(key))

    def _manifest(self, key: str) -> dict[str, Any] | None:
        """The manifest beside an object, as a listing shows it."""

        def look() -> dict[str, Any] | None:
            try:
                return dict(self.s3.head_object(Bucket=self.bucket, Key=key + MANIFEST))
            except ClientError as error:
                if _code(error)[1] == 404:
                    return None
                raise

        return patiently(look)

    def newest_version(self, key: str) -> str:
        """The version id of the object's newest version; empty where the bucket keeps no versions."""
        return str(patiently(lambda: self.s3.head_object(Bucket=self.bucket, Key=key)).get("VersionId", ""))

    def read(self, item: Item) -> bytes:
        """All bytes of a delivery."""
        with fetch(item, Path(tempfile.gettempdir()), in_memory=True) as stream:
            return stream.read()

    def rewrite(self, item: Item, data: bytes | None) -> Item:
        """Put other bytes in an object's place (None: remove it), and delete every older version of it."""
        key = item.path.removeprefix("s3://").partition("/")[2]
        newest = ""
        if data is not None:
            done = patiently(lambda: self.s3.put_object(Bucket=self.bucket, Key=key, Body=data))
            newest = done.get("VersionId", "")
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key)
        for page in patiently(lambda: list(pages)):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if entry["Key"] == key and entry["VersionId"] not in (
                    newest,
                    "null" if data is not None and not newest else "",
                ):
                    old = {"Bucket": self.bucket, "Key": key, "VersionId": entry["VersionId"]}
                    patiently(lambda old=old: self.s3.delete_object(**old))  # type: ignore[misc]
        return (self.one(key) if data is not None else None) or item

    def _item(
        self, key: str, entry: dict[str, Any], modified: float, version: str, manifest: dict[str, Any] | None
    ) -> Item | None:
        relative = key.removeprefix(self.prefix)
        name = relative.rsplit("/", 1)[-1]
        parts = PurePosixPath(relative).parts
        if not parts:
            return None
        feed, problem = self.router.feed(parts)
        problem = name_problem(relative, name) or problem
        etag = str(entry["ETag"]).strip('"')
        promised: tuple[tuple[str, str], ...] = ()
        mark = f"{etag}:{entry['Size']}:{int(modified)}"
        if manifest is not None:
            mark += "+" + str(manifest["ETag"]).strip('"')
            promised = manifest_of(
                patiently(
                    lambda: self.s3.get_object(Bucket=self.bucket, Key=key + MANIFEST)["Body"].read(1 << 16)
                )
            )
        return Item(
            uri=relative,
            path=f"s3://{self.bucket}/{key}",
            name=name,
            brand=self.router.brand(parts),
            feed=feed,
            size=int(entry["Size"]),
            fingerprint=mark,
            mtime=modified,
            delivered=delivered_at(name, modified),
            window=window(name),
            etag=etag,
            version=version,
            manifest=promised,
            problem="partial_name" if unfinished(name) else problem,
        )


def fetch(item: Item, folder: Path, *, in_memory: bool) -> IO[bytes]:
    """Copy one pinned object to a private file (or to memory) and give it back at its start.

    Raises:
        Failed: see :func:`patiently`; nothing is left behind.
    """
    bucket, _, key = item.path.removeprefix("s3://").partition("/")
    s3 = client()
    asked: dict[str, str] = {"VersionId": item.version} if item.version else {"IfMatch": f'"{item.etag}"'}

    def copy() -> IO[bytes]:
        if in_memory and hasattr(os, "memfd_create"):
            target: IO[bytes] = os.fdopen(os.memfd_create("delivery"), "w+b", buffering=0)
        else:
            target = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (handed on open)
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, **asked)
            if item.etag and str(answer["ETag"]).strip('"') != item.etag:  # a server may ignore the condition
                raise Failed("vanished", "the object was replaced since it was listed")
            body = answer["Body"]
            got = 0
            while block := body.read(BLOCK):
                target.write(block)
                got += len(block)
            if got != item.size:
                raise OSError("the object's body ended early")
            target.seek(0)
            return target
        except BaseException:
            target.close()
            raise

    return patiently(copy)
