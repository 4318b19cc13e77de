"""Which objects an event names: S3 notifications, EventBridge, and either of them inside SQS messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus


@dataclass(frozen=True)
class Delivered:
    """One version of one object. ``message`` is the queue's id of the message that named it, if any."""

    bucket: str
    key: str
    version: str | None
    sequencer: str
    message: str = ""


def delivered(event: Mapping[str, Any]) -> list[Delivered]:
    """Objects of an event, oldest first, each version once.

    S3 URL-encodes keys in its own notifications and leaves them plain in EventBridge's. Its ``sequencer`` orders the
    events of one key (compared as hexadecimal numbers of equal length), so a late event cannot pass for the newest.

    Raises:
        ValueError: the event has none of the three shapes.
    """
    found = list(_objects(event, ""))
    first: dict[tuple[str, str, str | None], Delivered] = {}
    for one in sorted(found, key=lambda d: (d.bucket, d.key, d.sequencer.zfill(32))):
        first.setdefault((one.bucket, one.key, one.version), one)
    return list(first.values())


def _objects(event: Mapping[str, Any], message: str) -> Iterator[Delivered]:
    if event.get("Event") == "s3:TestEvent":  # what S3 sends once when a notification is set up
        return
    if "detail" in event and event.get("source") == "aws.s3":
        detail = event["detail"]
        if event.get("detail-type") == "Object Created":
            thing = detail["object"]
            yield Delivered(
                detail["bucket"]["name"], thing["key"], _version(thing), thing.get("sequencer", ""), message
            )
        return
    if "Records" not in event:
        raise ValueError("event: not an S3, EventBridge or SQS event")
    yield from _records(event["Records"], message)


def _records(records: Iterable[Mapping[str, Any]], message: str) -> Iterator[Delivered]:
    for record in records:
        if record.get("eventSource") == "aws:sqs":
            yield from _objects(json.loads(record["body"]), record["messageId"])
        elif "s3" in record and str(record.get("eventName", "")).removeprefix("s3:").startswith(
            "ObjectCreated"
        ):
            s3 = record["s3"]
            key = unquote_plus(s3["object"]["key"])
            yield Delivered(
                s3["bucket"]["name"], key, _version(s3["object"]), s3["object"].get("sequencer", ""), message
            )


def _version(thing: Mapping[str, Any]) -> str | None:
    return thing.get("versionId") or thing.get("version-id") or None
