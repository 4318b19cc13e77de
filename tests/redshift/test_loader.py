"""The Lambda's code on the local S3 server and the stand-in's Data API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest

from infra.lambda_loader import handler
from settings import ROOT
from standin.stack import Stack

pytestmark = pytest.mark.redshift
BUCKET = "landing-events"
HEADER = "Date,Advertiser ID,Campaign,TCIN,Impressions,Clicks,Spend,Attributed Sales,Orders\n"
KEY = "roundel/Weekly report (50% +tax)__20260901T000000Z.csv"


def line(day: str, spend: str, campaign: str = "A, B") -> str:
    return f'{day},55310,"{campaign}",1234,100,5,"{spend}","$10.00",1\n'


@pytest.fixture
def lambda_env(warehouse: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    env = {
        **warehouse.environment,
        "LANDING_URI": f"s3://{BUCKET}",
        "WAREHOUSE_PATH": str(tmp_path / "w.duckdb"),
        "RUNS_DIR": str(tmp_path / "runs"),
        "REDSHIFT_USER": "svc_loader",
        "REDSHIFT_PASSWORD": "",
        "REDSHIFT_WORKGROUP": "warehouse",
        "REDSHIFT_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/redshift/svc_loader",
    }
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    s3 = warehouse.s3()
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    admin = warehouse.connect()
    cursor = admin.cursor()
    for table in (
        "raw.roundel",
        "raw_history.roundel",
        "intake.ledger",
        "intake.partition_version",
        "intake.quarantine",
    ):
        cursor.execute(f"delete from {table}")
    admin.commit()
    admin.close()
    handler._settings.cache_clear()
    yield s3
    handler._settings.cache_clear()


def event(*objects: tuple[str, str], sequencers: tuple[str, ...] = ()) -> dict[str, Any]:
    records = []
    for at, (key, version) in enumerate(objects):
        thing = {
            "key": quote_plus(key, safe="/"),
            "versionId": version,
            "sequencer": (sequencers or ("01",) * 9)[at],
        }
        records.append(
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": BUCKET}, "object": thing},
            }
        )
    return {"Records": records}


def state(stack: Stack) -> dict[str, Any]:
    connection = stack.connect()
    cursor = connection.cursor()
    found = {}
    for table in ("raw.roundel", "raw_history.roundel", "intake.ledger", "intake.quarantine"):
        cursor.execute(f"select * from {table}")
        found[table] = sorted(str(r) for r in cursor.fetchall())
    cursor.execute("select sum(cost), count(*) from raw.roundel")
    found["sum"] = [str(v) for v in cursor.fetchone()]
    connection.close()
    return found


def put(s3: Any, key: str, body: str) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())["VersionId"])


def test_load_replay_and_order(warehouse: Stack, lambda_env: Any) -> None:
    s3 = lambda_env
    first = put(s3, KEY, HEADER + line("09/01/2026", "$1,258.54") + line("09/02/2026", "$1.00"))
    again = put(s3, KEY, HEADER + line("09/01/2026", "$2,000.00") + line("09/02/2026", "$1.00") + "\n")
    newest, oldest = event((KEY, again)), event((KEY, first))

    # out of order: the newer version's event comes first
    answer = handler.handle(newest)
    assert [f["outcome"] for f in answer["files"]] == ["LOAD"], answer
    loaded = state(warehouse)
    assert [float(loaded["sum"][0]), loaded["sum"][1]] == [2001.0, "2"]
    assert "A, B" in loaded["raw.roundel"][0]

    # replayed, doubled and wrapped in a queue's message: no row changes
    sqs = {"Records": [{"eventSource": "aws:sqs", "messageId": "m1", "body": json.dumps(newest)}]}
    for repeated in (newest, event((KEY, again), (KEY, again)), sqs):
        outcome = handler.handle(repeated)
        assert {f["outcome"] for f in outcome["files"]} == {"NOOP"} and outcome["batchItemFailures"] == []
        assert state(warehouse) == loaded
    # the overwritten version's event comes late: its content must not win over the newer one
    late = handler.handle(oldest)
    assert [(f["outcome"], f["reason"]) for f in late["files"]] == [("IGNORED", "superseded version")]
    handler.handle(event((KEY, first), (KEY, again)))
    assert state(warehouse) == loaded, "replaying both changes nothing"


def test_in_order_the_newer_version_replaces_the_older(warehouse: Stack, lambda_env: Any) -> None:
    first = put(lambda_env, KEY, HEADER + line("09/01/2026", "$1,258.54"))
    assert handler.handle(event((KEY, first)))["files"][0]["outcome"] == "LOAD"
    again = put(lambda_env, KEY, HEADER + line("09/01/2026", "$2,000.00"))
    assert handler.handle(event((KEY, again)))["files"][0]["outcome"] == "REPLACE"
    after = state(warehouse)
    assert float(after["sum"][0]) == 2000.0 and len(after["raw_history.roundel"]) == 1
    handler.handle(event((KEY, first), (KEY, again)))
    assert state(warehouse) == after


def test_bad_file_is_a_ledger_line_and_not_a_failure(warehouse: Stack, lambda_env: Any) -> None:
    version = put(
        lambda_env, "roundel/page__20260902T000000Z.csv", "<!DOCTYPE html><html><body>error</body></html>"
    )
    answer = handler.handle(event(("roundel/page__20260902T000000Z.csv", version)))
    assert [f["outcome"] for f in answer["files"]] == ["QF"] and answer["batchItemFailures"] == []
    assert state(warehouse)["sum"][1] == "0"


def test_what_is_no_delivery_is_ignored(warehouse: Stack, lambda_env: Any) -> None:
    before = state(warehouse)
    answer = handler.handle(event(("roundel/", "v"), ("roundel/gone.csv", "v"), ("roundel/x.csv.done", "v")))
    assert {f["outcome"] for f in answer["files"]} == {"IGNORED"}
    other = event(("roundel/x.csv", "v"))
    other["Records"][0]["s3"]["bucket"]["name"] = "someone-elses"
    assert handler.handle(other)["files"][0]["reason"] == "another bucket"
    assert state(warehouse) == before


#: A function that asked which version is the newest just before the next one came.
EARLY = """
import json, sys
from ingest.landing_s3 import S3Landing
from infra.lambda_loader import handler

truly, own, asked = S3Landing.newest_version, sys.argv[1], []
S3Landing.newest_version = lambda self, key: truly(self, key) if asked else asked.append(key) or own
print(json.dumps(handler.handle(json.load(sys.stdin))))
"""


@pytest.mark.parametrize("order", ["larger-last", "smaller-last"])
def test_two_versions_at_the_same_moment(warehouse: Stack, lambda_env: Any, order: str) -> None:
    """Two functions load two versions of one object side by side; whoever commits last, the newest content stands."""
    amounts = ["$10.00", "$70.00"] if order == "larger-last" else ["$70.00", "$10.00"]
    for attempt in range(3):
        key = f"roundel/attempt_{attempt}__2026090{attempt + 1}T000000Z.csv"
        versions = [
            put(lambda_env, key, HEADER + line(f"09/0{attempt + 1}/2026", amount)) for amount in amounts
        ]
        running = [
            subprocess.Popen(
                [sys.executable, "-c", EARLY, version],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for version in versions
        ]  # fmt: skip
        for process, version in zip(running, versions, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(event((key, version))))
            process.stdin.close()
            process.stdin = None
        for process in running:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err[-2000:]
            assert json.loads(out.splitlines()[-1])["batchItemFailures"] == []
    found = state(warehouse)
    assert [float(found["sum"][0]), found["sum"][1]] == [3 * float(amounts[1].strip("$")), "3"]
