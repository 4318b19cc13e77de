"""The function's entry point. It loads with the intake's own code: one way to load a file, whoever asks.

Idempotent by bucket, key and version: the ledger knows a place by its name, a content by its hash, so an event that
comes twice, late or out of order changes no row. A message whose file could not be loaded now goes back to the queue;
a file that is refused is a ledger line, not a failure.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from infra.lambda_loader.events import Delivered, delivered
from ingest import run as intake
from ingest.contracts import load_contracts
from ingest.landing import Router
from ingest.landing_s3 import S3Landing
from ingest.outcomes import ABORT, Failed
from settings import Settings, load_settings

log = logging.getLogger()
log.setLevel(logging.INFO)


@cache
def _settings() -> Settings:
    """Settings of this container, secrets included; read once, when the container starts."""
    if (arn := os.environ.get("PII_HASH_KEY_ARN")) and not os.environ.get("PII_HASH_KEY"):
        import boto3

        os.environ["PII_HASH_KEY"] = boto3.client("secretsmanager").get_secret_value(SecretId=arn)[
            "SecretString"
        ]
    return load_settings()


def handle(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:
    """Load every object that the event names.

    Returns:
        files: one line per object (key, version, outcome, rows loaded); batchItemFailures: SQS messages to try again.

    Raises:
        RuntimeError: an event without a queue named an object that must be tried again.
    """
    settings = _settings()
    contracts = load_contracts()
    landing = S3Landing(settings.landing_uri, Router(contracts, settings.brand_id))
    lines, again = [], set()
    for one in delivered(event):
        line = _load(one, settings, contracts, landing)
        lines.append(line)
        log.info(json.dumps(line))
        if line["outcome"] == ABORT:
            again.add(one.message)
    if "" in again:
        raise RuntimeError("; ".join(f"{x['key']}: {x['reason']}" for x in lines if x["outcome"] == ABORT))
    return {"files": lines, "batchItemFailures": [{"itemIdentifier": m} for m in sorted(again)]}


def _load(
    one: Delivered, settings: Settings, contracts: Mapping[str, Any], landing: S3Landing
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "bucket": one.bucket,
        "key": one.key,
        "version": one.version,
        "rows": 0,
        "reason": "",
    }
    if one.bucket != landing.bucket:
        return {**line, "outcome": "IGNORED", "reason": "another bucket"}
    try:
        item = landing.one(one.key, one.version)
        # One object, several versions: only the newest may load, or a late event would bring old content back.
        if item is not None and one.version and landing.newest_version(one.key) != one.version:
            return {**line, "outcome": "IGNORED", "reason": "superseded version"}
    except Failed as problem:
        # An object deleted since its event is nothing to load; anything else may pass.
        gone = problem.reason == "vanished"
        return {**line, "outcome": "IGNORED" if gone else ABORT, "reason": problem.reason}
    if item is None:
        return {**line, "outcome": "IGNORED", "reason": "no delivery"}
    rows = intake.run(settings, contracts, items=[item], workers=1)
    try:
        _settle(one, settings, contracts, landing)
    except Failed as problem:
        if problem.reason != "vanished":
            return {**line, "outcome": ABORT, "reason": problem.reason}
    if not rows:
        return {**line, "outcome": "NOOP", "reason": "seen before"}
    return {**line, "outcome": rows[0].outcome, "reason": rows[0].reason, "rows": rows[0].rows_loaded}


def _settle(one: Delivered, settings: Settings, contracts: Mapping[str, Any], landing: S3Landing) -> None:
    """Two functions may have loaded two versions of one object at the same moment, and the warehouse takes the content that
    is committed last for the newer one. So each looks again after its commit, and whoever was last puts the newest back.

    Raises:
        Failed: the object could not be read again.
    """
    loaded = one.version
    while loaded and (newest := landing.newest_version(one.key)) != loaded:
        item = landing.one(one.key, newest)
        if item is None:
            return
        intake.run(settings, contracts, items=[item], force=[item.uri], workers=1)
        loaded = newest
