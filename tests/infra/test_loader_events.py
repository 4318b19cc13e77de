"""Which objects an event names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.lambda_loader.events import delivered


def s3_record(
    key: str, version: str = "v1", sequencer: str = "0A", name: str = "ObjectCreated:Put"
) -> dict[str, Any]:
    thing = {"key": key, "versionId": version, "sequencer": sequencer, "size": 10}
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "landing"}, "object": thing},
    }


def test_keys_are_url_decoded() -> None:
    event = {"Records": [s3_record("roundel/Weekly+report+%28final%29+50%25+a%2Bb.csv")]}
    assert delivered(event)[0].key == "roundel/Weekly report (final) 50% a+b.csv"


def test_eventbridge_keys_are_plain() -> None:
    event = {
        "source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "landing"}, "object": {"key": "roundel/a+b %41.csv", "version-id": "7", "sequencer": "1"}},
    }  # fmt: skip
    found = delivered(event)
    assert [(d.key, d.version) for d in found] == [("roundel/a+b %41.csv", "7")]


def test_many_records_duplicates_and_other_events() -> None:
    event = {
        "Records": [
            s3_record("a/2.csv", "v2", "0B"),
            s3_record("a/2.csv", "v1", "0A"),
            s3_record("a/2.csv", "v2", "0B"),
            s3_record("a/1.csv", "v9", "01", "s3:ObjectCreated:CompleteMultipartUpload"),
            s3_record("a/3.csv", "v1", "01", "ObjectRemoved:Delete"),
        ]
    }
    assert [(d.key, d.version) for d in delivered(event)] == [
        ("a/1.csv", "v9"),
        ("a/2.csv", "v1"),
        ("a/2.csv", "v2"),
    ]


def test_sequencers_of_different_length_are_numbers() -> None:
    event = {
        "Records": [s3_record("a", "new", "0055AED6DCD90281E5"), s3_record("a", "old", "55AED6DCD90281E4")]
    }
    assert [d.version for d in delivered(event)] == ["old", "new"]


def test_queue_messages_carry_either_form() -> None:
    inner = json.dumps({"Records": [s3_record("a/x.csv")]})
    event = {"Records": [{"eventSource": "aws:sqs", "messageId": "m1", "body": inner}]}
    assert [(d.key, d.message) for d in delivered(event)] == [("a/x.csv", "m1")]


def test_the_set_up_message_names_nothing() -> None:
    assert delivered({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not an S3"):
        delivered({"hello": 1})


def test_null_version_of_an_unversioned_bucket() -> None:
    record = s3_record("a/x.csv")
    del record["s3"]["object"]["versionId"]
    assert delivered({"Records": [record]})[0].version is None
