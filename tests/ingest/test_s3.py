"""The S3 landing zone against a real API server, and its patience with a bad one."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError

from ingest import landing_s3
from ingest.contracts import load_contracts
from ingest.forget import forget
from ingest.landing import MANIFEST, Router
from ingest.outcomes import Failed
from ingest.pii import Hasher
from tests.faults.catalogue import good
from tests.ingest.helpers import ingest, ledger, query, settings_for

CONTRACTS = load_contracts()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = landing_s3.client()
    requests.post(f"http://127.0.0.1:{port}/moto-api/reset", timeout=10)
    client.create_bucket(Bucket="land")
    yield client
    server.stop()


def test_files_load_from_a_bucket(bucket: Any, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "s3://land/in")
    for feed in ("roundel", "crm_customers"):
        bucket.put_object(
            Bucket="land", Key=f"in/{feed}/{feed}__20261030T060000Z.csv", Body=good(CONTRACTS[feed])
        )
    bucket.put_object(Bucket="land", Key="in/roundel/../../x.csv", Body=b"a")
    bucket.put_object(Bucket="land", Key="in/roundel/" + "n" * 300 + ".csv", Body=b"a")
    ingest(settings)
    assert query(
        settings, "select count(*) from raw.roundel union all select count(*) from raw.crm_customers"
    ) == [(40,), (40,)]
    assert sorted(query(settings, "select outcome, reason from intake.ledger where outcome = 'QF'")) == [
        ("QF", "bad_file_name"),
        ("QF", "path_traversal"),
    ]
    assert ingest(settings) == []
    landing = landing_s3.S3Landing("s3://land/in", Router(CONTRACTS, "swiftpod"))
    one = landing.one("in/roundel/roundel__20261030T060000Z.csv")
    assert one is not None and one.feed == "roundel" and one.etag
    assert landing.one("in/roundel/") is None


def test_a_missing_bucket_is_named_as_such_and_can_be_made(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from infra import landing_bucket

    def listed() -> list[Any]:
        return list(landing_s3.S3Landing("s3://not-there/in", Router(CONTRACTS, "swiftpod")).items())

    with pytest.raises(Failed, match="no such bucket"):
        listed()
    monkeypatch.setenv("LANDING_URI", "s3://not-there/in")
    assert [landing_bucket.main(), landing_bucket.main()] == [0, 0]
    assert capsys.readouterr().out.splitlines() == ["s3://not-there/in: made", "s3://not-there/in: there"]
    assert listed() == []
    bucket.delete_bucket(Bucket="not-there")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert landing_bucket.main() == 2 and capsys.readouterr().err.count("\n") == 1


def test_an_object_replaced_after_listing_aborts_and_heals(bucket: Any, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "s3://land/in")
    key = "in/weather/weather__20261030T060000Z.csv"
    bucket.put_object(Bucket="land", Key=key, Body=b"old")
    landing = landing_s3.S3Landing("s3://land/in", Router(CONTRACTS, "swiftpod"))
    item = next(iter(landing.items()))
    bucket.put_object(Bucket="land", Key=key, Body=good(CONTRACTS["weather"]))
    with pytest.raises(Failed, match="vanished"):
        landing_s3.fetch(item, tmp_path, in_memory=False)
    ingest(settings, items=[item])
    assert ledger(settings, "weather__20261030T060000Z.csv")[0] == "ABORT"
    ingest(settings)
    assert ledger(settings, "weather__20261030T060000Z.csv")[0] == "LOAD"


def _error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


def test_slow_down_is_met_with_growing_jittered_pauses() -> None:
    answers: list[Any] = [
        _error("SlowDown", 503),
        _error("InternalError", 500),
        EndpointConnectionError(endpoint_url="x"),
        7,
    ]
    pauses: list[float] = []

    def action() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert landing_s3.patiently(action, pauses.append) == 7
    assert len(pauses) == 3 and 0.25 <= pauses[0] <= 0.5 and 1.0 <= pauses[2] <= 2.0


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        ("AccessDenied", 403, "permission_denied"),
        ("NoSuchKey", 404, "vanished"),
        ("Teapot", 418, "storage_error"),
    ],
)
def test_other_errors_fail_at_once(code: str, status: int, word: str) -> None:
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        raise _error(code, status)

    with pytest.raises(Failed, match=word):
        landing_s3.patiently(action, lambda _: None)
    assert len(calls) == 1


def test_forgotten_people_leave_a_versioned_bucket_and_stay_away(bucket: Any, tmp_path: Path) -> None:
    settings, contract = settings_for(tmp_path, "s3://land/in"), CONTRACTS["crm_customers"]
    bucket.put_bucket_versioning(Bucket="land", VersioningConfiguration={"Status": "Enabled"})
    keys = [f"in/crm_customers/{name}__20261001T000000Z.csv{end}" for name, end in (("a", ""), ("b", ".gz"))]
    bodies = [
        good(contract),
        gzip.compress(good(contract) + b"per99,x@example.org,,A,B,10001,2026-09-06,2,walmart\n"),
    ]
    for key, body in zip(keys, bodies, strict=True):
        bucket.put_object(Bucket="land", Key=key, Body=body)
    ingest(settings)
    erased = forget(settings, CONTRACTS, ["PERSON3@example.org", "per5"])
    assert (erased.landing_files, erased.landing_rows, erased.warehouse_rows) == (2, 4, 4)
    for entry in bucket.list_object_versions(Bucket="land")["Versions"]:
        body = bucket.get_object(Bucket="land", Key=entry["Key"], VersionId=entry["VersionId"])["Body"].read()
        text = gzip.decompress(body) if entry["Key"].endswith(".gz") else body
        assert b"person3@" not in text and b"per5," not in text and b"person4@" in text
    assert len(bucket.list_object_versions(Bucket="land")["Versions"]) == 2
    assert ingest(settings) == []
    bucket.put_object(Bucket="land", Key="in/crm_customers/again__20261101T000000Z.csv", Body=bodies[0])
    ingest(settings)
    hashes = {Hasher(settings.pii_hash_key())("email", f"person{i}@example.org") for i in (3, 5)}
    found = query(
        settings,
        "select email_hash from raw.crm_customers union all select email_hash from raw_history.crm_customers",
    )
    assert len(found) > 38 and not hashes & {value for (value,) in found}


def test_a_manifest_counts_for_an_event_and_in_the_fingerprint(bucket: Any, tmp_path: Path) -> None:
    settings, key = settings_for(tmp_path, "s3://land/in"), "in/roundel/roundel__20261030T060000Z.csv"
    bucket.put_object(Bucket="land", Key=key, Body=good(CONTRACTS["roundel"]))
    landing = landing_s3.S3Landing("s3://land/in", Router(CONTRACTS, "swiftpod"))
    bare = landing.one(key)
    bucket.put_object(Bucket="land", Key=key + MANIFEST, Body=b'{"rows": 41}')
    wrong = landing.one(key)
    assert bare is not None and wrong is not None and wrong.manifest == (("rows", "41"),)
    assert [i.fingerprint for i in landing.items()] == [wrong.fingerprint] != [bare.fingerprint]
    assert [row.outcome for row in ingest(settings, items=[wrong])] == ["QF"]
    assert ingest(settings) == []
    bucket.put_object(Bucket="land", Key=key + MANIFEST, Body=b'{"rows": 40}')
    assert [row.outcome for row in ingest(settings)] == ["LOAD"]  # the corrected promise is a new look
